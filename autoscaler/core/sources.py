"""The `metrics:` section of a policy: where the app's own endpoint has what its conditions speak of.

    metrics:
      queue_depth: jobs.waiting                                   # a plain count, judged sample by sample
      reply_time: {path: stats.latency_ms, unit: ms}
      mails_failed: {path: totals.mail_errors, kind: counter}     # mails_failed >= 3 within 1h
      job_rate: {path: totals.jobs, kind: counter, unit: /s}
      error_rate: {path: totals.failed, of: totals.served, kind: counter}
      memory_percent: {path: mem.used, of: mem.limit}
      churned: {kind: business}                                   # told by `autoscaler metric set churned 3`

A built-in name takes its value from there instead of from where the table says.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from autoscaler.core.metrics import (
    BUILT_IN,
    SIGNALS,
    UNITS,
    UNITS_OPTIONAL,
    Dimension,
    Kind,
    Metric,
    Source,
    Vocabulary,
    find_metric,
)
from autoscaler.core.scalars import JsonPath

_GIVEN = MappingProxyType(UNITS | {"B": (Dimension.MEMORY, 1.0), "fraction": (Dimension.SHARE, 100.0)})
"""The units in which an endpoint may give a value: those of conditions, and two that only programs write."""
_GRAMMAR = frozenset({"for", "within", "over", "in", "of", "samples", "mean", "max", "min"})
SEEN_BY_THE_BOT = frozenset({"unreachable", "stalled", "poll_timeouts", "oom_kills", "server_failed"})
"""What the bot sees itself: neither an endpoint nor people have a say in it."""
_MOST = 100
"""Metrics of one policy: each reading holds them all, and is stored."""


def _metric_name(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,59}", text):
        raise ValueError(f"'{text[:60]}' is no name of a metric: small letters, digits and _ only, such as queue_depth")
    if text in _GRAMMAR or re.fullmatch(r"p[1-9]\d?", text):
        raise ValueError(f"'{text}' is a word of the conditions themselves: choose another name")
    if text in SEEN_BY_THE_BOT:
        raise ValueError(f"'{text}' is what the bot sees itself: an endpoint has no say in it, choose another name")
    return text


def _unit(text: str) -> str:
    if text in _GIVEN:
        return text
    raise ValueError(f"'{text}' is no unit: use one of {', '.join(_GIVEN)}, or none for a plain count")


class Given(BaseModel):
    """Where and how an endpoint gives one metric."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: JsonPath | None = None
    of: JsonPath | None = None
    """What the value is divided by: of a counter, over the same time; of any other, at the same moment."""
    unit: Annotated[str, AfterValidator(_unit), WithJsonSchema({"enum": list(_GIVEN)})] | None = None
    kind: Literal["gauge", "counter", "business"] | None = None

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if self.path is None and (self.kind not in {"counter", "business"} or self.of is not None or self.unit == "/s"):
            raise ValueError(
                "say where the JSON has it: 'path: jobs.waiting', or only that: 'queue_depth: jobs.waiting'"
            )
        if self.kind == "business" and self.of is not None:
            raise ValueError("a business value is one number: leave 'of' out")
        return self


_KEY_SCHEMA = {"pattern": "^[a-z][a-z0-9_]*$"}
MetricName = Annotated[str, AfterValidator(_metric_name), WithJsonSchema({"type": "string"} | _KEY_SCHEMA)]


