"""A policy played through on paper: the fold, decide and judge of live, with changes that only happen here.

Open-loop: what was seen stays as it was seen, whatever the policy would have done about it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from autoscaler.core.durations import DAY, MINUTE, NEVER
from autoscaler.core.evaluate import Ask, Decision, Progress, decide
from autoscaler.core.facts import Facts
from autoscaler.core.guards import Verdict, judge
from autoscaler.core.money import Spend, spend
from autoscaler.core.observations import Masked, Observation, TierChanged
from autoscaler.core.policy import Policy, Tier
from autoscaler.core.state import State
from autoscaler.core.why import Why

CONSENTS = frozenset({Why.NOT_RESOURCE_BOUND, Why.DID_NOT_HELP, Why.APPROVAL_REQUIRED, Why.MODE_ASK, Why.MODE_OBSERVE})
"""What a yes lifts; every other guard holds in a rehearsal as it does live."""
SWITCH = "switch to another plan"
UNSETTLED = -1
"""No set of conditions."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a rehearsal assumes. Times in ms."""

    tier: str
    """The rung at the beginning."""
    every: int
    """How far apart the polls are."""
    deploy: int = 2 * MINUTE
    """From a verdict that goes to the new plan being live."""
    consents: bool = True
    """Whether what has to be asked is answered yes at once: then a mode of observe or ask and a required approval block nothing."""


@dataclass(frozen=True, slots=True)
class RehearsedChange:
    """One change on paper. Times in ms UTC, money in USD a month."""

    at: int
    live_at: int | None
    """When its plan runs; None when a tier change made by people came first."""
    ended_at: int
    """When its soak is over: cooldowns count from here."""
    origin: str
    target: str
    ask: Ask
    emergency: bool
    reasons: tuple[Progress, ...]
    asked: tuple[Why, ...]
    """What people would have been asked for; empty when it goes by itself."""
    monthly_before: float
    monthly_after: float
    counts: bool = True
    """Whether it is one of the day's changes: neither an emergency nor given back after a schedule."""


