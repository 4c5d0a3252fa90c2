"""decide(state, now): what the evidence asks for, before any guard."""

from dataclasses import dataclass, replace
from enum import StrEnum

from autoscaler.core.conditions import Condition
from autoscaler.core.durations import MINUTE
from autoscaler.core.fit import Misfit
from autoscaler.core.keys import Key, down_key, up_key
from autoscaler.core.metrics import Kind
from autoscaler.core.policy import AtLeast, Policy, Rules, Tier
from autoscaler.core.state import State
from autoscaler.core.together import Heard

RECENTLY = 15 * MINUTE
"""What a schedule raised is given back when the use of so long fits the smaller tier."""


class Ask(StrEnum):
    """What the conditions ask for."""

    UP = "up"
    DOWN = "down"
    HOLD = "hold"


class Role(StrEnum):
    """Where in the policy a condition stands."""

    UP = "up"
    DOWN = "down"
    EMERGENCY = "emergency"
    ALERT = "alert"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one condition is: what `explain`, the log line and the demo's bars show."""

    condition: str
    role: Role
    metric: str
    holds: bool
    value: float | None
    """The latest judged value, in the metric's base unit; None when there is none."""
    held: float
    """How much of its window it has held, 0 to 1."""
    covered: float
    """How much of its window has been seen, 0 to 1."""
    lacking: str | None = None
    """Why it can't be judged, in words: `window 40% seen`, `5 of 20 requests` …"""
    not_before: int | None = None
    """The earliest time at which it could hold, if all goes on as it does."""
    patience: int = 1
    """How many times its own window it must hold: 2, 4 or 8 after downs that failed."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the evidence asks for, before any guard."""

    at: int
    tier: str | None
    ask: Ask
    target: str | None
    """The tier asked for; None on hold, and at the end of the ladder."""
    emergency: bool
    reasons: tuple[Progress, ...]
    """The conditions that hold and ask for it."""
    progress: tuple[Progress, ...]
    """Every condition that matters on this rung."""
    alerts: tuple[str, ...] = ()
    """Names of the alerts that hold."""
    floor: str | None = None
    """The rung that an alert or a schedule asks for at least."""
    against: tuple[str, ...] = ()
    """Of a down: rules of the lower tier, and emergency rules, that hold on this very evidence."""
    misfits: tuple[Misfit, ...] = ()
    """Of a down: what would not fit the smaller tier."""
    fit_note: str = ""
    """Of a down: how little the fit rests on."""
    heard: Heard | None = None
    """Of a down: which of several instances were heard; None where there is but one."""
    deploy_loop: bool = False
    scheduled: bool = False
    """Whether it is a schedule's doing: an up to its floor, or the way back after it."""
    building: tuple[str, ...] = ()
    """Of a way back: up rules, of this rung and of the one below, that have begun to hold."""
    only_silence: bool = False
    """Of an up: whether nothing but `unreachable` asks for it, and neither CPU, memory nor a kill came before."""
    not_bound: str = ""
    """Of an up: why a bigger plan would not help, and what is slow."""
    unhelped: str = ""
    """Of an up: that the last one for the same cause did not help."""
    leak: str = ""
    """Of an up: that memory seems to leak, so that a restart would do as well."""
    taken_over_at: int | None = None
    """When somebody else last changed plan or count, ms UTC."""
    fought_at: int | None = None
    """When somebody took back what we changed for the second time within a day, ms UTC."""


_CLOCK = "time"
"""The metric of what only the time of day asks for."""


