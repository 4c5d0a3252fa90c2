"""Whether a bigger plan would help, and if not, what is slow (design, Evidence 5 and Deciding 10).

Only what the app tells of itself is judged: where it does not tell its CPU and memory, nobody can say that they are not the cause.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from autoscaler.core.conditions import Condition
from autoscaler.core.durations import DAY, HOUR, MINUTE, format_duration
from autoscaler.core.limits import Evidence
from autoscaler.core.metrics import CONCURRENCY_LIMIT, METRICS, POOL_SIZE, Metric
from autoscaler.core.observations import Missed, Reading
from autoscaler.core.readings import DEPENDENCY
from autoscaler.core.values import format_value

IDLE_CPU, IDLE_MEMORY = 60.0, 75.0
"""Per cent of the limit: below both, neither is what the app waits for."""
LOW_LAG = 0.2
"""Seconds: a process that is short of CPU, or blocked, keeps its event loop waiting for longer."""
BUSY_CPU, BUSY_MEMORY = 90.0, 85.0
"""Per cent of the limit: a silence after either may be want of resources."""
BEFORE_SILENCE = 10 * MINUTE
LEAST_IMPROVEMENT = 0.2
HELP_REMEMBERED = 7
"""So many times `help_after` it is remembered that an up did not help."""
LOAD = frozenset(
    {
        "avg_response_time",
        "p50_response_time",
        "p95_response_time",
        "p99_response_time",
        "concurrent_requests",
        "error_rate",
        "stalled",
        "poll_timeouts",
    }
)
"""What rises when an app is too slow for its load, whatever makes it slow."""
MEMORY = frozenset({"memory_usage", "memory_percent"})

_SHARE_TOLD, _MOST_OF_IT = 30.0, 50.0
_POOL_FULL = 90.0
_CACHE_FELL = 0.7
_CACHE_LEAST = 20
_LEAK_HOURS, _LEAK_RISE, _FLAT = 5, 1.15, 1.25


@dataclass(slots=True)
class _Hour:
    """Sums over one hour of the clock."""

    start: int
    memory: float = 0.0
    samples: int = 0
    requests: float = 0.0
    hits: float = 0.0
    lookups: float = 0.0

    @property
    def mean(self) -> float:
        """Bytes."""
        return self.memory / self.samples if self.samples else 0.0


@dataclass(frozen=True, slots=True)
class Trigger:
    """A condition that asked for an up, and its value then."""

    metric: Metric
    rises: bool
    """Whether the condition is met by rising."""
    value: float
    window: int


@dataclass(slots=True)
class _Trial:
    """An up that is still to show that it helped."""

    trigger: Trigger
    since: int
    until: int
    over: float = 0.0
    under: float = 0.0


@dataclass(frozen=True, slots=True)
class Unhelped:
    """An up that did not help. Values in the metric's base unit."""

    metric: Metric
    before: float
    after: float
    judged_at: int

    def __str__(self) -> str:
        before, after = (format_value(self.metric, value) for value in (self.before, self.after))
        return f"{self.metric.name} was {before} before the last upgrade and {after} after it"


