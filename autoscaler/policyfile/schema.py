"""The policy file as a JSON Schema (draft 2020-12), for editors: `autoscaler schema > docs/policy.schema.json`.

An editor's check only: what it refuses the loader refuses too, but `core.lint` and the grammar of conditions know more.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from autoscaler.core.durations import PATTERN as DURATION
from autoscaler.core.durations import format_duration
from autoscaler.core.metrics import METRICS, Dimension, Kind, Metric
from autoscaler.core.plans import SPELLINGS, find_plan
from autoscaler.core.policy import Mode, Policy
from autoscaler.core.sources import Given
from autoscaler.policyfile.hovers import HOVERS

_WRITTEN: Mapping[str, Callable[[Any], str]] = MappingProxyType(
    {
        "30m": lambda value: format_duration(value).replace(" ", ""),
        "25%": lambda value: f"{value:.0%}",
        "4 per day": lambda value: f"{value} per day",
    }
)
"""How a default is written in the file, by the example of its type."""
_SENTENCE, _HOURS = "avg_response_time > 8s for 1h", "mon-fri 09:00-17:00 Europe/Berlin"
"""The examples by which those two types are known."""
_PATH = ["jobs.waiting"]
"""The example of the one such type whose values may be any word."""
_SENTENCE_PATTERN = (
    rf"^\s*(?:(?:mean|max|min|p[1-9]\d?)\(\s*\w+\s+over\s+{DURATION}\s*\)|\w+)"
    r"(?:\s*(?:>=|<=|>|<)\s*\d[\d_]*(?:\.\d+)?\s*(?:%|/s|/min|[A-Za-z]+)?)?"
    rf"(?:\s+(?:for|within)\s+{DURATION}(?:\s+in\s+\d+(?:\.\d+)?\s*%\s+of\s+samples)?)?\s*$"
)
_BOUNDS = MappingProxyType(
    {
        Dimension.TIME: "8s",
        Dimension.MEMORY: "400MB",
        Dimension.SHARE: "80%",
        Dimension.CORES: "1 cores",
        Dimension.RATE: "10/s",
        Dimension.MONEY: "50",
        Dimension.COUNT: "10",
    }
)
"""A bound of each dimension, for an editor to begin with."""
_MODES = MappingProxyType(
    {
        Mode.OBSERVE: "Says what it would do.",
        Mode.ASK: "Every change needs a yes.",
        Mode.ACT: "Acts, as `approval` says.",
    }
)


def schema() -> dict[str, Any]:
    """What may stand in a policy file, with a description and examples for each key."""
    tidy: dict[str, Any] = _tidy(Policy.model_json_schema())
    (metric,) = tidy["properties"]["metrics"]["patternProperties"].values()
    for name, section in (("Policy", tidy), (Given.__name__, metric["anyOf"][-1]), *tidy["$defs"].items()):
        if "properties" in section:
            _explain(name, section)
    tidy["$defs"] |= {"Sentence": _sentence(), "Hours": _hours()}
    tidy["$defs"]["Mode"] |= {"enumDescriptions": list(_MODES.values())}
    tidy["$defs"]["Tier"]["properties"]["plan"] |= {"enumDescriptions": [_size(name) for name in SPELLINGS]}
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Render Autoscaler policy"}
    return head | tidy


def _tidy(node: Any) -> Any:
    """Without what pydantic adds for programs: titles, defaults in milliseconds, and null, which no policy may hold."""
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    choices = [choice for choice in node.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:
        node = {key: value for key, value in node.items() if key not in {"anyOf", "default"}} | choices[0]
    match node.get("examples"):
        case [str(example)] if example == _SENTENCE:
            return {"$ref": "#/$defs/Sentence"}
        case [str(example)] if example == _HOURS:
            return {"$ref": "#/$defs/Hours"}
    kept = {key: _tidy(value) for key, value in node.items() if not (key == "title" and isinstance(value, str))}
    if "default" in kept and kept.get("examples", [""])[0] in _WRITTEN:
        kept["default"] = _WRITTEN[kept["examples"][0]](kept["default"])
    elif isinstance(kept.get("default"), dict):  # a section's default is that of its keys
        del kept["default"]
    is_free = kept.get("examples", _PATH) == _PATH and "enum" not in kept and re.search(kept.get("pattern", ""), "7")
    if kept.get("type") == "string" and is_free:
        kept["type"] = ["string", "number", "boolean"]  # the loader takes the text, whatever an editor sees in it
    return kept


def _explain(name: str, section: dict[str, Any]) -> None:
    section["description"] = HOVERS[name][0]
    for key, value in section["properties"].items():
        description, examples = HOVERS[f"{name}.{key}"]
        value["description"] = description
        if examples:
            value["examples"] = list(examples)


def _sentence() -> dict[str, Any]:
    return {
        "type": "string",
        "description": HOVERS["Alert.when"][0],
        "examples": [_SENTENCE],
        "pattern": _SENTENCE_PATTERN,
        "patternErrorMessage": "A condition is: metric, comparison, bound with its unit, window, such as 'avg_response_time > 8s for 1h'.",
        "defaultSnippets": list(_snippets()),
    }


def _snippets() -> Iterator[dict[str, str]]:
    """One for each metric, its numbers to be filled in."""
    for metric in METRICS.values():
        yield {"label": metric.name, "description": metric.meaning, "body": _snippet(metric)}


def _snippet(metric: Metric) -> str:
    bound = _BOUNDS[metric.dimension]
    match metric.kind:
        case Kind.COUNTED:
            return f"{metric.name} >= ${{1:3}} within ${{2:24h}}"
        case Kind.BUSINESS:
            return f"{metric.name} >= ${{1:{bound}}}"
    if metric.name in {"stalled", "unreachable"}:
        return f"{metric.name} for ${{1:5m}}"
    return f"{metric.name} > ${{1:{bound}}} for ${{2:1h}}"


def _hours() -> dict[str, Any]:
    return {
        "type": "string",
        "description": "Days, hours and a time zone.",
        "examples": [_HOURS, "mon,wed 08:30-12:00 UTC", "fri-mon 22:00-06:00 America/New_York"],
        "pattern": r"^\s*\S+\s+\S+\s+\S+\s*$",
        "patternErrorMessage": f"Days, hours and a time zone, such as '{_HOURS}'.",
    }


def _size(name: str) -> str:
    plan = find_plan(name)
    assert plan is not None, name  # noqa: S101 - a spelling of the table is in the table
    memory = f"{plan.memory // 1024**2} MB" if plan.memory < 1024**3 else f"{plan.memory // 1024**3} GB"
    return f"{plan.cpu:g} CPU, {memory}, ${plan.price:g} a month"