def decide(state: State, now: int) -> Decision:
    """What the evidence asks for at `now`. Up = any, down = all, up beats down, one rung at a time (design, Deciding 7)."""
    policy = state.policy
    alerts = tuple(_progress(state, alert.when, Role.ALERT, up_key(alert.when), now) for alert in policy.alerts)
    raised = tuple(alert.name for alert, progress in zip(policy.alerts, alerts, strict=True) if progress.holds)
    tier = policy.tier(state.tier) if state.tier else None
    if tier is None:
        return Decision(now, state.tier, Ask.HOLD, None, emergency=False, reasons=(), progress=alerts, alerts=raised)
    emergency = _upward(state, policy.emergency, Role.EMERGENCY, now)
    up = _upward(state, policy.up_rules(tier), Role.UP, now)
    down = _downward(state, tier, now)
    floor, floor_reasons = _floor(policy, alerts, now)
    base = Decision(
        now,
        tier.name,
        Ask.HOLD,
        None,
        emergency=False,
        reasons=(),
        progress=(*emergency, *up, *down, *alerts),
        alerts=raised,
        floor=floor,
        deploy_loop=state.is_deploy_loop(now),
        taken_over_at=state.lessons.taken_over_at,
        fought_at=state.lessons.fought_at,
    )
    if reasons := _satisfied(policy.emergency, emergency):
        to = policy.emergency.to if policy.emergency else None
        asked = _up(base, policy, tier, reasons, target=to, emergency=True)
        return replace(asked, only_silence=_is_only_silence(state, reasons))
    if reasons := _satisfied(policy.up_rules(tier), up):
        return _doubted(state, _up(base, policy, tier, reasons))
    if floor and policy.rank(floor) > policy.rank(tier.name):
        scheduled = all(reason.metric == _CLOCK for reason in floor_reasons)
        return replace(_up(base, policy, tier, floor_reasons), scheduled=scheduled)
    if (lender := _given_back_to(state, tier, floor)) is not None:
        return _give_back(base, state, tier, lender)
    reasons = _satisfied(policy.down_rules(tier), down)
    return _down(base, state, tier, reasons) if reasons else base


def suppose(state: State, now: int, ask: Ask, *, emergency: bool = False) -> Decision | None:
    """The decision if the rules asked for it now: of it `explain` shows what guards would say. None where they never can."""
    policy = state.policy
    decided = decide(state, now)
    tier = policy.tier(decided.tier) if decided.tier else None
    if tier is None:
        return None
    base = replace(decided, ask=Ask.HOLD, target=None, emergency=False, reasons=(), scheduled=False, building=())
    base = replace(base, only_silence=False, not_bound="", unhelped="", leak="")
    if ask is Ask.DOWN:
        return _down(base, state, tier, ()) if policy.down_rules(tier) and policy.neighbour(tier.name, -1) else None
    rules = policy.emergency if emergency else policy.up_rules(tier)
    if rules is None:
        return None
    target = policy.emergency.to if policy.emergency and emergency else None
    return _up(base, policy, tier, (), target=target, emergency=emergency)


def _up(
    base: Decision,
    policy: Policy,
    tier: Tier,
    reasons: tuple[Progress, ...],
    *,
    target: str | None = None,
    emergency: bool = False,
) -> Decision:
    if target is None or policy.rank(target) <= policy.rank(tier.name):
        above = policy.neighbour(tier.name, 1)
        target = above.name if above else None
    return replace(base, ask=Ask.UP, target=target, emergency=emergency, reasons=reasons)


def _down(base: Decision, state: State, tier: Tier, reasons: tuple[Progress, ...]) -> Decision:
    policy, now = state.policy, base.at
    lower = policy.neighbour(tier.name, -1)
    assert lower is not None  # noqa: S101 - on the lowest rung no down rule is judged
    up_rules = policy.up_rules(lower)
    against = (
        *_satisfied(up_rules, _upward(state, up_rules, Role.UP, now)),
        *_satisfied(policy.emergency, _upward(state, policy.emergency, Role.EMERGENCY, now)),
    )
    return replace(
        base,
        ask=Ask.DOWN,
        target=lower.name,
        reasons=reasons,
        against=tuple(progress.condition for progress in against),
        misfits=state.peaks.misfits(lower, policy.guards.headroom),
        fit_note=state.peaks.note(lower),
        heard=state.together.heard(now),
    )


def _doubted(state: State, decision: Decision) -> Decision:
    """An up that rules ask for, with what speaks against it (design, Evidence 5 and Deciding 10)."""
    metrics = frozenset(reason.metric for reason in decision.reasons)
    return replace(
        decision,
        only_silence=_is_only_silence(state, decision.reasons),
        not_bound=state.usage.not_bound(metrics, decision.at, _raised(state.policy, decision)),
        unhelped=state.usage.unhelped(metrics, decision.at),
        leak=state.usage.leak(metrics),
    )


