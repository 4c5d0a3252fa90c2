"""judge(): a decision and the facts become a verdict. All guards are judged, not only the first; every "no" has a name."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from autoscaler.core.durations import DAY
from autoscaler.core.evaluate import Ask, Decision, Progress
from autoscaler.core.facts import Facts
from autoscaler.core.plans import same_plan
from autoscaler.core.policy import Mode, Policy, Tier
from autoscaler.core.values import format_value
from autoscaler.core.why import Why

FIGHT_ENDS = 7 * DAY
"""After so long without another round it is worth a try again."""


@dataclass(frozen=True, slots=True)
class Blocker:
    """One guard that blocks."""

    why: Why
    until: int | None = None
    """When it lifts by itself, ms UTC; None where only a person or the load can tell."""
    detail: str = ""
    """Its numbers, in words."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision after the guards. Times in ms UTC, money in USD a month."""

    at: int
    service_id: str
    service: str
    tier: str | None
    ask: Ask
    target: str | None
    emergency: bool
    why: Why
    blockers: tuple[Blocker, ...]
    not_before: int | None
    """The earliest time at which it could act: the latest of its blockers. None when one of them has no time."""
    reasons: tuple[Progress, ...]
    spent: tuple[str, ...]
    progress: tuple[Progress, ...]
    alerts: tuple[str, ...]
    monthly_now: float | None
    monthly_then: float | None
    """What the target would cost; None when nothing is asked for."""
    since: int
    """When this verdict (see `key`) first stood."""
    scheduled: bool = False
    """Whether it is a schedule's doing: an up to its floor, or the way back after it."""
    leak: str = ""
    """That memory seems to leak, so that a restart would do as well as the up that is asked for; else empty."""
    blind: str = ""
    """Why the last poll gave no reading; empty when it gave one."""
    preempts: str = ""
    """The id of the slower change whose place this emergency takes."""

    @property
    def goes(self) -> bool:
        """Whether a change may begin now."""
        return self.why is Why.GO

    @property
    def key(self) -> tuple[object, ...]:
        """What makes it another verdict rather than the same one again (design, Deciding 13)."""
        blockers = tuple(blocker.why for blocker in self.blockers)
        return (self.ask, self.why, blockers, self.tier, self.target, self.emergency)


def judge(policy: Policy, decision: Decision, facts: Facts) -> Verdict:
    """What may be done about a decision. With no ask there is nothing to block: `steady`, or why nothing could be asked."""
    tier = policy.tier(decision.tier) if decision.tier else None
    target = policy.tier(decision.target) if decision.target else None
    blockers: tuple[Blocker, ...]
    if not facts.tier_known:
        blockers = (Blocker(Why.TIER_UNKNOWN),)
    elif tier is None:
        blockers = (Blocker(Why.OFF_LADDER),)
    elif decision.ask is Ask.HOLD:
        blockers = ()
    else:
        order = list(Why)
        found = list(_blockers(policy, decision, facts, target))
        found += _declined(decision, facts, found)
        blockers = tuple(sorted(found, key=lambda blocker: order.index(blocker.why)))
    times = [blocker.until for blocker in blockers]
    calm = Why.STEADY if decision.ask is Ask.HOLD else Why.GO
    return Verdict(
        at=decision.at,
        service_id=facts.service_id,
        service=facts.service,
        tier=decision.tier,
        ask=decision.ask,
        target=decision.target,
        emergency=decision.emergency,
        why=blockers[0].why if blockers else calm,
        blockers=blockers,
        not_before=max((time for time in times if time is not None), default=None) if None not in times else None,
        reasons=decision.reasons,
        spent=tuple(sorted({reason.metric for reason in decision.reasons if reason.condition.find(" within ") > 0})),
        progress=decision.progress,
        alerts=decision.alerts,
        monthly_now=tier.monthly if tier else None,
        monthly_then=target.monthly if target else None,
        since=decision.at,
        scheduled=decision.scheduled,
        leak=decision.leak,
        preempts=facts.preempts,
    )