class Usage:
    """What the app used, and waited for, of late. Fed with every unmasked reading; costs next to nothing until it is asked."""

    __slots__ = (
        "_evidence",
        "_growing_since",
        "_hours",
        "_kept",
        "_process",
        "_readings",
        "_recent",
        "_trials",
        "_unhelped",
        "killed_at",
        "silent_since",
    )

    def __init__(self, evidence: Evidence, every: int) -> None:
        self._evidence = evidence
        self._recent = evidence.rate_window or max(5 * MINUTE, 5 * every)
        self._kept = max(self._recent, BEFORE_SILENCE)
        self._readings: deque[Reading] = deque()
        self._hours: deque[_Hour] = deque(maxlen=DAY // HOUR)
        self._process: tuple[str | None, int | None] = (None, None)
        self._growing_since = 0
        """Since when one process has run on one tier, as far as was seen: a leak begins anew with each."""
        self._trials: list[_Trial] = []
        self._unhelped: dict[str, Unhelped] = {}
        self.killed_at: int | None = None
        """When an instance was last ended for want of memory, ms."""
        self.silent_since: int | None = None
        """The first of the polls in a row to which nobody answered, ms."""

    def reading(self, reading: Reading) -> None:
        """One good report outside every mask."""
        readings = self._readings
        readings.append(reading)
        while readings[0].at < reading.at - self._kept:
            readings.popleft()
        self._hour(reading)
        if self._trials:
            self._try(reading)

    def answered(self, reading: Reading) -> None:
        """Any good report: the app is there."""
        self.silent_since = None
        if reading.process != self._process:
            self._process, self._growing_since = reading.process, reading.at

    def missed(self, missed: Missed) -> None:
        """A poll without a report."""
        if not missed.reason.is_unreachable:
            self.silent_since = None
        elif self.silent_since is None:
            self.silent_since = missed.at

    def moved(self, at: int, triggers: Iterable[Trigger]) -> None:
        """Another tier runs: what was seen on the old one says nothing of it. `triggers`: of an up, what asked for it."""
        self._growing_since = at
        self._readings.clear()
        until = at + self._evidence.help_after
        self._trials = [_Trial(one, max(at, until - (one.window or self._recent)), until) for one in triggers]

    def strained(self) -> bool:
        """Whether CPU, memory, or a kill in the ten minutes before the silence make want of resources a likely cause of it."""
        if self.silent_since is None:
            return False
        begun = self.silent_since - BEFORE_SILENCE
        if self.killed_at is not None and self.killed_at >= begun:
            return True
        gauges = [one.gauges for one in self._readings if one.at >= begun]
        return any(one.get("cpu_percent", 0) > BUSY_CPU or one.get("memory_percent", 0) > BUSY_MEMORY for one in gauges)

    def not_bound(self, metrics: Iterable[str], now: int, raised: Mapping[str, float]) -> str:
        """Why a bigger tier would not help against these metrics, and what is slow; empty when it may help.

        `raised`: the app's own limits that the bigger tier raises, as they are now, by env name. Where one of them is what the app
        waits for, the tier helps, if not its plan; but not while most of the time goes to somebody outside.
        """
        if not set(metrics) <= LOAD:
            return ""
        recent = [one for one in self._readings if one.at > now - self._recent]
        cpu, memory, lag = (_mean(recent, name) for name in ("cpu_percent", "memory_percent", "loop_lag"))
        if cpu is None or memory is None or cpu >= IDLE_CPU or memory >= IDLE_MEMORY or (lag or 0.0) >= LOW_LAG:
            return ""
        if _is_at_a_limit(recent, raised):
            return ""
        slow = ", ".join(self._slow(recent)) or "something else than the plan is slow"
        return f"{slow}; CPU {cpu:.0f}%, memory {memory:.0f}%"

    def leak(self, metrics: Iterable[str]) -> str:
        """That memory has risen hour after hour at flat traffic; empty when it has not, or nobody asks because of memory."""
        hours = [one for one in self._hours if one.start >= self._growing_since][-_LEAK_HOURS - 1 :]
        if not set(metrics) & MEMORY or len(hours) <= _LEAK_HOURS:
            return ""
        first, last = hours[0].mean, hours[-1].mean
        middle = len(hours) // 2
        before, after = (sum(one.requests for one in part) for part in (hours[:middle], hours[middle:]))
        whole = hours[-1].start - hours[0].start == _LEAK_HOURS * HOUR
        rose = whole and all(one.mean < later.mean for one, later in pairwise(hours))
        if not rose or last < first * _LEAK_RISE or after > before * _FLAT:
            return ""
        memory = METRICS["memory_usage"]
        return (
            f"memory rose from {format_value(memory, first)} to {format_value(memory, last)} in "
            f"{format_duration(hours[-1].start - hours[0].start)} while traffic did not: a restart frees it as well"
        )

    def unhelped(self, metrics: Iterable[str], now: int) -> str:
        """That the last up for each of these metrics did not help; empty when one of them did, or nobody knows."""
        remembered = now - HELP_REMEMBERED * self._evidence.help_after
        found = [self._unhelped.get(name) for name in sorted(metrics)]
        known = [one for one in found if one is not None and one.judged_at > remembered]
        return ", ".join(map(str, known)) if len(known) == len(found) else ""

    def found_unhelped(self, since: int) -> tuple[Unhelped, ...]:
        """What was found not to have helped since then, ms."""
        return tuple(one for one in self._unhelped.values() if one.judged_at > since)

    def _hour(self, reading: Reading) -> None:
        start = reading.at - reading.at % HOUR
        if not self._hours or self._hours[-1].start != start:
            self._hours.append(_Hour(start))
        hour, increases = self._hours[-1], reading.increases
        memory = reading.gauges.get("memory_usage")
        if memory is not None:
            hour.memory += memory
            hour.samples += 1
        hour.requests += increases.get("requests", 0.0)
        if "cache_lookups" in increases:
            hour.hits += increases.get("cache_hits", 0.0)
            hour.lookups += increases["cache_lookups"]

    def _try(self, reading: Reading) -> None:
        for trial in self._trials:
            if reading.at < trial.until:
                over, under = _parts(trial.trigger.metric, reading)
                if reading.at >= trial.since:
                    trial.over += over
                    trial.under += under
                continue
            self._judge(trial)
        self._trials = [trial for trial in self._trials if reading.at < trial.until]

    def _judge(self, trial: _Trial) -> None:
        """Against the same hour of the day before; where nothing was seen then, nobody can say that it did not help."""
        trigger = trial.trigger
        name, before = trigger.metric.name, trigger.value
        self._unhelped.pop(name, None)
        if not trial.under or not before:
            return
        after = trial.over / trial.under * trigger.metric.scale
        improvement = (before - after) / before if trigger.rises else (after - before) / before
        if improvement < LEAST_IMPROVEMENT:
            self._unhelped[name] = Unhelped(trigger.metric, before, after, trial.until)

    def _slow(self, recent: list[Reading]) -> Iterator[str]:
        for name, share in sorted(_shares(recent).items(), key=lambda item: -item[1]):
            if share >= _SHARE_TOLD:
                yield f"{share:.0f}% of the response time goes to {name}"
        pool = _mean(recent, "db_pool_usage")
        if pool is not None and pool >= _POOL_FULL:
            yield f"the database pool is full ({pool:.0f}% in use)"
        hits, lookups = (
            sum(one.increases.get(name, 0.0) for one in recent) for name in ("cache_hits", "cache_lookups")
        )
        earlier_hits = sum(one.hits for one in self._hours) - hits
        earlier = sum(one.lookups for one in self._hours) - lookups
        if lookups >= _CACHE_LEAST and earlier >= _CACHE_LEAST:
            now, before = hits / lookups, earlier_hits / earlier
            if now < before * _CACHE_FELL:
                yield f"the cache answers {now:.0%} of its look-ups, {before:.0%} before"


def trigger(condition: Condition, value: float | None) -> Trigger | None:
    """What a condition that asks for an up is judged by a day later; None for what is counted or has no value."""
    if value is None or condition.within:
        return None
    return Trigger(condition.metric, condition.op.is_upward, value, condition.window)


def _parts(metric: Metric, reading: Reading) -> tuple[float, float]:
    """What the metric's mean is made of: a ratio's two increases, a gauge's value; (0, 0) where the report has neither."""
    over, under = reading.increases.get(metric.over or ""), reading.increases.get(metric.under or "")
    if over is not None and under is not None:
        return over, under
    value = reading.gauges.get(metric.name)
    return (0.0, 0.0) if value is None else (value / metric.scale, 1.0)


def _shares(readings: Iterable[Reading]) -> dict[str, float]:
    """Which per cent of the response time went to each dependency."""
    names = {name for one in readings for name in one.gauges if name.startswith(DEPENDENCY)}
    return {name.removeprefix(DEPENDENCY): _mean(readings, name) or 0.0 for name in names}


def _is_at_a_limit(readings: Iterable[Reading], raised: Mapping[str, float]) -> bool:
    """Whether requests wait for what the bigger tier has more of: places at once, or database connections."""
    if max(_shares(readings).values(), default=0.0) >= _MOST_OF_IT:
        return False
    pool = _mean(readings, "db_pool_usage")
    if POOL_SIZE in raised and pool is not None and pool >= _POOL_FULL:
        return True
    most = max((one.gauges.get("concurrent_requests", 0.0) for one in readings), default=0.0)
    return CONCURRENCY_LIMIT in raised and most >= raised[CONCURRENCY_LIMIT]


def _mean(readings: Iterable[Reading], name: str) -> float | None:
    values = [one.gauges[name] for one in readings if name in one.gauges]
    return sum(values) / len(values) if values else None
