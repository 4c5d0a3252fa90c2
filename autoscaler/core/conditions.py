"""The sentences of a policy: `avg_response_time > 8s for 1h`. The grammar stands in the design, section 4."""

import difflib
import re
from dataclasses import dataclass, replace
from enum import StrEnum

from autoscaler.core.durations import MINUTE, parse_duration
from autoscaler.core.durations import PATTERN as DURATION
from autoscaler.core.metrics import BUILT_IN, UNITS, UNITS_OPTIONAL, Dimension, Kind, Metric, Vocabulary


class Op(StrEnum):
    """How a value is compared with its bound."""

    ABOVE = ">"
    AT_LEAST = ">="
    BELOW = "<"
    AT_MOST = "<="

    @property
    def is_upward(self) -> bool:
        """Whether the bound is crossed by rising."""
        return self in {Op.ABOVE, Op.AT_LEAST}

    def holds(self, value: float, bound: float) -> bool:
        """Whether `value op bound`; nothing holds for NaN."""
        match self:
            case Op.ABOVE:
                return value > bound
            case Op.AT_LEAST:
                return value >= bound
            case Op.BELOW:
                return value < bound
            case Op.AT_MOST:
                return value <= bound


@dataclass(frozen=True, slots=True)
class Condition:
    """One sentence, parsed. `bound` is in the metric's base unit, every duration in ms."""

    text: str
    metric: Metric
    op: Op
    bound: float
    held: int = 0
    """The window of `for`; 0 means: the latest reading, if fresh."""
    share: float = 1.0
    """The part of the judged samples that must be past the bound (`in 80% of samples`)."""
    within: int = 0
    """The window in which a counted signal is counted."""
    function: str | None = None
    """`mean`, `max`, `min` or a percentile such as `p95`, taken over `over`."""
    over: int = 0

    @property
    def window(self) -> int:
        """How far back this condition looks, ms."""
        return max(self.held, self.within, self.over)


def quarter(condition: Condition) -> Condition:
    """The same over a quarter of its window, five minutes at least; as it is where its window is shorter than that, or counts.

    So soon a rule speaks against a downgrade of ours (design, section 5, Verify).
    """
    over, held = (_quarter(window) for window in (condition.over, condition.held))
    if (over, held) == (condition.over, condition.held):
        return condition
    return replace(condition, text=f"{condition.text} (a quarter of it)", over=over, held=held)