def _blockers(policy: Policy, decision: Decision, facts: Facts, target: Tier | None) -> Iterator[Blocker]:
    up = decision.ask is Ask.UP
    if facts.suspended:
        yield Blocker(Why.SUSPENDED)
    if facts.pause is not None and not (facts.pause.down_only and up):
        yield Blocker(Why.PAUSED, facts.pause.until, facts.pause.words)
    if facts.open_change:
        yield Blocker(Why.CHANGE_OPEN, detail=facts.open_change)
    yield from _sight(decision, facts)
    if target is None:
        yield Blocker(Why.AT_TOP)
        return
    yield from _render_blockers(policy, decision, facts, target)
    if not up:
        yield from _down_blockers(policy, decision, facts, target)
    if decision.deploy_loop and not decision.emergency:
        yield Blocker(Why.DEPLOY_LOOP)
    yield from _quarantine(decision, facts)
    if not decision.emergency and not _is_return(decision):
        yield from _pace(policy, decision, facts)
    yield from _hours(policy, decision)
    if up:
        yield from _budget(policy, decision, facts, target)
        yield from _use(decision)
    yield from _consent(policy, decision, facts)


def _declined(decision: Decision, facts: Facts, found: Sequence[Blocker]) -> Iterator[Blocker]:
    """Who has just said no is not asked the same again; what needs nobody's yes goes on."""
    if facts.declined is None or not any(blocker.why.lifts_with_a_yes for blocker in found):
        return
    until, words = facts.declined
    if decision.at < until:
        yield Blocker(Why.DECLINED, until, words)


def _render_blockers(policy: Policy, decision: Decision, facts: Facts, target: Tier) -> Iterator[Blocker]:
    """What Render, or somebody who uses it, would make of the change."""
    if facts.build_not_live and (facts.image_backed or not decision.emergency):
        yield Blocker(Why.BUILD_NOT_LIVE, detail=facts.build_not_live)
    here = policy.tier(decision.tier or "")
    if here is not None and target.instances != here.instances:
        if facts.has_disk:
            yield Blocker(Why.WIDE_REFUSED, detail="it has a disk, so it runs as one instance")
        elif facts.render_autoscaling:
            yield Blocker(Why.WIDE_REFUSED, detail="Render's own autoscaling sets the number of instances")
    if facts.not_deployed and not same_plan(facts.not_deployed, target.plan):
        yield Blocker(Why.NOT_DEPLOYED, detail=f"{facts.not_deployed} is configured")
    if decision.fought_at is not None and not decision.emergency and decision.at < decision.fought_at + FIGHT_ENDS:
        yield Blocker(Why.FIGHT, decision.fought_at + FIGHT_ENDS)


def _is_return(decision: Decision) -> bool:
    """What a schedule raised is given back: without cooldown, count or approval (design, Deciding 7 and 11)."""
    return decision.scheduled and decision.ask is Ask.DOWN


def _sight(decision: Decision, facts: Facts) -> Iterator[Blocker]:
    """A silence alone is no reason to pay for more (design, Evidence 5)."""
    if facts.observer_suspect:
        yield Blocker(Why.OBSERVER_SUSPECT, detail=facts.observer_suspect)
    silence = decision.ask is Ask.UP and all(reason.metric == "unreachable" for reason in decision.reasons)
    if silence and decision.reasons:
        nothing = ("no CPU over 90%, memory over 85% or OOM kill in the ten minutes before",)
        doubts = (*(nothing if decision.only_silence else ()), *facts.doubts)
        if doubts:
            yield Blocker(Why.UNREACHABLE, detail=", ".join(doubts))


def _use(decision: Decision) -> Iterator[Blocker]:
    """An up that would not help is asked, even where up is automatic (design, Deciding 10)."""
    if decision.not_bound:
        yield Blocker(Why.NOT_RESOURCE_BOUND, detail=decision.not_bound)
    if decision.unhelped:
        yield Blocker(Why.DID_NOT_HELP, detail=decision.unhelped)


