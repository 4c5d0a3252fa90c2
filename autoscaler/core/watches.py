"""All conditions whose windows run on one clock, with what they have in common: feeds, and the ledger of counters."""

from autoscaler.core.conditions import Condition
from autoscaler.core.limits import Evidence
from autoscaler.core.metrics import Dimension, Kind
from autoscaler.core.observations import Missed, Reading
from autoscaler.core.pools import Ledger, Ratio
from autoscaler.core.ratio import CalmWatch, Peak, Pooled
from autoscaler.core.watch import Bit, Feed, SampleWatch, Thin, Watch


class Watches:
    """Told of every reading and miss outside the masks; conditions are added before the first."""

    __slots__ = ("_calm", "_every", "_evidence", "_gauges", "_ledger", "_pooled", "_shared")

    def __init__(self, evidence: Evidence, every: int) -> None:
        self._evidence = evidence
        self._every = every
        self._ledger = Ledger()
        self._shared: dict[tuple[object, ...], Feed] = {}
        self._gauges: list[Feed] = []
        self._pooled: list[Pooled] = []
        self._calm: list[CalmWatch] = []

    def add(self, condition: Condition, bit: Bit, rate: int, *, upward: bool, ceiling: float | None) -> Watch:
        """The right watch for a gauge or a ratio.

        `rate`: the rate window, ms. `ceiling`: what the lower tier's own up rule bears of this metric, downwards.
        """
        is_ratio = condition.metric.kind is Kind.RATIO
        least = self._evidence.min_requests
        if is_ratio and not upward and condition.held and condition.share == 1 and not condition.function:
            calm = CalmWatch(condition, self._ledger, self._every, bit, rate=rate, peak=Peak(ceiling, least))
            self._calm.append(calm)
            return calm
        feed = self._feed(condition, rate, upward=upward)
        thin = None
        if is_ratio and upward and condition.metric.under == "requests":
            metric, window = condition.metric, condition.window or rate
            requests = Ratio(self._ledger, metric.over or "", metric.under or "", window)
            thin = Thin(condition, requests, least, self._every)
        return SampleWatch(condition, feed, bit, upward=upward, thin=thin)

    def _feed(self, condition: Condition, rate: int, *, upward: bool) -> Feed:
        """The one for all conditions that take these samples alike. A function makes samples of its own."""
        metric = condition.metric
        is_time = metric.dimension is Dimension.TIME and metric.name.endswith("response_time")
        timeouts = condition if upward and is_time else None
        told_apart = (condition.op, condition.bound) if timeouts else None
        if metric.kind is Kind.RATIO:
            key = (metric.name, condition.function, rate, upward, told_apart)
        else:
            key = (metric.name, condition.text if condition.function else None, 0, False, told_apart)
        if key in self._shared:
            return self._shared[key]
        self._shared[key] = feed = Feed(metric.name, self._every, timeouts)
        if metric.kind is Kind.RATIO:
            ratio = Ratio(self._ledger, metric.over or "", metric.under or "", rate)
            self._pooled.append(Pooled(metric, ratio, feed, upward=upward))
        else:
            self._gauges.append(feed)
        return feed

    def reading(self, at: int, reading: Reading) -> None:
        """A good report; `at` is its unmasked time."""
        gauges = reading.gauges
        for feed in self._gauges:
            value = gauges.get(feed.name)
            if value is None:
                feed.settle(at)
            else:
                feed.sample(at, value)
        if self._pooled or self._calm:
            self._ledger.add(at, reading.increases)
            for pooled in self._pooled:
                pooled.reading(at, reading)
            for calm in self._calm:
                calm.reading(at, reading)

    def missed(self, at: int, missed: Missed) -> None:
        """A poll without one."""
        for feed in self._shared.values():
            feed.missed(at, missed)
        for calm in self._calm:
            calm.missed(at, missed)

    def settle(self, now: int) -> None:
        """Time has gone on, and nothing was seen."""
        for feed in self._shared.values():
            feed.settle(now)
        for calm in self._calm:
            calm.settle(now)