def _quarter(window: int) -> int:
    return min(window, max(window // 4, 5 * MINUTE))


class UnsoundMetricError(ValueError):
    """A sentence rests on a metric that the policy gives wrongly: there it has been told, so here it need not be."""


STATES = ("unreachable", "stalled")
_SENTENCE = re.compile(
    rf"""
    (?: (?P<function>[a-z]+\d*) \( \s* (?P<inner>\w+) \s+ over \s+ (?P<over>{DURATION}) \s* \) | (?P<name>\w+) )
    (?: \s* (?P<op>>=|<=|==|=|!=|>|<) \s* (?P<number>-?\d[\d_]*(?:\.\d+)?) \s* (?P<unit>%|/s|/min|[A-Za-z]+?)? )?
    (?: \s+ (?P<how>for|within) \s+ (?P<length>\S+) (?: \s+ in \s+ (?P<share>\d+(?:\.\d+)?) \s* % \s+ of \s+ samples )? )?
    """,
    re.VERBOSE,
)
_VALUE = re.compile(r"(?P<number>-?\d[\d_]*(?:\.\d+)?) ?(?P<unit>%|/s|/min|[A-Za-z]+)?", re.ASCII)
_LARGEST = 1e15
"""No bound is meant that is larger, and no float counts exactly beyond."""
_FUNCTION = re.compile(r"mean|max|min|p[1-9]\d?")


def parse_condition(text: str, vocabulary: Vocabulary = BUILT_IN) -> Condition:
    """One sentence into a Condition. `vocabulary`: the metrics that it may speak of.

    Raises ValueError whose text says what is wrong and what to write instead.
    """
    sentence = " ".join(text.split())
    found = _SENTENCE.fullmatch(sentence)
    if found is None:
        raise ValueError(
            f"'{sentence}' is no condition: write metric, comparison, value, window, such as 'avg_response_time > 8s for 1h'"
        )
    part = found.groupdict()
    metric = _metric(part["name"] or part["inner"], vocabulary)
    if part["op"] is None:
        return _state(sentence, metric, part)
    condition = Condition(
        text=sentence,
        metric=metric,
        op=_op(part["op"]),
        bound=_bound(metric, part["number"], part["unit"]),
        held=parse_duration(part["length"]) if part["how"] == "for" else 0,
        within=parse_duration(part["length"]) if part["how"] == "within" else 0,
        share=_share(part["share"]),
        function=_function(part["function"]),
        over=parse_duration(part["over"]) if part["over"] else 0,
    )
    _check_form(condition)
    return condition


def parse_value(metric: Metric, text: str) -> float:
    """A value that somebody tells (`62`, `1.5 GB`), in the metric's base unit. Raises ValueError as `parse_condition`."""
    found = _VALUE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"'{text[:40]}' is no value of {metric.name}: write a number, such as 62")
    return _bound(metric, found["number"], found["unit"])


def _metric(name: str, vocabulary: Vocabulary) -> Metric:
    if name in vocabulary.unsound:
        raise UnsoundMetricError(f"'{name}' stands under 'metrics:', but not as it should")
    metric = vocabulary.by_name.get(name)
    if metric is None:
        near = difflib.get_close_matches(name, vocabulary.by_name, n=1)
        hint = f"did you mean '{near[0]}'?" if near else "say under 'metrics:' where your endpoint has it"
        raise ValueError(f"unknown metric '{name}': {hint}")
    return metric


def _state(sentence: str, metric: Metric, part: dict[str, str | None]) -> Condition:
    if metric.name not in STATES or part["how"] == "within" or part["function"]:
        raise ValueError(
            f"'{sentence}' compares with nothing: write '{metric.name} > …' (only {' and '.join(STATES)} stand alone)"
        )
    held = parse_duration(part["length"]) if part["length"] else 0
    return Condition(sentence, metric, Op.ABOVE, 0.0, held=held, share=_share(part["share"]))


def _op(word: str) -> Op:
    try:
        return Op(word)
    except ValueError:
        raise ValueError(f"'{word}' is no comparison here: use >, >=, < or <=") from None


def _bound(metric: Metric, number: str, unit: str | None) -> float:
    value = float(number.replace("_", ""))
    if value < 0:
        raise ValueError(f"{metric.name} is never negative: {number}")
    if value > _LARGEST:
        raise ValueError(f"the bound of {metric.name} is too large: {number[:20]}…")
    fitting = [name for name, (dimension, _) in UNITS.items() if dimension is metric.dimension]
    if unit is None:
        if metric.dimension in UNITS_OPTIONAL:
            return value
        raise ValueError(f"{metric.name} needs a unit: write {_examples(number, fitting)}")
    if unit == "m" and metric.dimension is Dimension.TIME:
        raise ValueError(f"'{number}m' is not clear for {metric.name}: write {number}s, {number}min or {number}ms")
    if unit not in fitting:
        takes = _examples(number, fitting) if fitting else f"{number}, a plain count"
        raise ValueError(f"'{number}{unit}' does not fit {metric.name}: write {takes}")
    return value * UNITS[unit][1]


def _examples(number: str, units: list[str]) -> str:
    return " or ".join(number + (f" {unit}" if unit in {"cores", "USD"} else unit) for unit in units)


def _share(text: str | None) -> float:
    if text is None:
        return 1.0
    share = float(text)
    if not 50 <= share <= 100:
        raise ValueError(f"'in {text}% of samples' must lie between 50% and 100%")
    return share / 100


def _function(word: str | None) -> str | None:
    if word is None or _FUNCTION.fullmatch(word):
        return word
    raise ValueError(f"unknown function '{word}': use mean, max, min or a percentile such as p95")


def _check_form(condition: Condition) -> None:
    """What the grammar's words allow, but not for this kind of metric."""
    metric = condition.metric
    if condition.op is Op.AT_LEAST and condition.bound == 0:
        raise ValueError(
            f"'{condition.text}' always holds, since {metric.name} is never negative: write '> 0', or a bound"
        )
    if metric.kind is Kind.COUNTED:
        if not condition.within:
            raise ValueError(
                f"{metric.name} is counted: write '{metric.name} {condition.op} {condition.bound:g} within 24h'"
            )
        if condition.bound != int(condition.bound) or condition.function or condition.share != 1:
            raise ValueError(f"{metric.name} is counted: a whole number, and neither a function nor a share of samples")
        if not condition.op.is_upward:
            raise ValueError(
                f"{metric.name} is counted: only > and >= make sense, since none may simply mean none was told"
            )
    elif condition.within:
        raise ValueError(f"{metric.name} is not counted: write 'for {condition.within // 1000}s', or count a signal")
    if metric.kind is Kind.BUSINESS and (condition.held or condition.function):
        raise ValueError(f"{metric.name} holds until it is replaced: write it without a window or a function")
    if condition.function and metric.kind is Kind.RATIO and condition.function != "mean":
        raise ValueError(
            f"{metric.name} is a ratio: only mean(…) can be taken of it; for a percentile use p95_response_time"
        )
