"""The policy file as a JSON Schema (draft 2020-12), for editors: `python -m autoscaler.policyfile.schema > docs/policy.schema.json`."""

import json
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from autoscaler.core.durations import format_duration
from autoscaler.core.policy import Policy

_WRITTEN: Mapping[str, Callable[[Any], str]] = MappingProxyType(
    {
        "30m": lambda value: format_duration(value).replace(" ", ""),
        "25%": lambda value: f"{value:.0%}",
        "4 per day": lambda value: f"{value} per day",
    }
)
"""How a default is written in the file, by the example of its type."""


def schema() -> dict[str, Any]:
    """What may stand in a policy file. An editor's check only: `core.lint` and the grammar of conditions know more."""
    tidy: dict[str, Any] = _tidy(Policy.model_json_schema())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Render Autoscaler policy"} | tidy


def _tidy(node: Any) -> Any:
    """Without what pydantic adds for programs: titles, defaults in milliseconds, and null, which no policy may hold."""
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    choices = [choice for choice in node.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:
        node = {key: value for key, value in node.items() if key not in {"anyOf", "default"}} | choices[0]
    kept = {key: _tidy(value) for key, value in node.items() if not (key == "title" and isinstance(value, str))}
    if "default" in kept and kept.get("examples", [""])[0] in _WRITTEN:
        kept["default"] = _WRITTEN[kept["examples"][0]](kept["default"])
    elif isinstance(kept.get("default"), dict):  # a section's default is that of its keys
        del kept["default"]
    return kept


if __name__ == "__main__":
    json.dump(schema(), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
