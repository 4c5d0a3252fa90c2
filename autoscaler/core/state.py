"""fold: what is remembered of a service's observations.

Windows run on *unmasked* time: while a mask lasts (an instance starts, a deploy switches over) the clock stands still, so that
masked time is neither gap nor evidence (design, Evidence 6). Counted signals and business values go by the wall clock.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from autoscaler.core.conditions import Condition
from autoscaler.core.durations import HOUR
from autoscaler.core.fit import Peaks
from autoscaler.core.metrics import Kind
from autoscaler.core.observations import Masked, Missed, Observation, Reading, Signal, TierChanged
from autoscaler.core.policy import Policy, Tier
from autoscaler.core.watch import Standing, Watch, watch_for

DEPLOY_LOOP_MASKS = 3
"""So many masks within an hour are no deploys but a loop."""


@dataclass(frozen=True, slots=True)
class Key:
    """What makes two conditions share one watch: state is kept by condition, not by its place in the file."""

    text: str
    upward: bool
    ceiling: float | None = None


class State:
    """Everything that the fold remembers of one service. Built from the policy and the observations alone, so a replay equals it."""

    def __init__(self, policy: Policy, every: int) -> None:
        """`every`: how far apart the polls really are, ms (a cron job's are further apart than the policy's)."""
        self.policy = policy
        self.every = every
        self.tier: str | None = None
        self.tier_known = False
        self._instances = 1
        self.reading: Reading | None = None
        self.newest = 0
        self.peaks = Peaks(max(policy.evidence.fit_window, _longest_down(policy)))
        self._watches: dict[Key, Watch] = {}
        self._masked = 0
        self._mask: tuple[int, int] | None = None
        self._masks: deque[int] = deque(maxlen=DEPLOY_LOOP_MASKS)
        self._start_windows(keep=())

    def fold(self, observation: Observation) -> None:
        """Take in one observation. One that is dated before the newest is dropped: time does not go back.

        But for signals: what Render counted is heard of a little later, and still happened when it happened.
        """
        if observation.at < self.newest and not isinstance(observation, Signal):
            return
        self.newest = max(self.newest, observation.at)
        match observation:
            case Reading():
                self._reading(observation)
            case Missed() if not self.is_masked(observation.at):
                for watch in self._watches.values():
                    watch.missed(self.unmasked(observation.at), observation)
            case Masked():
                self._begin_mask(observation.at, observation.until)
            case TierChanged():
                self._tier_changed(observation)
            case Signal():
                for watch in self._watches.values():
                    watch.signal(observation)

    def unmasked(self, at: int) -> int:
        """The clock on which windows run: stands still while a mask lasts."""
        if self._mask is None:
            return at - self._masked
        begun, until = self._mask
        if at < until:
            return begun - self._masked
        return at - (until - begun) - self._masked

    def is_masked(self, at: int) -> bool:
        """Whether what the app shows at `at` says nothing about its plan."""
        return self._mask is not None and self._mask[0] <= at < self._mask[1]

    def is_deploy_loop(self, now: int) -> bool:
        """Three masks within an hour."""
        return len(self._masks) == DEPLOY_LOOP_MASKS and now - self._masks[0] <= HOUR

    def standing(self, key: Key, now: int) -> Standing:
        """Where a condition stands, its times back on the wall clock."""
        clock = self.unmasked(now)
        standing = self._watches[key].standing(clock, now)
        if standing.not_before is None:
            return standing
        masked = self._mask[1] - now if self._mask and self.is_masked(now) else 0
        later = standing.not_before - clock + now + masked
        return replace(standing, not_before=later)

    def _reading(self, reading: Reading) -> None:
        before, self.reading = self.reading, reading
        if before is None or before.process != reading.process:
            self._new_process(reading, first=before is None)
        if self.is_masked(reading.at):
            return
        clock = self.unmasked(reading.at)
        for watch in self._watches.values():
            watch.reading(clock, reading)
        self.peaks.add(reading, self._instances)

    def _new_process(self, reading: Reading, *, first: bool) -> None:
        """Masked until it is warm; one that does not say when it began is taken to begin when it takes over from another."""
        if reading.started_at is None and (first or reading.instance is None):
            return
        started = reading.at if reading.started_at is None else min(reading.started_at, reading.at)
        self._begin_mask(reading.at, started + self.policy.evidence.warm_up)

    def _begin_mask(self, begun: int, until: int) -> None:
        if until <= begun:
            return
        if self.is_masked(begun):
            assert self._mask is not None  # noqa: S101 - is_masked says so; mypy can't
            self._mask = (self._mask[0], max(self._mask[1], until))
            return
        if self._mask is not None:
            self._masked += self._mask[1] - self._mask[0]
        self._mask = (begun, until)
        self._masks.append(begun)

    def _tier_changed(self, change: TierChanged) -> None:
        self._instances = change.instances
        if self.tier_known and change.tier == self.tier:
            return
        first = not self.tier_known
        self.tier, self.tier_known = change.tier, True
        if not first:  # the first look tells on which rung all the evidence so far was seen
            kept = tuple(name for name in self._counted() if name not in change.spent)
            self._start_windows(keep=kept)

    def _counted(self) -> set[str]:
        return {condition.metric.name for condition in self.policy.conditions() if condition.within}

    def _start_windows(self, keep: tuple[str, ...]) -> None:
        """All windows anew, but for the counted signals named in `keep` and for business values."""
        old = self._watches
        self._watches = {}
        for key, condition in _all_keys(self.policy):
            kept = condition.metric.name in keep or condition.metric.kind is Kind.BUSINESS
            self._watches[key] = (kept and old.get(key)) or watch_for(
                condition, self.policy.evidence, self.every, upward=key.upward, ceiling=key.ceiling
            )


def up_key(condition: Condition) -> Key:
    """The watch of a condition that is judged upwards: up rules, emergencies, alerts."""
    return Key(condition.text, upward=True)


def down_key(condition: Condition, policy: Policy, tier: Tier) -> Key:
    """The watch of a down rule of `tier`: its ceiling is the lowest bound that sends the rung below up."""
    lower = policy.neighbour(tier.name, -1)
    rules = policy.up_rules(lower) if lower else None
    bounds = [
        rule.bound
        for rule in (rules.conditions if rules else ())
        if rule.metric == condition.metric and rule.op.is_upward
    ]
    return Key(condition.text, upward=False, ceiling=min(bounds, default=None))


def _longest_down(policy: Policy) -> int:
    rules = (policy.down_rules(tier) for tier in policy.tiers)
    return max((condition.window for rule in rules if rule for condition in rule.conditions), default=0)


def _all_keys(policy: Policy) -> Iterator[tuple[Key, Condition]]:
    for tier in policy.tiers:
        for rules in (policy.up_rules(tier), policy.emergency):
            yield from ((up_key(condition), condition) for condition in (rules.conditions if rules else ()))
        down = policy.down_rules(tier)
        yield from ((down_key(condition, policy, tier), condition) for condition in (down.conditions if down else ()))
    yield from ((up_key(alert.when), alert.when) for alert in policy.alerts)
