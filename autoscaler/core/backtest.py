"""A policy against a recording: what it would have decided, and what that would have cost.

Open-loop: what was recorded stays as it was, whatever the policy would have done about it. Times are ms UTC, money is USD.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from autoscaler.core.curves import Curve, Curves, Filling
from autoscaler.core.durations import WEEK
from autoscaler.core.guards import Verdict
from autoscaler.core.keys import Key, up_key
from autoscaler.core.metrics import Kind
from autoscaler.core.money import monthly_price
from autoscaler.core.observations import Missed, Observation, Reading, Signal, TierChanged
from autoscaler.core.policy import Policy, Tier
from autoscaler.core.recording import Recording
from autoscaler.core.rehearsal import Rehearsal, RehearsedChange, Terms
from autoscaler.core.savings import billed, period
from autoscaler.core.state import State

LOST = 2.5
"""After so many polls' length a value has nothing more to say, as for conditions without a window."""


@dataclass(frozen=True, slots=True)
class Interval:
    """From `begun` until `ended`."""

    begun: int
    ended: int

    @property
    def length(self) -> int:
        """Ms."""
        return self.ended - self.begun


@dataclass(frozen=True, slots=True)
class Stay:
    """How long a rung ran; None is off the ladder."""

    tier: str | None
    begun: int
    ended: int


@dataclass(frozen=True, slots=True)
class Costs:
    """What the time of the recording costs, USD."""

    policy: float
    never: float
    """On the first rung all along."""
    largest: float
    """On the top rung all along."""


@dataclass(frozen=True, slots=True)
class Backtest:
    """What came of it."""

    name: str
    """The policy's, for people: its file."""
    policy: Policy
    terms: Terms
    recording: Recording
    verdicts: tuple[Verdict, ...]
    """Each when it differs from the one before."""
    changes: tuple[RehearsedChange, ...]
    stays: tuple[Stay, ...]
    holding: Mapping[str, tuple[Interval, ...]]
    """When each condition held, of those that mattered on the rung of that time."""
    misses: int
    breach_before: int
    """How long a value was past a bound that sends the first rung up, had it stayed on it, ms."""
    breach_after: int
    """How long a value was past a bound that sends up the rung that ran on paper, ms."""
    costs: Costs
    untold: tuple[str, ...] = ()
    """Metrics of the policy's conditions of which the recording tells nothing: those conditions never hold."""
    step: int = 0
    """How long a bucket of the curves is, ms."""
    curves: tuple[Curve, ...] = ()
    fillings: tuple[Filling, ...] = ()

    @property
    def length(self) -> int:
        """From the first poll to the last, ms."""
        return self.recording.ended - self.recording.begun

    @property
    def changes_a_week(self) -> float:
        """Changes that went live or would have."""
        return len(self.changes) * WEEK / self.length if self.length else 0.0


@dataclass(frozen=True, slots=True)
class Difference:
    """A time in which two policies ran different rungs."""

    begun: int
    ended: int
    first: str | None
    second: str | None


def backtest(name: str, policy: Policy, recording: Recording, terms: Terms, *, curves: bool = False) -> Backtest:
    """Play the recording to the policy; with `curves` also what a chart needs.

    Raises ValueError when the policy has no tier of the name that `terms` say.
    """
    run = _Run(policy, terms, Curves(policy, recording.begun, recording.ended, terms.every) if curves else None)
    for observation in recording.observations:
        run.take(observation)
    return run.result(name, recording)


def differences(first: Backtest, second: Backtest) -> tuple[Difference, ...]:
    """When two policies that were played one recording ran different rungs."""
    edges = sorted({edge for one in (first, second) for stay in one.stays for edge in (stay.begun, stay.ended)})
    found: list[Difference] = []
    for begun, ended in pairwise(edges):
        tiers = (_tier_at(first.stays, begun), _tier_at(second.stays, begun))
        if tiers[0] != tiers[1]:
            if found and found[-1].ended == begun and (found[-1].first, found[-1].second) == tiers:
                begun = found.pop().begun  # noqa: PLW2901 - one difference goes on
            found.append(Difference(begun, ended, *tiers))
    return tuple(found)


def _tier_at(stays: Sequence[Stay], at: int) -> str | None:
    return next((stay.tier for stay in stays if stay.begun <= at < stay.ended), None)


