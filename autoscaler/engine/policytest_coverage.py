"""What the tests of a policy reach: each condition made to hold, and nearly; each guard seen to block."""

from collections.abc import Iterable, Iterator, Sequence

from autoscaler.core.conditions import Condition
from autoscaler.core.evaluate import Progress, Role
from autoscaler.core.metrics import Kind
from autoscaler.core.policy import AtLeast, Policy
from autoscaler.core.why import Why
from autoscaler.engine.policytest import Look, Played
from autoscaler.engine.policytest_match import judged_looks
from autoscaler.report.cases import Coverage, Reached

CLOSE = 0.1
"""A value within a tenth of its bound is close to it."""
NEARLY_FULL = 0.9

_Rule = tuple[str, Role]


def coverage(path: str, policy: Policy, played: Iterable[Played]) -> Coverage:
    """Of all tests of one policy together."""
    rules = dict(_rules(policy))
    held: set[_Rule] = set()
    near: set[_Rule] = set()
    blocked: set[Why] = set()
    for one in played:
        held |= {(progress.condition, progress.role) for look in one.looks for progress in _of(look) if progress.holds}
        near |= set(_near(one, rules))
        blocked |= {blocker.why for look in one.looks for blocker in look.verdict.blockers}
    return Coverage(
        path,
        tuple(Reached(*rule, held=rule in held, near=rule in near) for rule in rules),
        tuple((why, why in blocked) for why in _guards(policy)),
    )


def _of(look: Look) -> Sequence[Progress]:
    return look.verdict.progress


def _rules(policy: Policy) -> Iterator[tuple[_Rule, Condition]]:
    for tier in policy.tiers:
        up, down = policy.up_rules(tier), policy.down_rules(tier)
        is_top, is_bottom = policy.neighbour(tier.name, 1) is None, policy.neighbour(tier.name, -1) is None
        if up and not is_top:
            yield from (((condition.text, Role.UP), condition) for condition in up.conditions)
        if down and not is_bottom:
            yield from (((condition.text, Role.DOWN), condition) for condition in down.conditions)
    if policy.emergency:
        yield from (((condition.text, Role.EMERGENCY), condition) for condition in policy.emergency.conditions)
    yield from (((alert.when.text, Role.ALERT), alert.when) for alert in policy.alerts)


def _guards(policy: Policy) -> Iterator[Why]:
    """Those that can block this policy."""
    approval, hours = policy.approval, policy.guards.not_during
    floors = [alert for alert in policy.alerts if isinstance(alert.do, AtLeast)]
    comes_down = any(policy.down_rules(tier) for tier in policy.tiers[1:])
    present = {
        Why.COOLDOWN: True,
        Why.MAX_CHANGES: True,
        Why.FLOOR: comes_down and bool(floors or policy.schedules),
        Why.DOES_NOT_FIT: comes_down,
        Why.NOT_DURING: hours.scale_up is not None or hours.scale_down is not None,
        Why.BUDGET: policy.guards.budget is not None,
        Why.APPROVAL_REQUIRED: "required" in {approval.scale_up, approval.scale_down, approval.emergency},
    }
    return (why for why in Why if present.get(why))


def _near(played: Played, rules: dict[_Rule, Condition]) -> Iterator[_Rule]:
    """Rules that nearly held at a poll of which the test says what comes."""
    judged = _judged(played)
    before: dict[_Rule, Progress] = {}
    for look in played.looks:
        at, now = look.verdict.at, {(progress.condition, progress.role): progress for progress in _of(look)}
        for rule, progress in now.items():
            role = Role.ALERT if progress.role is Role.ALERT else Role.UP
            if rule not in rules or progress.holds or (at, role) not in judged:
                continue
            if _is_close(rules[rule], progress) or _broke_off(before.get(rule), progress):
                yield rule
        before = now


def _judged(played: Played) -> set[tuple[int, Role]]:
    """Polls whose outcome is expected: of changes, and of alerts (here by one role each)."""
    case = played.script.case
    looks: list[tuple[int, Role]] = []
    for expectation in case.expect:
        if expectation.by is None and (expectation.verdict or expectation.why):
            looks += [(look.verdict.at, Role.UP) for look in judged_looks(expectation, played)]
    for listed, role in ((case.changes, Role.UP), (case.alerts, Role.ALERT)):
        if listed is not None:
            looks += [(look.verdict.at, role) for look in played.looks]
    return set(looks)


def _is_close(condition: Condition, progress: Progress) -> bool:
    """Judged, and on the calm side of its bound, but within a tenth of it; of what is counted, one too few."""
    value, bound = progress.value, condition.bound
    if value is None or progress.lacking is not None or condition.op.holds(value, bound):
        return False
    if condition.metric.kind is Kind.COUNTED:
        return condition.op.holds(value + 1, bound)
    return abs(value - bound) <= CLOSE * bound


def _broke_off(before: Progress | None, now: Progress) -> bool:
    """A window that was nearly full, and begins anew."""
    return before is not None and not before.holds and before.held >= NEARLY_FULL and now.held < before.held / 2
