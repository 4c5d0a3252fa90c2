"""What several instances show together, and whether all of them were heard: never one of them taken for all.

Ratios need nothing: the increases of each, counted from its own last reading, add up. Of gauges the worst of the latest fresh ones is
judged, so that one hot instance is enough for an up, and a down needs all of them calm.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from autoscaler.core.attribution import MEMORY
from autoscaler.core.conditions import Condition
from autoscaler.core.durations import format_duration
from autoscaler.core.instances import KEPT, Instances
from autoscaler.core.masks import Clock
from autoscaler.core.metrics import METRICS, Kind
from autoscaler.core.observations import Reading
from autoscaler.core.policy import Policy, Tier
from autoscaler.core.window import Beat, Coverage

ENOUGH = 0.9
"""All must have been heard for this share of what a way down looks back: as much as its windows must be covered (design, Evidence 3)."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Which instances of the tier were heard. Times in ms."""

    runs: int
    """How many the tier has."""
    fresh: int
    """How many of them were heard within `within`."""
    within: int
    lately: int
    """How many were heard in the last hour, as far as nothing says that they are gone."""
    named: bool
    """Whether reports say whose they are."""
    gap: str
    """Why all of them were not seen for long enough, in words; empty when they were."""

    def lacking(self, *, autoscaled: bool, at_once: bool) -> str:
        """Why what was heard is not all that runs, in words; empty when it is.

        `autoscaled`: Render's own autoscaling says how many run, and tells nobody. `at_once`: it is the present that counts.
        """
        within = f"within {format_duration(self.within)}"
        if autoscaled:
            is_alone = self.lately > 1 and self.fresh < 2
            return f"of {self.lately} instances of the last hour {_only(self.fresh)} heard {within}" if is_alone else ""
        if self.runs == 1:
            return ""
        if not self.named:
            return f"its report does not say which of its {self.runs} instances answers"
        if self.fresh < self.runs:
            return f"of its {self.runs} instances {_only(self.fresh)} heard {within}"
        return "" if at_once else self.gap


def _only(count: int) -> str:
    return "none was" if count == 0 else f"only {count} {'was' if count == 1 else 'were'}"