class Rehearsal:
    """One policy, one service, one recording: hand in what was seen, in order, and look after each poll."""

    def __init__(self, policy: Policy, terms: Terms, known: Callable[[Facts, int], Facts] | None = None) -> None:
        """`known`: adds to the facts of a time (ms UTC) what no observation says. Raises ValueError when the policy has no tier of that name."""
        tier = policy.tier(terms.tier)
        if tier is None:
            raise ValueError(f"the policy has no tier '{terms.tier}': {', '.join(one.name for one in policy.tiers)}")
        self.policy = policy
        self.terms = terms
        self._known = known or _nothing_more
        self.state = State(policy, terms.every)
        self.state.together.on_paper = True
        self.tenancy: list[TierChanged] = []
        """Which rung ran since when, the first from time 0."""
        self._changes: list[RehearsedChange] = []
        self._awaited: TierChanged | None = None
        """That of the change under way, dated when it will be live."""
        self._verdict: Verdict | None = None
        self._settled = UNSETTLED
        """Which conditions held at the last look; as long as they do, the next one finds the same, within limits."""
        self._settled_until = 0
        self._held: _DownFit | None = None
        """Of a down that is held: what else may change without a condition."""
        self._move(_tier_changed(tier, 0))

    @property
    def tier(self) -> str | None:
        """The rung that runs now; None off the ladder."""
        return self.state.tier

    @property
    def changes(self) -> tuple[RehearsedChange, ...]:
        """Oldest first."""
        return tuple(self._changes)

    def is_settled(self, now: int) -> bool:
        """Whether a look could only find the last verdict again (as its `key` goes), as nothing that decides it has turned since."""
        if self.state.holding != self._settled or now >= self._settled_until:
            return False
        return self._held is None or self._held == _down_fit(self.state, self._held.lower, now)

    def observe(self, observation: Observation) -> None:
        """Fold it. A tier change is one made by people: it overtakes a change that is not live yet."""
        if self._awaited is not None:
            self._go_live(observation.at)
        if isinstance(observation, TierChanged):
            if self._awaited is not None:
                self._awaited = None
                self._changes[-1] = replace(self._changes[-1], live_at=None, ended_at=observation.at)
            self._move(observation)
        else:
            self.state.fold(observation)

    def look(self, now: int) -> Verdict:
        """Decide and judge; when it goes, the change is played from here on."""
        self._go_live(now)
        decision = decide(self.state, now)
        verdict = judge(self.policy, decision, self._known(self._facts(decision), now))
        asked: tuple[Why, ...] = ()
        if self.terms.consents:
            verdict, asked = _consented(verdict)
        if self._verdict is not None and self._verdict.key == verdict.key:
            verdict = replace(verdict, since=self._verdict.since)
        self._verdict = verdict
        self._settle(decision, verdict)
        if verdict.goes:
            self._begin(verdict, asked)
        return verdict

    def _settle(self, decision: Decision, verdict: Verdict) -> None:
        """Until when the verdict stands, as long as the same conditions hold on the same rung. An up is looked at each time."""
        self._settled, self._held = UNSETTLED, None
        lower = self.policy.tier(decision.target) if decision.target else None
        if decision.ask is Ask.DOWN and lower is not None and not verdict.goes and self._known is _nothing_more:
            self._held = _down_fit(self.state, lower, decision.at)
        elif decision.ask is not Ask.HOLD:
            return
        if decision.scheduled or self.state.lessons.lent_from is not None:  # the way back is open at any time
            return
        self._settled = self.state.holding
        self._settled_until = min(self._turns(decision.at, verdict), default=NEVER)

    def _turns(self, now: int, verdict: Verdict) -> Iterator[int]:
        """The times at which a guard or a schedule turns by itself."""
        hours = [schedule.during for schedule in self.policy.schedules]
        if verdict.ask is Ask.DOWN:
            hours += [one for one in (self.policy.guards.not_during.scale_down,) if one is not None]
            yield from (blocker.until for blocker in verdict.blockers if blocker.until is not None)
            yield from (change.ended_at for change in self._changes[-1:] if change.ended_at > now)
        for one in hours:
            turn = one.next_end(now) if one.contains(now) else one.next_start(now)
            if turn is not None:
                yield turn

    def _go_live(self, now: int) -> None:
        """The new plan runs, and its instance warms up as in life."""
        changed = self._awaited
        if changed is None or now < changed.at:
            return
        self._awaited = None
        self._move(changed)
        self.state.fold(Masked(changed.at, changed.at + self.policy.evidence.warm_up, SWITCH))

    def _move(self, changed: TierChanged) -> None:
        self._settled = UNSETTLED
        self.tenancy.append(changed)
        self.state.fold(changed)

    def _begin(self, verdict: Verdict, asked: tuple[Why, ...]) -> None:
        origin, target = self.policy.tier(verdict.tier or ""), self.policy.tier(verdict.target or "")
        assert origin is not None  # noqa: S101 - a verdict that goes has both
        assert target is not None  # noqa: S101
        live_at = verdict.at + self.terms.deploy
        cause = (verdict.spent, self._id(len(self._changes)), verdict.scheduled)
        self._awaited = TierChanged(live_at, target.name, target.plan, target.instances, *cause)
        self._changes.append(
            RehearsedChange(
                at=verdict.at,
                live_at=live_at,
                ended_at=live_at + self.policy.verify.soak,
                origin=origin.name,
                target=target.name,
                ask=verdict.ask,
                emergency=verdict.emergency,
                reasons=verdict.reasons,
                asked=asked,
                counts=not verdict.emergency and not (verdict.scheduled and verdict.ask is Ask.DOWN),
                monthly_before=origin.monthly,
                monthly_after=target.monthly,
            )
        )

    @staticmethod
    def _id(number: int) -> str:
        """How a change on paper is called."""
        return f"rehearsed-{number + 1}"

    def _facts(self, decision: Decision) -> Facts:
        """As a pass gathers them from the store, but from the changes on paper."""
        service, now = self.policy.service, decision.at
        facts = Facts(
            service_id=service.id or "",
            service=service.label,
            spend=Spend(0.0, estimated=True, month_left=1.0),
            tier_known=self.state.tier_known,
        )
        if decision.ask is Ask.HOLD:
            return facts
        last = self._changes[-1] if self._changes else None
        ended = [change.ended_at for change in self._changes[-2:] if change.ended_at <= now]
        return replace(
            facts,
            spend=spend(self.policy, self.tenancy, now),
            open_change=self._id(len(self._changes) - 1) if last is not None and now < last.ended_at else None,
            last_change_ended=max(ended, default=None),
            changes_today=tuple(change.at for change in self._changes if change.counts and now - change.at < DAY),
        )


class _DownFit(NamedTuple):
    """What speaks against a down, but for conditions, guards and times."""

    lower: Tier
    outcome: tuple[bool | None, ...]
    deploy_loop: bool


def _down_fit(state: State, lower: Tier, now: int) -> _DownFit:
    return _DownFit(lower, state.peaks.outcome(lower, state.policy.guards.headroom), state.is_deploy_loop(now))


def _nothing_more(facts: Facts, _: int) -> Facts:
    """All that is known is what was observed."""
    return facts


def _tier_changed(tier: Tier, at: int) -> TierChanged:
    return TierChanged(at, tier.name, tier.plan, tier.instances)


def _consented(verdict: Verdict) -> tuple[Verdict, tuple[Why, ...]]:
    """The verdict after every question was answered yes, and what would have been asked."""
    left = tuple(blocker for blocker in verdict.blockers if blocker.why not in CONSENTS)
    asked = tuple(blocker.why for blocker in verdict.blockers if blocker.why in CONSENTS)
    if not asked:
        return verdict, ()
    times = [blocker.until for blocker in left]
    not_before = max((time for time in times if time is not None), default=None) if None not in times else None
    return replace(verdict, blockers=left, why=left[0].why if left else Why.GO, not_before=not_before), asked
