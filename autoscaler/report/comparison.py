"""What is told of a change while it is watched, and at the end of the watch: before and after, as pairs that fit a phone."""

from collections.abc import Iterator, Sequence

from autoscaler.core.attribution import Unhelped
from autoscaler.core.change import Change
from autoscaler.core.comparison import Used, Word, of_errors, of_share, of_time, of_timeouts
from autoscaler.core.durations import HOUR, MINUTE, format_duration
from autoscaler.core.metrics import METRICS
from autoscaler.core.values import format_value
from autoscaler.report.messages import Message, Tone
from autoscaler.report.units import format_plan, monthly_step

Row = tuple[str, str]


def change_report(change: Change) -> Message:
    """The last message of a change's thread: the time before it beside the time since."""
    return Message(
        title=f"Before and after: {change.service} on {_plan(change)}",
        tone=Tone.NOTICE,
        fields=(*change.report, ("Cost", monthly_step(change.origin.monthly, change.target.monthly))),
        context=f"change {change.id}",
    )


def crash_loop(change: Change, told: str) -> Message:
    """After the soak nothing is walked back for it any more: a person has to look."""
    return Message(
        title=told,
        tone=Tone.BAD,
        lines=(
            f"It has run on {_plan(change)} since this change, and I leave it there.",
            "Look at its logs on Render: the plan is hardly the cause.",
        ),
        context=f"change {change.id}",
    )


def rows(before: Used, after: Used, unhelped: Sequence[Unhelped] = ()) -> tuple[Row, ...]:
    """Such as `9.4s → 2.1s, better`; only what both spans told. `unhelped`: what asked for the change, where a day later it was found not to have helped."""
    return tuple(_rows(before, after, unhelped))


def _rows(before: Used, after: Used, unhelped: Sequence[Unhelped]) -> Iterator[Row]:
    lengths = (format_duration(_rounded(one.until - one.since)) for one in (before, after))
    yield "Compared", "{} before the change with {} since".format(*lengths)
    if unhelped:
        yield "Did not help", "; ".join(map(str, unhelped))
    words = _words(before, after, {one.metric.name for one in unhelped})
    for (label, old), (_, new) in zip(_told(before), _told(after), strict=True):
        if old and new:
            word = words.get(label)
            yield label, f"{old} → {new}" + (f", {word}" if word else "")


def _told(used: Used) -> tuple[Row, ...]:
    """Label and value; empty where nothing told it."""
    return (
        ("Requests a minute", "" if used.requests_per_minute is None else _plain(used.requests_per_minute)),
        ("Mean response time", _value("avg_response_time", used.response_time)),
        ("Error rate", _value("error_rate", used.error_rate)),
        ("Memory at most", _memory(used.memory_peak, used.memory_peak_share)),
        ("Memory on average", _memory(used.memory_mean, used.memory_mean_share)),
        ("CPU on average", _value("cpu_percent", used.cpu)),
        ("Polls timed out", str(used.timeouts)),
    )


def _words(before: Used, after: Used, hopeless: set[str]) -> dict[str, Word | None]:
    """`hopeless`: metrics of which it is said that they did not get better."""
    return {
        "Mean response time": None if "avg_response_time" in hopeless else of_time(before, after),
        "Error rate": None if "error_rate" in hopeless else of_errors(before, after),
        "Memory at most": of_share(before.memory_peak_share, after.memory_peak_share),
        "Memory on average": of_share(before.memory_mean_share, after.memory_mean_share),
        "CPU on average": of_share(before.cpu, after.cpu),
        "Polls timed out": of_timeouts(before, after),
    }


def _value(metric: str, value: float | None) -> str:
    return "" if value is None else format_value(METRICS[metric], value)


def _plan(change: Change) -> str:
    return f"{format_plan(change.target.plan, change.target.instances)} ({change.target.tier})"


def _plain(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def _memory(value: float | None, share: float | None) -> str:
    told = _value("memory_usage", value)
    return f"{told} ({share:.0f}%)" if told and share is not None else told


def _rounded(length: int) -> int:
    """To what people count in: minutes, and hours once there are many."""
    unit = HOUR if length > 10 * HOUR else MINUTE
    return max(MINUTE, round(length / unit) * unit)
