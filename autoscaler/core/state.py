"""fold: what is remembered of a service's observations.

Windows run on *unmasked* time: while a mask lasts (an instance starts, a deploy switches over) the clock stands still, so that
masked time is neither gap nor evidence (design, Evidence 6). Counted signals and business values go by the wall clock.
"""

from collections.abc import Iterator
from dataclasses import replace

from autoscaler.core.attribution import Trigger, Usage, trigger
from autoscaler.core.conditions import Condition
from autoscaler.core.durations import NEVER
from autoscaler.core.fit import Peaks
from autoscaler.core.keys import Key, all_keys, longest_down, up_key
from autoscaler.core.lessons import OUT_OF_MEMORY, Lessons
from autoscaler.core.masks import Clock
from autoscaler.core.metrics import Kind
from autoscaler.core.observations import EnvSeen, Masked, Missed, Observation, Overridden, Reading, Signal, TierChanged
from autoscaler.core.policy import Policy, Tier
from autoscaler.core.ratio import rate_window
from autoscaler.core.together import Together
from autoscaler.core.told import CountWatch, ValueWatch
from autoscaler.core.watch import Bit, Holding, Standing, Watch
from autoscaler.core.watches import Watches


class State:
    """Everything that the fold remembers of one service. Built from the policy and the observations alone, so a replay equals it."""

    def __init__(self, policy: Policy, every: int) -> None:
        """`every`: how far apart the polls really are, ms (a cron job's are further apart than the policy's)."""
        self.policy = policy
        self.every = every
        self.tier: str | None = None
        self.tier_known = False
        self.reading: Reading | None = None
        """The last one; where several instances answer, with the worst gauges of all."""
        self.newest = 0
        self.peaks = Peaks(max(policy.evidence.fit_window, longest_down(policy)))
        self.lessons = Lessons(policy)
        self.usage = Usage(policy.evidence, every)
        self.patience = 1
        """How many times its own windows the way down from this tier must hold."""
        self.shrunk = False
        """Whether this tier runs since a downgrade of ours: then a quarter of a window is looked at as well."""
        self.clock = Clock()
        self.memory_clock = Clock()
        """Memory is masked only after our own downgrade: what a starting app needs, it needs."""
        self.together = Together(policy, every, self.clock, self.memory_clock)
        self.instances = self.together.instances
        self._used: Reading | None = None
        """What all instances use at once, where several answer."""
        self.overrides: dict[tuple[str, str], Overridden] = {}
        """By tier and name: the values of our env vars that people have set."""
        self.env_seen: EnvSeen | None = None
        """The values that were configured when they were last looked at."""
        self._holding = Holding()
        self._watches: dict[Key, Watch] = {}
        self._told: list[CountWatch | ValueWatch] = []
        self._values: list[ValueWatch] = []
        self._told_due = NEVER
        """When one of those ceases to hold by time alone."""
        self._start_windows(keep=())

    def fold(self, observation: Observation) -> None:
        """Take in one observation. A sample that is dated before the newest is dropped: time does not go back.

        All else still happened: of what Render counted we hear a little later, and another worker's clock may be behind ours.
        """
        if observation.at >= self.newest:
            self.newest = observation.at
        elif isinstance(observation, Reading | Missed | Masked):
            return
        if isinstance(observation, Reading):
            self._reading(observation)
            return
        match observation:
            case Missed():
                self._missed(observation)
            case Masked():
                self.clock.mask(observation.at, observation.until)
            case TierChanged():
                self._tier_changed(observation)
            case Signal():
                self._signal(observation)
            case Overridden(tier=tier, name=name):
                self.overrides[tier, name] = observation
            case EnvSeen():
                self.env_seen = observation
        self._settle()

    @property
    def holding(self) -> int:
        """Which conditions hold as of the newest observation: bit n stands for the nth of `keys`.

        As long as it is the same, no condition asks for anything else: `decide` needs not be called to know that.
        """
        return self._holding.bits

    @property
    def past(self) -> int:
        """Which conditions that are judged sample by sample have a value past their bound, whatever their windows say: bits as in `holding`.

        As of the newest reading that tells the value.
        """
        return self._holding.past

    @property
    def keys(self) -> tuple[Key, ...]:
        """The conditions, in the order of the bits of `holding`."""
        return tuple(self._watches)

    def unmasked(self, at: int) -> int:
        """The clock on which windows run: stands still while a mask lasts."""
        return self.clock.unmasked(at)

    def is_masked(self, at: int) -> bool:
        """Whether what the app shows at `at` says nothing about its plan."""
        return self.clock.is_masked(at)

    def is_deploy_loop(self, now: int) -> bool:
        """Three masks within an hour."""
        return self.clock.is_loop(now)

    def standing(self, key: Key, now: int) -> Standing:
        """Where a condition stands, its times back on the wall clock."""
        clock = self.memory_clock if key.is_of_memory else self.clock
        unmasked = clock.unmasked(now)
        standing = self._watches[key].standing(unmasked, now)
        if standing.not_before is None:
            return standing
        return replace(standing, not_before=standing.not_before - unmasked + clock.masked_until(now))

    def _reading(self, reading: Reading) -> None:
        before, self.reading = self.reading, reading
        self.usage.silent_since = None
        if (
            self.instances.are_several
            or before is None
            or before.instance != reading.instance
            or before.started_at != reading.started_at
        ):
            reading = self._take(before, reading)
        at = reading.at
        if at < self.clock.runs_from or at < self.memory_clock.runs_from:
            self._masked_reading(reading)
            return
        self._of_memory.reading(at - self.memory_clock.behind, reading)
        self._of_load.reading(at - self.clock.behind, reading)
        self.peaks.add(self._used or reading, 1)
        self.usage.reading(reading)
        for value in self._values:
            if value.reading(reading):
                self._told_due = -NEVER
        if at >= self._told_due:
            self._settle_told()

    def _take(self, before: Reading | None, reading: Reading) -> Reading:
        """Of another process than the last one, or of one of several: what it shows together with the others."""
        if not self.together.take(before, reading):
            self.usage.answered(reading)
        self.reading, self._used = self.together.put(reading, None if before is None else before.at)
        return self.reading

    def _masked_reading(self, reading: Reading) -> None:
        """Memory may be evidence while load is none."""
        at = reading.at
        if not self.memory_clock.is_masked(at):
            self._of_memory.reading(self.memory_clock.unmasked(at), reading)
        if not self.clock.is_masked(at):
            self._of_load.reading(self.clock.unmasked(at), reading)
            self.peaks.add(self._used or reading, 1)
            self.usage.reading(reading)
            for value in self._values:
                value.reading(reading)
        self._settle()

    def _settle(self) -> None:
        """Look at every condition: something other than a usual reading was seen."""
        self._of_memory.settle(self.memory_clock.unmasked(self.newest))
        self._of_load.settle(self.clock.unmasked(self.newest))
        self._settle_told()

    def _settle_told(self) -> None:
        self._told_due = min((one.settle(self.newest) for one in self._told), default=NEVER)

    def _missed(self, missed: Missed) -> None:
        self.usage.missed(missed)
        if self.clock.is_masked(missed.at):
            return
        self._of_load.missed(self.clock.unmasked(missed.at), missed)
        for one in self._told:
            one.missed(missed)

    def _signal(self, signal: Signal) -> None:
        self.lessons.signal(signal)
        if signal.name == OUT_OF_MEMORY:
            self.usage.killed_at = max(self.usage.killed_at or 0, signal.at)
        for one in self._told:
            one.signal(signal)

    def _tier_changed(self, change: TierChanged) -> None:
        first, same = not self.tier_known, change.tier == self.tier
        before = self.policy.tier(self.tier) if self.tier else None
        self.lessons.moved(change)
        self.together.moved(change.at, change.instances, anew=not (first or same))
        if same and not first:
            return
        self.tier, self.tier_known = change.tier, True
        after = self.policy.tier(change.tier) if change.tier else None
        self.patience = self.lessons.patience(after) if after else 1
        self.together.watch(after, self.patience)
        if first:
            return  # the first look tells on which rung all the evidence so far was seen
        is_up = bool(before and after and self.policy.rank(after.name) > self.policy.rank(before.name))
        self.usage.moved(change.at, self._triggers(before, change.at) if before and is_up else ())
        self.shrunk = after is not None and not is_up and change.by is not None
        kept = tuple(name for name in self._counted() if name not in change.spent)
        self._start_windows(keep=kept)
        if before and after and not is_up and change.by is not None:
            until = self.clock.masked_until(change.at)
            self.memory_clock.mask(change.at, max(until, change.at + self.policy.evidence.warm_up))

    def _triggers(self, tier: Tier, at: int) -> Iterator[Trigger]:
        """What held and asked for the up from that tier."""
        rules = self.policy.up_rules(tier)
        for condition in rules.conditions if rules else ():
            standing = self.standing(up_key(condition), at)
            if standing.holds and (one := trigger(condition, standing.value)):
                yield one

    def _counted(self) -> set[str]:
        return {condition.metric.name for condition in self.policy.conditions() if condition.within}

    def _start_windows(self, keep: tuple[str, ...]) -> None:
        """All windows anew, but for the counted signals named in `keep` and for business values."""
        old, self._watches = self._watches, {}
        self._of_memory, self._of_load = (Watches(self.policy.evidence, self.every) for _ in range(2))
        self._told = []
        self._holding.bits = self._holding.past = 0
        shrunk = self.policy.tier(self.tier or "") if self.shrunk else None
        for key, condition in all_keys(self.policy, self.patience, shrunk):
            if key not in self._watches:
                bit = Bit(self._holding, len(self._watches))
                if condition.metric.kind in {Kind.COUNTED, Kind.BUSINESS}:
                    kept = condition.metric.name in keep or condition.metric.kind is Kind.BUSINESS
                    self._watches[key] = self._told_watch(condition, bit, old.get(key) if kept else None)
                else:
                    self._watches[key] = self._watch(key, condition, bit)
        self._values = [one for one in self._told if isinstance(one, ValueWatch)]
        self._settle()

    def _watch(self, key: Key, condition: Condition, bit: Bit) -> Watch:
        """One that is patient holds for longer, but is pooled over no longer: a short peak must not drown in a long window."""
        rate = rate_window(condition, self.policy.evidence, self.every)
        if key.patience > 1:
            over = condition.over if condition.held else condition.over * key.patience
            condition = replace(condition, held=condition.held * key.patience, over=over)
            rate = over or rate
        watches = self._of_memory if key.is_of_memory else self._of_load
        return watches.add(condition, bit, rate, upward=key.upward, ceiling=key.ceiling)

    def _told_watch(self, condition: Condition, bit: Bit, old: Watch | None) -> CountWatch | ValueWatch:
        """Counted signals and business values: what was told of them may outlive the windows."""
        if isinstance(old, CountWatch | ValueWatch):
            old.bit = bit
            watch = old
        elif condition.metric.kind is Kind.COUNTED:
            watch = CountWatch(condition, bit)
        else:
            watch = ValueWatch(condition, self.policy.evidence, bit)
        self._told.append(watch)
        return watch
