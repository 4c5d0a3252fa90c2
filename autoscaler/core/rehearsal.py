"""A policy played through on paper: the fold, decide and judge of live, with changes that only happen here.

Open-loop: what was seen stays as it was seen, whatever the policy would have done about it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from autoscaler.core.durations import DAY, MINUTE
from autoscaler.core.evaluate import Ask, Decision, Progress, decide
from autoscaler.core.facts import Facts
from autoscaler.core.guards import Verdict, Why, judge
from autoscaler.core.money import Spend, spend
from autoscaler.core.observations import Masked, Observation, TierChanged
from autoscaler.core.policy import Policy, Tier
from autoscaler.core.state import State
from autoscaler.core.window import NEVER

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

    def __init__(
        self, policy: Policy, terms: Terms, known: Callable[[Facts, int], Facts] = lambda facts, _now: facts
    ) -> None:
        """`known`: adds to the facts of a time (ms UTC) what no observation says. Raises ValueError when the policy has no tier of that name."""
        tier = policy.tier(terms.tier)
        if tier is None:
            raise ValueError(f"the policy has no tier '{terms.tier}': {', '.join(one.name for one in policy.tiers)}")
        self.policy = policy
        self.terms = terms
        self._known = known
        self.state = State(policy, terms.every)
        self.tenancy: list[TierChanged] = []
        """Which rung ran since when, the first from time 0."""
        self._changes: list[RehearsedChange] = []
        self._awaited: TierChanged | None = None
        """That of the change under way, dated when it will be live."""
        self._verdict: Verdict | None = None
        self._settled = UNSETTLED
        """Which conditions held when the last look found nothing to ask for; as long as they are the same, so does the next."""
        self._settled_until = 0
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
        """Whether a look could only find the last verdict again, as nothing that could ask for more has turned since."""
        return self.state.holding == self._settled and now < self._settled_until

    def observe(self, observation: Observation) -> None:
        """Fold it. A tier change is one made by people: it overtakes a change that is not live yet."""
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
        self._settle(decision)
        if verdict.goes:
            self._begin(verdict, asked)
        return verdict

    def _settle(self, decision: Decision) -> None:
        """Only conditions, a schedule, or another rung can end that nothing is asked for; and the way back from a schedule's rung."""
        is_calm = decision.ask is Ask.HOLD and self.state.lessons.lent_from is None
        self._settled = self.state.holding if is_calm else UNSETTLED
        hours = (schedule.during for schedule in self.policy.schedules)
        turns = (
            one.next_end(decision.at) if one.contains(decision.at) else one.next_start(decision.at) for one in hours
        )
        self._settled_until = min((turn for turn in turns if turn is not None), default=NEVER) if is_calm else 0

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
