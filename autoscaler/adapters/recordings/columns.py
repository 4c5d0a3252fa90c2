"""Which column of a table is what: `time=ts, avg_response_time=latency_ms:ms, requests=req`."""

import difflib
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from autoscaler.core.metrics import UNITS, UNITS_OPTIONAL, Dimension, Kind, Metric, Vocabulary
from autoscaler.errors import UsageError

EXAMPLE = "time=ts, avg_response_time=latency_ms:ms, memory_usage=rss_mb:MB, requests=req, errors=err"
TIME = "time"
TOTAL = "total"
"""Instead of a unit: the column counts from the process's beginning on, and not anew in each row."""
_COUNTERS = MappingProxyType(
    {
        "requests": Dimension.COUNT,
        "errors": Dimension.COUNT,
        "response_seconds": Dimension.TIME,
        "cpu_seconds": Dimension.TIME,
        "cache_hits": Dimension.COUNT,
        "cache_lookups": Dimension.COUNT,
    }
)
"""What may be summed up in a column: the parts of the ratios."""


class Form(StrEnum):
    """What a column's numbers are."""

    GAUGE = "gauge"
    RATIO = "ratio"
    COUNTER = "counter"
    TOTAL = "total"
    SIGNAL = "signal"


@dataclass(frozen=True, slots=True)
class Column:
    """One of the table's columns; its numbers times `scale` are in base units."""

    header: str
    name: str
    form: Form
    scale: float
    metric: Metric | None = None


@dataclass(frozen=True, slots=True)
class Columns:
    """The time's header, and the others in such an order that what they need of each other is there."""

    time: str
    values: tuple[Column, ...]

    @property
    def headers(self) -> tuple[str, ...]:
        """All that are read."""
        return (self.time, *(column.header for column in self.values))


def parse_columns(text: str, vocabulary: Vocabulary) -> Columns:
    """The map that people write. Raises UsageError with what to write instead."""
    time, columns = "", []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, equals, header = (part.strip() for part in entry.partition("="))
        if not (name and equals and header):
            raise UsageError(
                f"--columns: '{entry}' is no column: write it as NAME=HEADER or NAME=HEADER:UNIT, such as {EXAMPLE}"
            )
        if name == TIME:
            time = header
        else:
            columns.append(_column(name, header, vocabulary))
    if not time:
        raise UsageError(f"--columns says nothing about time: begin with time=HEADER, such as {EXAMPLE}")
    if not columns:
        raise UsageError(f"--columns names no metric: write what the other columns are, such as {EXAMPLE}")
    order = [Form.TOTAL, Form.COUNTER, Form.GAUGE, Form.RATIO, Form.SIGNAL]
    # requests first: what is a mean over requests needs to know how many there were
    return Columns(time, tuple(sorted(columns, key=lambda one: (order.index(one.form), one.name != "request_rate"))))


def _column(name: str, header: str, vocabulary: Vocabulary) -> Column:
    header, unit = _unit(header)
    if name in _COUNTERS:
        form = Form.TOTAL if unit == TOTAL else Form.COUNTER
        return Column(header, name, form, 1.0 if form is Form.TOTAL else _scale(name, header, unit, _COUNTERS[name]))
    metric = vocabulary.by_name.get(name)
    if metric is None:
        near = difflib.get_close_matches(name, (TIME, *_COUNTERS, *vocabulary.by_name), n=1)
        known = f"did you mean '{near[0]}'?" if near else f"write {TIME}, a metric, or one of {', '.join(_COUNTERS)}"
        raise UsageError(f"--columns: unknown name '{name}': {known}")
    form = {Kind.COUNTED: Form.SIGNAL, Kind.RATIO: Form.RATIO}.get(metric.kind, Form.GAUGE)
    return Column(header, metric.name, form, _scale(name, header, unit, metric.dimension), metric)


def _unit(header: str) -> tuple[str, str | None]:
    """A header may hold colons itself: only a unit that we know is one."""
    before, colon, unit = header.rpartition(":")
    return (before.strip(), unit.strip()) if colon and unit.strip() in {*UNITS, TOTAL} else (header, None)


def _scale(name: str, header: str, unit: str | None, dimension: Dimension) -> float:
    fitting = [word for word, (kind, _) in UNITS.items() if kind is dimension]
    if unit is None and dimension in UNITS_OPTIONAL:
        return 1.0
    if unit not in fitting:
        examples = " or ".join(f"{name}={header}:{word}" for word in fitting) or f"{name}={header}"
        wrong = f"'{unit}' does not fit {name}" if unit else f"in which unit is '{header}'?"
        raise UsageError(f"--columns: {wrong} Write {examples}")
    return UNITS[unit][1]