def _down_blockers(policy: Policy, decision: Decision, facts: Facts, target: Tier) -> Iterator[Blocker]:
    heard = decision.heard
    if heard and (lacks := heard.lacking(autoscaled=facts.render_autoscaling, at_once=decision.scheduled)):
        yield Blocker(Why.INSTANCES_UNSEEN, detail=lacks)
    if decision.against:
        yield Blocker(Why.LOWER_TIER_WOULD_GO_UP, detail=", ".join(decision.against))
    if decision.floor and policy.rank(decision.floor) > policy.rank(target.name):
        yield Blocker(Why.FLOOR, detail=decision.floor)
    if decision.building:
        yield Blocker(Why.UP_BUILDING, detail=", ".join(decision.building))
    if decision.taken_over_at is not None:
        until = decision.taken_over_at + policy.guards.respect
        if decision.at < until:
            yield Blocker(Why.RESPECT, until)
    for misfit in decision.misfits:
        peak, allowed = (format_value(misfit.metric, value) for value in (misfit.peak, misfit.allowed))
        yield Blocker(Why.DOES_NOT_FIT, detail=f"{misfit.metric.name} peaked at {peak}, {allowed} would fit")


def _pace(policy: Policy, decision: Decision, facts: Facts) -> Iterator[Blocker]:
    """What keeps changes apart; an emergency passes all of it."""
    guards, now = policy.guards, decision.at
    up = decision.ask is Ask.UP
    if facts.last_change_ended is not None:
        until = facts.last_change_ended + (guards.cooldown.up if up else guards.cooldown.down)
        if now < until:
            yield Blocker(Why.COOLDOWN, until)
    recent = sorted(at for at in facts.changes_today if now - at < DAY)
    allowed = guards.max_changes if up else guards.max_changes - 1  # the day's last change is kept for an up
    if len(recent) >= max(allowed, 0):
        free_again = recent[len(recent) - allowed] + DAY if allowed > 0 else None
        yield Blocker(Why.MAX_CHANGES, free_again, f"{len(recent)} of {guards.max_changes} changes in 24h")


def _quarantine(decision: Decision, facts: Facts) -> Iterator[Blocker]:
    """What has just failed is not tried at once again, not even in an emergency: it would fail the same way, over and over."""
    until = facts.quarantined_until
    if until is not None and decision.at < until:
        times = "once" if facts.failed_tries == 1 else f"{facts.failed_tries} times in a row"
        yield Blocker(Why.QUARANTINE, until, f"it failed {times}")


def _hours(policy: Policy, decision: Decision) -> Iterator[Blocker]:
    hours = policy.guards.not_during.scale_up if decision.ask is Ask.UP else policy.guards.not_during.scale_down
    if hours is not None and not decision.emergency and hours.contains(decision.at):
        yield Blocker(Why.NOT_DURING, hours.next_end(decision.at), hours.text)


def _budget(policy: Policy, decision: Decision, facts: Facts, target: Tier) -> Iterator[Blocker]:
    budget = policy.guards.budget
    one_rung = policy.rank(target.name) - policy.rank(decision.tier or target.name) <= 1
    if budget is None or (decision.emergency and budget.emergency == "pass" and one_rung):
        return
    month = facts.spend.with_target(target.monthly)
    if month > budget.monthly:
        about = "about " if facts.spend.estimated else ""
        yield Blocker(Why.BUDGET, detail=f"the month would come to {about}${month:.2f} of ${budget.monthly:.2f}")


def _consent(policy: Policy, decision: Decision, facts: Facts) -> Iterator[Blocker]:
    if facts.has_disk and not decision.emergency:
        yield Blocker(Why.DISK_DOWNTIME)
    approval = policy.approval
    needed = approval.scale_up if decision.ask is Ask.UP else approval.scale_down
    required = (approval.emergency if decision.emergency else needed) == "required" and not _is_return(decision)
    if required or (decision.fit_note and policy.mode is Mode.ACT):  # a fit that rests on little is asked
        yield Blocker(Why.APPROVAL_REQUIRED, detail=decision.fit_note)
    if policy.mode is Mode.ASK:
        yield Blocker(Why.MODE_ASK)
    if policy.mode is Mode.OBSERVE:
        yield Blocker(Why.MODE_OBSERVE)