def _written_out(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


_SHORT = WithJsonSchema({"anyOf": [{"type": "string", "examples": ["jobs.waiting"]}, Given.model_json_schema()]})
Section = Annotated[
    Mapping[MetricName, Annotated[Given, BeforeValidator(_written_out), _SHORT]],
    Field(max_length=_MOST, json_schema_extra={"additionalProperties": False}),
]
"""The section by the names that its policy gives."""
_ENTRY: TypeAdapter[Mapping[str, Given]] = TypeAdapter(Section)


@dataclass(frozen=True, slots=True)
class Misuse:
    """An entry that is sound by itself, and yet can't be meant so."""

    name: str
    key: str | None
    """Which of its keys, or None: all of it."""
    message: str
    related: str | None = None
    """The other entry, where two do not fit each other."""


def vocabulary(section: Mapping[str, Given], unsound: frozenset[str] = frozenset()) -> Vocabulary:
    """What the conditions of a policy with that section may speak of. Entries that can't be meant so are taken as well as may be."""
    by_name = dict(BUILT_IN.by_name)
    gauges: dict[str, Source] = {}
    counters: dict[str, Source] = {}
    for name, given in section.items():
        metric = _metric(name, given)
        gauges |= _gauge(metric, given)
        counters |= _counters(metric, given)
        by_name |= dict.fromkeys((name, metric.name, *metric.aliases), metric)
    return Vocabulary(by_name, gauges, counters, unsound)


def vocabulary_of(plain: object) -> Vocabulary:
    """The same from a policy's literal values, before anybody has found them sound."""
    section = plain.get("metrics") if isinstance(plain, Mapping) else None
    if not isinstance(section, Mapping):
        return BUILT_IN
    sound: dict[str, Given] = {}
    unsound: set[str] = set()
    for name, value in section.items():
        try:
            sound |= _ENTRY.validate_python({name: value})
        except ValidationError:
            unsound.add(str(name))
    return vocabulary(sound, frozenset(unsound))


def misuses(section: Mapping[str, Given]) -> Iterator[Misuse]:
    """What needs the built-in table, or two entries at once, to be seen."""
    names: dict[str, str] = {}
    sources: dict[str, tuple[str, str]] = {}
    for name, given in section.items():
        known = find_metric(name)
        one_name = known.name if known else name
        if (first := names.setdefault(one_name, name)) != name:
            yield Misuse(name, None, f"'{name}' and '{first}' are one metric: say once where it stands", first)
        if known:
            yield from _misuse_of_built_in(name, given, known)
        elif given.kind == "counter" and given.of is None and given.unit not in {None, "/s", "/min"}:
            message = (
                f"'{name}' is counted, and a count has no {given.unit}: leave 'unit' out, or write '/s' for a rate"
            )
            yield Misuse(name, "unit", message)
        for counter, source in _counters(_metric(name, given), given).items():
            path, owner = sources.setdefault(counter, (source.path, name))
            if path != source.path:
                message = f"'{owner}' counts its {counter} at '{path}', and '{name}' at '{source.path}': write the same"
                yield Misuse(name, None, message, owner)


def _misuse_of_built_in(name: str, given: Given, metric: Metric) -> Iterator[Misuse]:
    """What a built-in metric is stays so: its dimension, and whether it is counted, told, or looked at."""
    fitting = [unit for unit, (dimension, _) in _GIVEN.items() if dimension is metric.dimension]
    is_share = given.of is not None and metric.dimension is Dimension.SHARE
    is_counted_rate = metric.dimension is Dimension.RATE and given.kind == "counter"
    if given.unit is not None and given.unit not in fitting:
        takes = f"one of {', '.join(fitting)}" if fitting else "no unit, it is a plain count"
        yield Misuse(name, "unit", f"'{name}' can't be given in {given.unit}: it takes {takes}")
    elif given.unit is None and metric.dimension not in UNITS_OPTIONAL and not is_share and not is_counted_rate:
        message = f"say in which unit the endpoint gives '{name}': {' or '.join(f'unit: {unit}' for unit in fitting)}"
        yield Misuse(name, None, message)
    kinds = {
        Kind.GAUGE: {None, "gauge"},
        Kind.RATIO: {None, "gauge", "counter"},
        Kind.COUNTED: {None, "counter"},
        Kind.BUSINESS: {None, "business"},
    }[metric.kind]
    if given.kind not in kinds:
        yield Misuse(name, "kind", f"'{name}' is no {given.kind}: write {' or '.join(sorted(filter(None, kinds)))}")
    elif metric.kind is Kind.RATIO and given.kind == "counter" and (given.of is None) != is_counted_rate:
        message = f"'{name}' needs " + ("one counter" if is_counted_rate else "two counters: 'path:' and 'of:'")
        yield Misuse(name, None, message)


def _metric(name: str, given: Given) -> Metric:
    known = find_metric(name)
    is_counter = given.kind == "counter"
    if known is not None:
        is_averaged = known.kind is Kind.RATIO and not is_counter
        return replace(known, kind=Kind.GAUGE, over=None, under=None) if is_averaged else known
    dimension = _GIVEN[given.unit][0] if given.unit else Dimension.COUNT
    metric = Metric(name, dimension, Kind.GAUGE, f"what the endpoint has at {given.path or 'no place'}")
    if given.kind == "business":
        return replace(metric, kind=Kind.BUSINESS)
    if not is_counter:
        return metric
    if given.of is not None:
        scale = 100.0 if dimension is Dimension.SHARE else 1.0
        return replace(metric, kind=Kind.RATIO, over=f"metrics.{name}", under=f"metrics.{name}.of", scale=scale)
    if dimension is Dimension.RATE:
        return replace(metric, kind=Kind.RATIO, over=f"metrics.{name}", under="seconds")
    return replace(metric, kind=Kind.COUNTED, dimension=Dimension.COUNT)


def _gauge(metric: Metric, given: Given) -> dict[str, Source]:
    """Where a metric is that is looked at, or told by the endpoint."""
    if metric.kind not in {Kind.GAUGE, Kind.BUSINESS} or given.path is None:
        return {}
    is_share = given.of is not None and metric.dimension is Dimension.SHARE
    scale = 100.0 if is_share else _GIVEN[given.unit][1] if given.unit else 1.0
    return {metric.name: Source(given.path, scale, given.of)}


def _counters(metric: Metric, given: Given) -> dict[str, Source]:
    """Where the counters are whose rises are a ratio's two parts, or signals."""
    if given.path is None:
        return {}
    if metric.kind is Kind.COUNTED:
        return {SIGNALS + metric.name: Source(given.path)}
    if metric.kind is not Kind.RATIO or metric.over is None or metric.under is None:
        return {}
    scale = 1.0 if metric.dimension in {Dimension.SHARE, Dimension.RATE} or not given.unit else _GIVEN[given.unit][1]
    below = {metric.under: Source(given.of)} if given.of is not None else {}
    return {metric.over: Source(given.path, scale)} | below


def own_unused(section: Mapping[str, Given], used: frozenset[str]) -> list[str]:
    """The names of the section that mean nothing to anybody: no condition has them, and the bot does not know them."""
    return [name for name in section if name not in used and find_metric(name) is None]