class _Run:
    """One walk through a recording."""

    def __init__(self, policy: Policy, terms: Terms, curves: Curves | None) -> None:
        self._policy = policy
        self._terms = terms
        self._curves = curves
        self._rehearsal = Rehearsal(policy, terms)
        self._poll: Reading | Missed | None = None
        """The last one, as long as it has not been looked at."""
        self._misses = 0
        self._told: set[str] = set()
        self._shape = (0, 0)
        """How much the last reading told: most tell the same."""
        self._verdicts: list[Verdict] = []
        self._holding = _Holding()
        self._breach = _Breach(policy, terms)

    def take(self, observation: Observation) -> None:
        """A poll is looked at once what the app itself counted has been taken in as well, as in a pass."""
        poll = self._poll
        if poll is not None and (isinstance(observation, Reading) or not _is_counted_by(poll, observation)):
            self._look(poll)
        self._rehearsal.observe(observation)
        if isinstance(observation, Reading):
            self._poll = observation
            shape = len(observation.gauges), len(observation.increases)
            if shape != self._shape:
                self._shape = shape
                self._told.update(observation.gauges, observation.increases)
        elif isinstance(observation, Missed):
            self._poll = observation

    def _look(self, poll: Reading | Missed) -> None:
        self._poll = None
        state = self._rehearsal.state
        now, seen = state.newest, isinstance(poll, Reading)
        self._misses += not seen
        if self._curves is not None or not self._rehearsal.is_settled(now):
            verdict = self._rehearsal.look(now)
            if not self._verdicts or verdict.key != self._verdicts[-1].key:
                self._verdicts.append(verdict)
            self._holding.take(now, verdict)
            if self._curves is not None:
                self._curves.take(now, state, verdict, seen=seen)
        self._breach.take(now, state, seen=seen)

    def result(self, name: str, recording: Recording) -> Backtest:
        """After the last observation."""
        if self._poll is not None:
            self._look(self._poll)
        begun, ended = recording.begun, recording.ended
        policy, tenancy = self._policy, self._rehearsal.tenancy
        cost = period(policy, tenancy, begun, ended)
        never = billed(monthly_price(policy, tenancy[0]), begun, ended)
        return Backtest(
            name=name,
            policy=policy,
            terms=self._terms,
            recording=recording,
            verdicts=tuple(self._verdicts),
            changes=self._rehearsal.changes,
            stays=tuple(_stays(tenancy, begun, ended)),
            holding=self._holding.until(ended),
            misses=self._misses,
            breach_before=self._breach.before,
            breach_after=self._breach.after,
            costs=Costs(cost.spent, never, cost.largest),
            untold=tuple(_untold(policy, self._told)),
            step=self._curves.step if self._curves else 0,
            curves=self._curves.curves() if self._curves else (),
            fillings=self._curves.fillings() if self._curves else (),
        )


def _is_counted_by(poll: Reading | Missed, observation: Observation) -> bool:
    """Whether that is what the app counted in this poll; what Render or people tell of is heard by the next."""
    return isinstance(observation, Signal) and observation.at == poll.at and not observation.who


class _Holding:
    """When each condition held."""

    def __init__(self) -> None:
        self._over: dict[str, list[Interval]] = {}
        self._open: dict[str, int] = {}

    def take(self, now: int, verdict: Verdict) -> None:
        """One look."""
        held = {progress.condition for progress in verdict.progress if progress.holds}
        for text in [text for text in self._open if text not in held]:
            self._over.setdefault(text, []).append(Interval(self._open.pop(text), now))
        for text in held:
            self._open.setdefault(text, now)

    def until(self, ended: int) -> dict[str, tuple[Interval, ...]]:
        """What holds at the end has held until then."""
        open_now = {text: [Interval(begun, ended)] for text, begun in self._open.items()}
        names = sorted({*self._over, *open_now})
        return {text: (*self._over.get(text, ()), *open_now.get(text, ())) for text in names}


class _Breach:
    """How long a value was past a bound that sends a rung up: its window may not be full, its users wait already."""

    def __init__(self, policy: Policy, terms: Terms) -> None:
        self.before = self.after = 0
        self._bounds = {tier.name: frozenset(_bounds(policy, tier)) for tier in policy.tiers}
        self._first = terms.tier
        self._tier: str | None = None
        self._masks = (0, 0)
        """The bits of the first rung's bounds, and of those of the rung that runs."""
        self._longest = round(LOST * terms.every)
        self._last: tuple[int, bool, bool] | None = None
        """When it was last past a bound: of the first rung, and of the one that ran then."""

    def take(self, now: int, state: State, *, seen: bool) -> None:
        """One look; what was not `seen`, or is of a starting instance, counts neither way."""
        if self._last is not None:
            at, before, after = self._last
            self._last = None
            length = min(now - at, self._longest)
            self.before += length * before
            self.after += length * after
        if state.tier != self._tier:
            self._tier = state.tier
            first, running = (self._bounds.get(tier or "", frozenset()) for tier in (self._first, state.tier))
            self._masks = (_bits(state, first), _bits(state, running))
        past, (first_bits, running_bits) = state.past, self._masks
        if past & (first_bits | running_bits) and seen and not state.is_masked(now):
            self._last = (now, past & first_bits != 0, past & running_bits != 0)


def _bits(state: State, keys: frozenset[Key]) -> int:
    return sum(1 << place for place, key in enumerate(state.keys) if key in keys)


def _untold(policy: Policy, told: set[str]) -> Iterator[str]:
    for metric in dict.fromkeys(condition.metric for condition in policy.conditions()):
        pooled = metric.over in told and metric.under in told
        if metric.kind is not Kind.COUNTED and metric.name not in told and not pooled:
            yield metric.name


def _bounds(policy: Policy, tier: Tier) -> Iterator[Key]:
    for rules in (policy.up_rules(tier), policy.emergency):
        for condition in rules.conditions if rules else ():
            if condition.metric.kind in {Kind.GAUGE, Kind.RATIO}:
                yield up_key(condition)


def _stays(tenancy: Sequence[TierChanged], begun: int, ended: int) -> Iterator[Stay]:
    for change, later in zip(tenancy, (*tenancy[1:], None), strict=True):
        since, until = max(begun, change.at), min(ended, later.at) if later else ended
        if until > since:
            yield Stay(change.tier, since, until)
