"""Ratios: pooled over a trailing rate window and judged sample by sample upwards, pooled over the whole window downwards."""

from collections.abc import Iterator
from math import inf
from typing import NamedTuple

from autoscaler.core.conditions import Condition
from autoscaler.core.durations import MINUTE, NEVER
from autoscaler.core.limits import Evidence
from autoscaler.core.metrics import Metric
from autoscaler.core.observations import Missed, Reading
from autoscaler.core.pools import MILLIONTHS, Ledger, Ratio, exact
from autoscaler.core.watch import Bit, Feed, SampleWatch, Standing, cut
from autoscaler.core.window import Beat, Coverage, Marks


def rate_window(condition: Condition, evidence: Evidence, every: int) -> int:
    """Over which requests are pooled: a twelfth of `for`, at least 5 min and five polls, or what the policy says; all of a `mean`."""
    return condition.over or evidence.rate_window or max(condition.window // 12, 5 * MINUTE, 5 * every)


class Pooled:
    """The samples of one ratio, pooled over its rate window. An endpoint that gives only its own averages has them taken as they are."""

    __slots__ = ("_over", "_ratio", "_scale", "_skips_stalled", "_under", "feed")

    def __init__(self, metric: Metric, ratio: Ratio, feed: Feed, *, upward: bool) -> None:
        """`feed`: where the samples go."""
        self.feed = feed
        feed.timed_out = self.timed_out
        self._over, self._under, self._scale = metric.over or "", metric.under or "", metric.scale
        self._ratio = ratio
        self._skips_stalled = not upward  # requests hang: their times are not known yet, and that is no calm

    def reading(self, at: int, reading: Reading) -> None:
        """A good report outside every mask, of which the ledger knows already."""
        ratio = self._ratio
        ledger = ratio.ledger
        if not ledger.is_complete or reading.stalled:
            self._doubtful(at, reading)
            return
        if not self.feed.is_ratio:
            self._known_from_requests(at)
        if ratio.own is None:
            before, totals = ratio.tail.before, ledger.totals
            under = totals[ratio.under] - before[ratio.under]
            if under > 0:
                self.feed.sample(at, (totals[ratio.over] - before[ratio.over]) / under * self._scale)
                return
        self._sample(at)

    def _doubtful(self, at: int, reading: Reading) -> None:
        over, under = reading.increases.get(self._over), reading.increases.get(self._under)
        skips = reading.stalled and self._skips_stalled
        if over is not None and under is not None and not skips:
            self._known_from_requests(at)
            self._sample(at)
            return
        for ratio in self._ratios():
            ratio.leave_out(at, over, under)
        self.feed.told(at, None if skips else reading.gauges.get(self.feed.name))

    def _known_from_requests(self, at: int) -> None:
        """From now on there may be too few of them."""
        self.feed.is_ratio = True
        self.feed.settle(at)

    def _sample(self, at: int) -> None:
        over, under = self._ratio.sums(at)
        feed = self.feed
        if under > 0:
            feed.sample(at, over / under * self._scale)
            return
        for watch in feed.watches:
            if watch.thin is not None:
                watch.thin.mark_empty(at)
        feed.told(at, feed.value)  # an empty rate window repeats the last judgement

    def timed_out(self, at: int, least: float) -> None:
        """One more request, as far as the ratio is known from requests."""
        if not self.feed.is_ratio:
            self.feed.sample(at, least)
            return
        for ratio in self._ratios():
            ratio.amend(at, exact(least), MILLIONTHS)
        self._sample(at)

    def _ratios(self) -> Iterator[Ratio]:
        yield self._ratio
        yield from (watch.thin.requests for watch in self.feed.watches if watch.thin is not None)


class Peak(NamedTuple):
    """What a ratio must not have been over, if at least so many requests say it."""

    ceiling: float | None
    least: int


class CalmWatch:
    """A ratio downwards: pooled over the whole window, and never once over what would send the lower tier up."""

    __slots__ = (
        "_average",
        "_averages",
        "_beat",
        "_bit",
        "_ceiling",
        "_condition",
        "_coverage",
        "_cut",
        "_due",
        "_is_clear",
        "_least",
        "_ledger",
        "_over",
        "_peaks",
        "_rises",
        "_scale",
        "_trailing",
        "_under",
        "_whole",
    )

    def __init__(self, condition: Condition, ledger: Ledger, every: int, bit: Bit, *, rate: int, peak: Peak) -> None:
        """`rate`: the rate window, ms."""
        metric = condition.metric
        self._over, self._under = metric.over or "", metric.under or ""
        self._condition = condition
        self._scale = metric.scale
        self._rises, self._cut = condition.op.is_upward, cut(condition)
        self._bit = bit
        self._ceiling = inf if peak.ceiling is None else peak.ceiling
        self._least = max(1, peak.least) * MILLIONTHS
        self._ledger = ledger
        self._beat = Beat(every)
        self._coverage = Coverage(condition.held, self._beat, upward=False)
        self._whole = Ratio(ledger, self._over, self._under, condition.held)
        self._trailing = Ratio(ledger, self._over, self._under, rate)
        self._peaks = Marks(condition.held, 0)
        self._averages = Feed(metric.name, every, None)
        self._average = SampleWatch(condition, self._averages, bit, upward=False)
        self._is_clear = False
        """Whether it is the pooled value alone that decides, as long as all samples are usual."""
        self._due = -NEVER

    def reading(self, at: int, reading: Reading) -> None:
        """A good report outside every mask, of which the ledger knows already; a stalled one is a gap, an idle one is calm."""
        beat, ledger = self._beat, self._ledger
        if not ledger.is_complete or reading.stalled:
            self._doubtful(at, reading)
            return
        if at >= self._due or at - beat.last > beat.on_time or self._trailing.own or self._whole.own:
            self._seen(at)
            return
        beat.last = at
        totals, over, under = ledger.totals, self._trailing.over, self._trailing.under
        before = self._trailing.tail.before
        count = totals[under] - before[under]
        if count >= self._least and (totals[over] - before[over]) / count * self._scale > self._ceiling:
            self._seen(at)
        elif self._is_clear:
            before = self._whole.tail.before
            count = totals[under] - before[under]
            if count:
                value = (totals[over] - before[over]) / count * self._scale
                calm = value >= self._cut if self._rises else value < self._cut
            else:
                calm = True  # nobody came: idle is calm
            if calm != self._bit.holds:
                self.settle(at)

    def _doubtful(self, at: int, reading: Reading) -> None:
        over, under = reading.increases.get(self._over), reading.increases.get(self._under)
        if over is not None and under is not None and not reading.stalled:
            self._seen(at)
            return
        for ratio in (self._whole, self._trailing):
            ratio.leave_out(at, over, under)
        if not reading.stalled:
            self._averages.told(at, reading.gauges.get(self._averages.name))
        self.settle(at)

    def _seen(self, at: int) -> None:
        """A report that is not quite usual."""
        self._beat.seen(at)
        if self._is_peak(at):
            self._peaks.mark(at)
        self.settle(at)

    def missed(self, at: int, missed: Missed) -> None:
        """A poll without a report is a gap."""
        self.settle(at)

    def settle(self, now: int) -> None:
        """Look whether it holds, and when that can be another if all samples to come are usual."""
        coverage = self._coverage
        if coverage.begun is None:
            self._averages.settle(now)
            return
        watched = coverage.begun + self._condition.held
        peaks = self._peaks.count(now)
        self._is_clear = self._beat.last >= watched and not peaks and coverage.lacking(now) is None
        if (self._is_clear and self._is_calm(now)) != self._bit.holds:
            self._bit.flip()
        self._due = NEVER if self._is_clear else max(watched, coverage.turns_at(), self._peaks.falls_to(0))

    def standing(self, now: int, wall: int) -> Standing:
        """Calm all along, or what is still lacking."""
        held, coverage = self._condition.held, self._coverage
        if coverage.begun is None:
            return self._average.standing(now, wall)  # an endpoint that gives only its own averages
        calm = self._is_calm(now)
        lacking = coverage.lacking(now)
        if lacking is None and self._peaks.count(now):
            lacking = "a peak in its window would send the smaller tier up"
        watched = min(1.0, (self._beat.last - coverage.begun) / held)
        holds = lacking is None and calm and watched >= 1
        return Standing(
            holds,
            self._value(now),
            watched if calm and lacking is None else 0.0,
            coverage.share(now),
            lacking,
            None if holds else max(now, coverage.begun + held),
        )

    def _value(self, now: int) -> float | None:
        over, under = self._whole.sums(now)
        return over / under * self._scale if under else None

    def _is_calm(self, now: int) -> bool:
        value = self._value(now)
        return value is None or self._condition.op.holds(value, self._condition.bound)  # nobody came: idle is calm

    def _is_peak(self, now: int) -> bool:
        over, under = self._trailing.sums(now)
        return under >= self._least and over / under * self._scale > self._ceiling