class Together:
    """Puts readings together as long as several instances answer; mutable, a part of what is folded."""

    __slots__ = (
        "_beat",
        "_business",
        "_clock",
        "_every",
        "_low",
        "_memory_clock",
        "_policy",
        "_whole",
        "instances",
        "on_paper",
    )

    def __init__(self, policy: Policy, every: int, clock: Clock, memory_clock: Clock) -> None:
        self._policy, self._every = policy, every
        self._clock, self._memory_clock = clock, memory_clock
        self.instances = Instances(every)
        self.on_paper = False
        """Whether a rehearsal's changes brought the tier about: what was recorded can't know of its instances."""
        self._low = frozenset(_low(policy))
        self._business = frozenset(name for name, one in policy.vocabulary.by_name.items() if one.kind is Kind.BUSINESS)
        """These are of the business and not of an instance: the last word counts."""
        self._beat = Beat(every)
        self._whole: Coverage | None = None
        """When all instances were heard, over what the way down from this tier looks back; None where there is only one, or no way down."""

    def moved(self, at: int, count: int, *, anew: bool) -> None:
        """So many instances should run; `anew`: since `at` on another tier."""
        is_told_apart = self._policy.service.health is not None  # Render's own metrics are of all instances together
        self.instances.moved(at, count if is_told_apart else 1, anew=anew)

    def watch(self, tier: Tier | None, patience: int) -> None:
        """From now on all instances of that tier have to be heard; its way down must hold for so many times its windows."""
        rules = self._policy.down_rules(tier) if tier else None
        looks_back = max((condition.window for condition in rules.conditions), default=0) if rules else 0
        self._beat, self._whole = Beat(self._every), None
        if looks_back and self.instances.count > 1:
            self._whole = Coverage(looks_back * patience, self._beat, upward=False)

    def take(self, before: Reading | None, reading: Reading) -> bool:
        """One more reading, and the one before it. Whether its process was heard before; a new one masks load until it is warm.

        One that does not say when it began is taken to begin when it is first heard after another.
        """
        if self.instances.take(before, reading, settled=not self._clock.is_masked(reading.at)):
            return True
        if reading.started_at is not None or (before is not None and reading.instance is not None):
            started = reading.at if reading.started_at is None else min(reading.started_at, reading.at)
            warm_at = started + self._policy.evidence.warm_up
            self._clock.mask(reading.at, warm_at)
            if reading.at < warm_at:
                self.instances.renewed(reading.at)
        return False

    def put(self, reading: Reading, since: int | None) -> tuple[Reading, Reading | None]:
        """What the instance of this reading and the others show, each by its last word; and what all of them use, where that is more.

        `since`: when the last reading came, of any.
        """
        instances, at = self.instances, reading.at
        if not instances.are_several:
            return reading, None
        fresh = instances.heard(at) or [reading]
        if instances.count == 1 and len(instances.heard(at, KEPT)) == 1:  # the others are gone
            instances.are_several = False
        if self._whole is not None and instances.are_told_apart and len(fresh) >= instances.count:
            self._beat.seen(self._memory_clock.unmasked(at))  # who was heard was heard, whatever it showed
        heard = [one for one in fresh if one.at >= self._clock.runs_from] or [reading]
        together = replace(
            reading,
            gauges=self._worst(reading, fresh),
            increases={
                name: risen / len(heard) if name == "seconds" else risen for name, risen in reading.increases.items()
            },
            idle=all(one.idle for one in heard),
            stalled=any(one.stalled for one in heard),
        )
        return together, self._used(together, heard, since)

    def _used(self, together: Reading, heard: list[Reading], since: int | None) -> Reading:
        """What all that run use at once: those that were not heard, as much as the others."""
        of_each = max(self.instances.count, len(heard)) / len(heard)
        told = [one.gauges["concurrent_requests"] for one in heard if "concurrent_requests" in one.gauges]
        requests = {"concurrent_requests": sum(told) * of_each} if told else {}
        length = 0 if since is None else together.at - since
        if not 0 < length <= self.instances.longest:
            return replace(together, gauges={**together.gauges, **requests}, increases={})
        seconds, risen = length / 1000, [one.increases for one in heard if "cpu_seconds" in one.increases]
        cores = sum(one["cpu_seconds"] / one["seconds"] for one in risen) / max(1, len(risen)) * len(heard) * of_each
        cpu = {"cpu_seconds": cores * seconds} if risen else {}
        return replace(together, gauges={**together.gauges, **requests}, increases={"seconds": seconds, **cpu})

    def _worst(self, reading: Reading, fresh: list[Reading]) -> dict[str, float]:
        """Of each gauge, as far as it was told outside the masks."""
        gauges = dict(reading.gauges)
        for one in fresh:
            for name, value in one.gauges.items():
                clock = self._memory_clock if name in MEMORY else self._clock
                if one.at < clock.runs_from or name in self._business:
                    continue
                known = gauges.get(name)
                if known is None or (value < known if name in self._low else value > known):
                    gauges[name] = value
        return gauges

    def heard(self, now: int) -> Heard | None:
        """Which instances were heard; None where there is but one, or nobody could be heard."""
        instances = self.instances
        if self.on_paper or not instances.are_several:
            return None
        return Heard(
            runs=instances.count,
            fresh=len(instances.heard(now)),
            within=instances.fresh,
            lately=len(instances.heard(now, KEPT)),
            named=instances.are_told_apart,
            gap=self._gap(now),
        )

    def _gap(self, now: int) -> str:
        whole, unmasked = self._whole, self._memory_clock.unmasked(now)
        if whole is None:
            return ""
        share, lacking = whole.share(unmasked), whole.lacking(unmasked)
        if share >= ENOUGH and lacking is None:
            return ""
        back = format_duration(whole.window)
        return f"all of its {self.instances.count} instances were heard in {share:.0%} of the last {back}" + (
            f" ({lacking})" if lacking else ""
        )


def _low(policy: Policy) -> Iterator[str]:
    """The metrics of which less is worse: by the table, and of the policy's own by what its rules compare them with."""
    yield from (metric.name for metric in METRICS.values() if metric.less_is_worse)
    ways_up = [policy.emergency, *(policy.up_rules(tier) for tier in policy.tiers)]
    ups: list[Condition] = [one for rules in ways_up if rules for one in rules.conditions]
    ups += [alert.when for alert in policy.alerts]
    ways_down = [policy.down_rules(tier) for tier in policy.tiers]
    downs = [one for rules in ways_down if rules for one in rules.conditions]
    for up, conditions in ((True, ups), (False, downs)):
        yield from (one.metric.name for one in conditions if one.metric.name not in METRICS and one.op.is_upward != up)