def _raised(policy: Policy, decision: Decision) -> dict[str, float]:
    """The app's own limits of this rung that the one asked for raises, by env name."""
    here, there = (policy.tier(name or "") for name in (decision.tier, decision.target))
    if here is None or there is None:
        return {}
    pairs = {name: (value, there.env.get(name, "")) for name, value in here.env.items()}
    return {name: int(now) for name, (now, then) in pairs.items() if _is_less(now, then)}


def _is_less(now: str, then: str) -> bool:
    return now.isdecimal() and then.isdecimal() and int(now) < int(then)


def _is_only_silence(state: State, reasons: tuple[Progress, ...]) -> bool:
    return all(reason.metric == "unreachable" for reason in reasons) and not state.usage.strained()


def _given_back_to(state: State, tier: Tier, floor: str | None) -> Tier | None:
    """The rung from which a schedule raised this one, once no floor holds it any more."""
    policy = state.policy
    if floor and policy.rank(floor) >= policy.rank(tier.name):
        return None
    lower = policy.neighbour(tier.name, -1)
    return lower if lower and lower.name == state.lessons.lent_from else None


def _give_back(base: Decision, state: State, tier: Tier, lender: Tier) -> Decision:
    """Without windows: what is used now must fit, and no up rule may be building (design, Deciding 7)."""
    policy, now = state.policy, base.at
    ways_up = (policy.up_rules(lender), policy.up_rules(tier), policy.emergency)
    progress = [one for rules in ways_up for one in _upward(state, rules, Role.UP, now)]
    over = Progress("the schedule is over", Role.DOWN, _CLOCK, True, None, 1.0, 1.0)  # noqa: FBT003 - as in _floor
    return replace(
        _down(base, state, tier, (over,)),
        scheduled=True,
        building=tuple(dict.fromkeys(one.condition for one in progress if _is_building(policy, one))),
        misfits=state.peaks.misfits(lender, policy.guards.headroom, since=now - RECENTLY),
        fit_note="",
    )


def _is_building(policy: Policy, progress: Progress) -> bool:
    """A complaint is no trend: what is counted builds nothing before it holds."""
    is_trend = policy.vocabulary.by_name[progress.metric].kind not in {Kind.COUNTED, Kind.BUSINESS}
    return progress.holds or (is_trend and progress.held > 0)


def _floor(policy: Policy, alerts: tuple[Progress, ...], now: int) -> tuple[str | None, tuple[Progress, ...]]:
    """The highest rung that an alert or a schedule asks for at least, and what asks for it."""
    asked = [
        (alert.do.at_least, progress)
        for alert, progress in zip(policy.alerts, alerts, strict=True)
        if progress.holds and isinstance(alert.do, AtLeast)
    ]
    asked += [
        (schedule.at_least, Progress(f"schedule {schedule.during.text}", Role.ALERT, _CLOCK, True, None, 1.0, 1.0))  # noqa: FBT003 - a Progress is written out positionally
        for schedule in policy.schedules
        if schedule.during.contains(now)
    ]
    if not asked:
        return None, ()
    highest = max((name for name, _ in asked), key=policy.rank)
    return highest, tuple(progress for name, progress in asked if name == highest)


def _satisfied(rules: Rules | None, progress: tuple[Progress, ...]) -> tuple[Progress, ...]:
    """The conditions that hold, when they are enough: any of `any`, all of `all`."""
    holding = tuple(one for one in progress if one.holds)
    if rules is None or (rules.all is not None and len(holding) < len(progress)):
        return ()
    return holding


def _upward(state: State, rules: Rules | None, role: Role, now: int) -> tuple[Progress, ...]:
    conditions = rules.conditions if rules else ()
    return tuple(_progress(state, condition, role, up_key(condition), now) for condition in conditions)


def _downward(state: State, tier: Tier, now: int) -> tuple[Progress, ...]:
    rules = state.policy.down_rules(tier)
    conditions = rules.conditions if rules and state.policy.neighbour(tier.name, -1) else ()
    return tuple(
        _progress(state, condition, Role.DOWN, down_key(condition, state.policy, tier, state.patience), now)
        for condition in conditions
    )


def _progress(state: State, condition: Condition, role: Role, key: Key, now: int) -> Progress:
    standing = state.standing(key, now)
    return Progress(
        condition.text,
        role,
        condition.metric.name,
        standing.holds,
        standing.value,
        standing.held,
        standing.covered,
        standing.lacking,
        standing.not_before,
        key.patience,
    )
