"""Every guard: what brings it, what lifts it, and that all of them are judged."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.durations import DAY, HOUR, MINUTE
from autoscaler.core.evaluate import Ask, Decision, Progress, Role
from autoscaler.core.facts import Facts, Pause
from autoscaler.core.fit import Misfit
from autoscaler.core.guards import Verdict, judge
from autoscaler.core.metrics import METRICS
from autoscaler.core.money import Spend
from autoscaler.core.policy import Policy
from autoscaler.core.together import Heard
from autoscaler.core.why import Why
from tests.support.evidence import START, a_policy, facts

NOW = START
"""Monday, 8 o'clock UTC."""
POLICY = a_policy()
REASON = Progress("memory_usage > 400MB for 30m", Role.UP, "memory_usage", holds=True, value=1.0, held=1.0, covered=1.0)
UP = Decision(NOW, "mvp", Ask.UP, "scaled", emergency=False, reasons=(REASON,), progress=(REASON,))
DOWN = replace(UP, tier="scaled", ask=Ask.DOWN, target="mvp")
EMERGENCY = replace(UP, emergency=True)
HOLD = replace(UP, ask=Ask.HOLD, target=None, reasons=())
SILENT = Progress("unreachable for 5m", Role.UP, "unreachable", holds=True, value=1.0, held=1.0, covered=1.0)
AWAY = replace(UP, reasons=(SILENT,))
RETURN = replace(DOWN, scheduled=True)
"""What a schedule raised is given back."""
MISFIT = Misfit(METRICS["memory_usage"], 9e8, 4e8, NOW - DAY)


def _judge(decision: Decision = UP, policy: Policy = POLICY, **known: Any) -> Verdict:
    return judge(policy, decision, facts(**known))


def _whys(verdict: Verdict) -> list[Why]:
    return [blocker.why for blocker in verdict.blockers]


BUDGET = a_policy(more="guards: {budget: {monthly: 20}}")
CLOSED = a_policy(more='guards: {not_during: {scale_up: "mon 07:00-20:00 UTC", scale_down: "mon 07:00-20:00 UTC"}}')
REQUIRED = a_policy(
    more="approval: {scale_up: required, scale_down: required, emergency: required, approvers: [U024BE7LH]}"
)
ASK = a_policy(mode="ask")
OBSERVE = a_policy(mode="observe")

WIDE = POLICY.model_copy(
    update={"tiers": tuple(tier.model_copy(update={"instances": n + 1}) for n, tier in enumerate(POLICY.tiers))}
)
MINE = Pause("srv-1", NOW - HOUR, NOW + HOUR, down_only=True, who="ada")

CASES: dict[Why, tuple[Decision, Policy, dict[str, Any], Decision, Policy, dict[str, Any]]] = {
    # what yields it: decision, policy, facts; and the same with one thing changed, which does not
    Why.GO: (UP, POLICY, {}, HOLD, POLICY, {}),
    Why.STEADY: (HOLD, POLICY, {}, UP, POLICY, {}),
    Why.TIER_UNKNOWN: (HOLD, POLICY, {"tier_known": False}, HOLD, POLICY, {}),
    Why.OFF_LADDER: (replace(HOLD, tier=None), POLICY, {}, HOLD, POLICY, {}),
    Why.SUSPENDED: (UP, POLICY, {"suspended": True}, UP, POLICY, {}),
    Why.PAUSED: (DOWN, POLICY, {"pause": MINE}, UP, POLICY, {"pause": MINE}),
    Why.BUILD_NOT_LIVE: (
        UP,
        POLICY,
        {"build_not_live": "deploy dep-2 was rolled back"},
        replace(UP, emergency=True),
        POLICY,
        {"build_not_live": "deploy dep-2 was rolled back"},
    ),
    Why.WIDE_REFUSED: (UP, WIDE, {"render_autoscaling": True}, UP, POLICY, {"render_autoscaling": True}),
    Why.NOT_DEPLOYED: (UP, POLICY, {"not_deployed": "pro"}, UP, POLICY, {"not_deployed": "standard"}),
    Why.FIGHT: (replace(UP, fought_at=NOW), POLICY, {}, replace(UP, fought_at=NOW - 7 * DAY), POLICY, {}),
    Why.OBSERVER_SUSPECT: (UP, POLICY, {"observer_suspect": "4 of 5 services"}, UP, POLICY, {}),
    Why.UNREACHABLE: (replace(AWAY, only_silence=True), POLICY, {}, AWAY, POLICY, {}),
    Why.CHANGE_OPEN: (UP, POLICY, {"open_change": "chg-1"}, UP, POLICY, {}),
    Why.AT_TOP: (replace(UP, tier="large", target=None), POLICY, {}, UP, POLICY, {}),
    Why.INSTANCES_UNSEEN: (
        replace(DOWN, heard=Heard(runs=2, fresh=1, within=5 * MINUTE, lately=1, named=True, gap="")),
        POLICY,
        {},
        replace(DOWN, heard=Heard(runs=2, fresh=2, within=5 * MINUTE, lately=2, named=True, gap="")),
        POLICY,
        {},
    ),
    Why.LOWER_TIER_WOULD_GO_UP: (replace(DOWN, against=("x",)), POLICY, {}, DOWN, POLICY, {}),
    Why.FLOOR: (replace(DOWN, floor="scaled"), POLICY, {}, replace(DOWN, floor="mvp"), POLICY, {}),
    Why.DOES_NOT_FIT: (replace(DOWN, misfits=(MISFIT,)), POLICY, {}, DOWN, POLICY, {}),
    Why.UP_BUILDING: (replace(RETURN, building=("x",)), POLICY, {}, RETURN, POLICY, {}),
    Why.RESPECT: (
        replace(DOWN, taken_over_at=NOW - 12 * HOUR + 1),
        POLICY,
        {},
        replace(DOWN, taken_over_at=NOW - 12 * HOUR),
        POLICY,
        {},
    ),
    Why.NOT_RESOURCE_BOUND: (replace(UP, not_bound="the database pool is full"), POLICY, {}, UP, POLICY, {}),
    Why.DID_NOT_HELP: (replace(UP, unhelped="9s before, 9s after"), POLICY, {}, UP, POLICY, {}),
    Why.DEPLOY_LOOP: (replace(UP, deploy_loop=True), POLICY, {}, UP, POLICY, {}),
    Why.COOLDOWN: (
        UP,
        POLICY,
        {"last_change_ended": NOW - 29 * MINUTE},
        UP,
        POLICY,
        {"last_change_ended": NOW - 30 * MINUTE},
    ),
    Why.QUARANTINE: (
        replace(UP, emergency=True),
        POLICY,
        {"failed_tries": 2, "failed_at": NOW - 20 * MINUTE + 1},
        replace(UP, emergency=True),
        POLICY,
        {"failed_tries": 2, "failed_at": NOW - 20 * MINUTE},
    ),
    Why.MAX_CHANGES: (UP, POLICY, {"changes_today": (NOW - 1,) * 4}, UP, POLICY, {"changes_today": (NOW - 1,) * 3}),
    Why.NOT_DURING: (UP, CLOSED, {}, replace(UP, at=NOW + DAY), CLOSED, {}),
    Why.BUDGET: (
        UP,
        BUDGET,
        {"spend": Spend(7.51, estimated=False, month_left=0.5)},
        UP,
        BUDGET,
        {"spend": Spend(7.5, estimated=False, month_left=0.5)},
    ),
    Why.DISK_DOWNTIME: (UP, POLICY, {"has_disk": True}, UP, POLICY, {}),
    Why.APPROVAL_REQUIRED: (UP, REQUIRED, {}, UP, POLICY, {}),
    Why.DECLINED: (UP, ASK, {"declined": (NOW + 1, "ada said no")}, UP, ASK, {"declined": (NOW, "ada said no")}),
    Why.MODE_ASK: (UP, ASK, {}, UP, POLICY, {}),
    Why.MODE_OBSERVE: (UP, OBSERVE, {}, UP, POLICY, {}),
}


@pytest.mark.parametrize("why", tuple(Why))
def test_every_reason_has_something_that_yields_it_and_something_that_does_not(why):
    decision, policy, known, other, other_policy, other_known = CASES[why]
    assert _judge(decision, policy, **known).why is why
    assert _judge(other, other_policy, **other_known).why is not why


def _everything(decision: Decision) -> Verdict:
    policy = a_policy(
        mode="ask",
        more='guards: {budget: {monthly: 20}, not_during: {scale_up: "mon 07:00-20:00 UTC", scale_down: "mon 07:00-20:00 UTC"}}\n'
        "approval: {scale_up: required, scale_down: required, approvers: [U024BE7LH]}",
    )
    everything = facts(
        spend=Spend(99.0, estimated=False, month_left=0.5),
        suspended=True,
        has_disk=True,
        open_change="chg-1",
        last_change_ended=NOW - 1,
        changes_today=(NOW - 2, NOW - 1, NOW - 1, NOW - 1),
    )
    return judge(policy, replace(decision, deploy_loop=True), everything)


def test_all_guards_are_judged_and_not_only_the_first():
    assert _whys(_everything(replace(AWAY, only_silence=True, not_bound="x", unhelped="x"))) == [
        Why.SUSPENDED,
        Why.UNREACHABLE,
        Why.CHANGE_OPEN,
        Why.DEPLOY_LOOP,
        Why.COOLDOWN,
        Why.MAX_CHANGES,
        Why.NOT_DURING,
        Why.BUDGET,
        Why.DISK_DOWNTIME,
        Why.NOT_RESOURCE_BOUND,
        Why.DID_NOT_HELP,
        Why.APPROVAL_REQUIRED,
        Why.MODE_ASK,
    ]
    down = replace(DOWN, against=("x",), floor="large", misfits=(MISFIT,), taken_over_at=NOW - 1)
    assert _whys(_everything(down)) == [
        Why.SUSPENDED,
        Why.CHANGE_OPEN,
        Why.LOWER_TIER_WOULD_GO_UP,
        Why.FLOOR,
        Why.DOES_NOT_FIT,
        Why.RESPECT,
        Why.DEPLOY_LOOP,
        Why.COOLDOWN,
        Why.MAX_CHANGES,
        Why.NOT_DURING,
        Why.DISK_DOWNTIME,
        Why.APPROVAL_REQUIRED,
        Why.MODE_ASK,
    ]


ANY_FACTS = st.builds(
    Facts,
    service_id=st.just("srv-abc123"),
    service=st.just("api"),
    spend=st.builds(Spend, st.floats(0, 100), estimated=st.booleans(), month_left=st.floats(0, 1)),
    tier_known=st.booleans(),
    suspended=st.booleans(),
    has_disk=st.booleans(),
    open_change=st.none() | st.just("chg-1"),
    last_change_ended=st.none() | st.integers(NOW - 2 * DAY, NOW),
    declined=st.sampled_from((None, (NOW + DAY, "ada said no"), (NOW - 1, "nobody answered"))),
    doubts=st.sampled_from(((), ("Render does not answer either",))),
    observer_suspect=st.sampled_from(("", "4 of 5 services")),
    changes_today=st.lists(st.integers(NOW - 2 * DAY, NOW), max_size=7).map(tuple),
)
ANY_DECISION = st.builds(
    replace,
    st.sampled_from((UP, AWAY, DOWN, RETURN, EMERGENCY, HOLD, replace(UP, tier="large", target=None))),
    against=st.sampled_from(((), ("x",))),
    floor=st.sampled_from((None, "mvp", "scaled")),
    misfits=st.sampled_from(((), (MISFIT,))),
    fit_note=st.sampled_from(("", "only 1d of 7d history")),
    deploy_loop=st.booleans(),
    only_silence=st.booleans(),
    not_bound=st.sampled_from(("", "x")),
    unhelped=st.sampled_from(("", "x")),
    taken_over_at=st.none() | st.integers(NOW - 2 * DAY, NOW),
)
ANY_POLICY = st.sampled_from((POLICY, BUDGET, CLOSED, REQUIRED, ASK, OBSERVE))


@given(decision=ANY_DECISION, known=ANY_FACTS, policy=ANY_POLICY)
def test_it_goes_only_when_nothing_blocks_and_the_first_blocker_in_order_is_why(decision, known, policy):
    verdict = judge(policy, decision, known)
    order = list(Why)
    whys = _whys(verdict)
    assert all(order.index(one) <= order.index(other) for one, other in pairwise(whys))
    assert not {Why.GO, Why.STEADY} & set(whys)
    assert verdict.goes == (not whys and decision.ask is not Ask.HOLD)
    assert verdict.why is (whys[0] if whys else Why.STEADY if decision.ask is Ask.HOLD else Why.GO)
    times = [blocker.until for blocker in verdict.blockers]
    assert verdict.not_before == (None if None in times or not times else max(times))
    if verdict.goes:
        assert policy.mode == "act"
        assert verdict.target is not None


@given(decision=ANY_DECISION, known=ANY_FACTS)
def test_what_blocks_until_a_time_does_not_block_at_that_time(decision, known):
    for blocker in judge(CLOSED, decision, known).blockers:
        if blocker.until is not None:
            assert blocker.until > NOW
            before = judge(CLOSED, replace(decision, at=blocker.until - 1000), known)
            at = judge(CLOSED, replace(decision, at=blocker.until), known)
            assert blocker.why in _whys(before)
            assert blocker.why not in _whys(at)


@pytest.mark.parametrize("ended", (29, 0))
def test_a_cooldown_runs_from_the_end_of_the_last_change_either_way(ended):
    blocker = _judge(UP, last_change_ended=NOW - ended * MINUTE).blockers[0]
    assert (blocker.why, blocker.until) == (Why.COOLDOWN, NOW + (30 - ended) * MINUTE)
    assert _judge(DOWN, last_change_ended=NOW - ended * MINUTE).blockers[0].until == NOW + 6 * HOUR - ended * MINUTE
    assert _judge(DOWN, last_change_ended=NOW - 6 * HOUR).goes


def test_an_emergency_passes_cooldown_and_the_count_of_changes_and_the_deploy_loop():
    known = {"last_change_ended": NOW - 1, "changes_today": (NOW - 1,) * 9}
    assert _judge(replace(EMERGENCY, deploy_loop=True), **known).goes
    assert _whys(_judge(replace(UP, deploy_loop=True), **known)) == [Why.DEPLOY_LOOP, Why.COOLDOWN, Why.MAX_CHANGES]


def test_an_emergency_passes_the_hours_and_the_disk():
    assert _judge(EMERGENCY, CLOSED, has_disk=True).goes


def test_the_last_change_of_the_day_is_kept_for_an_up():
    three = (NOW - 3 * HOUR, NOW - 2 * HOUR, NOW - HOUR)
    assert _judge(UP, changes_today=three).goes
    held = _judge(DOWN, changes_today=three)
    assert (held.why, held.not_before) == (Why.MAX_CHANGES, NOW - 3 * HOUR + DAY)
    assert _judge(DOWN, changes_today=three[1:]).goes
    assert _judge(UP, changes_today=(*three, NOW)).not_before == NOW - 3 * HOUR + DAY


def test_changes_roll_over_24_hours():
    assert _judge(UP, changes_today=(NOW - DAY,) * 4).goes
    assert _judge(UP, changes_today=(NOW - DAY + 1,) * 4).not_before == NOW + 1


def test_with_one_change_a_day_nothing_comes_down():
    one = a_policy(more="guards: {max_changes: 1 per day}")
    assert (_judge(DOWN, one).why, _judge(DOWN, one).not_before) == (Why.MAX_CHANGES, None)
    assert _judge(UP, one).goes


def test_the_budget_counts_what_was_spent_and_the_rest_of_the_month_at_the_targets_price():
    tight = Spend(7.51, estimated=True, month_left=0.5)
    held = _judge(UP, BUDGET, spend=tight)
    assert held.blockers[0].detail == "the month would come to about $20.01 of $20.00"
    assert held.not_before is None
    assert "about" not in _judge(UP, BUDGET, spend=replace(tight, estimated=False)).blockers[0].detail


def test_an_exhausted_budget_holds_no_down():
    assert _judge(DOWN, BUDGET, spend=Spend(500.0, estimated=False, month_left=0.5)).goes


def test_an_emergency_passes_the_budget_unless_told_otherwise():
    spent = Spend(500.0, estimated=False, month_left=0.5)
    assert _judge(EMERGENCY, BUDGET, spend=spent).goes
    strict = a_policy(more="guards: {budget: {monthly: 20, emergency: hold}}")
    assert _judge(EMERGENCY, strict, spend=spent).why is Why.BUDGET


def test_an_emergency_passes_the_budget_by_one_rung_only():
    spent = Spend(500.0, estimated=False, month_left=0.5)
    assert _judge(replace(EMERGENCY, target="large"), BUDGET, spend=spent).why is Why.BUDGET


def test_a_fit_that_rests_on_little_is_asked_and_says_so():
    note = "only 1d of 7d history"
    for policy in (POLICY, REQUIRED):
        held = _judge(replace(DOWN, fit_note=note), policy)
        assert [(blocker.why, blocker.detail) for blocker in held.blockers] == [(Why.APPROVAL_REQUIRED, note)]


@pytest.mark.parametrize("decision", (UP, DOWN, EMERGENCY))
@pytest.mark.parametrize(("policy", "why"), ((ASK, Why.MODE_ASK), (OBSERVE, Why.MODE_OBSERVE)))
def test_modes_ask_and_observe_never_go(decision, policy, why):
    assert _whys(_judge(decision, policy)) == [why]


@pytest.mark.parametrize("way", ("scale_up", "scale_down", "emergency"))
def test_approval_is_required_for_what_the_policy_names(way):
    policy = a_policy(more=f"approval: {{{way}: required, approvers: [U024BE7LH]}}")
    decisions = {"scale_up": UP, "scale_down": DOWN, "emergency": EMERGENCY}
    for name, decision in decisions.items():
        assert _judge(decision, policy).goes == (name != way)


def test_hours_in_which_nothing_may_begin_say_when_they_end():
    held = _judge(UP, CLOSED)
    assert held.not_before == round(datetime(2026, 6, 1, 20, tzinfo=UTC).timestamp() * 1000)


def test_a_silence_scales_only_with_a_cause_and_a_witness():
    assert _judge(AWAY).goes
    held = _judge(replace(AWAY, only_silence=True), doubts=("a deploy is under way",))
    assert [blocker.detail for blocker in held.blockers] == [
        "no CPU over 90%, memory over 85% or OOM kill in the ten minutes before, a deploy is under way"
    ]
    assert _judge(AWAY, doubts=("a deploy is under way",)).why is Why.UNREACHABLE
    assert _judge(replace(AWAY, emergency=True, only_silence=True)).why is Why.UNREACHABLE


def test_what_else_asks_for_an_up_needs_no_witness_of_a_silence():
    assert _judge(replace(AWAY, reasons=(SILENT, REASON)), doubts=("Render does not answer either",)).goes


def test_what_a_schedule_raised_is_given_back_without_cooldown_count_or_approval():
    known = {"last_change_ended": NOW - 1, "changes_today": (NOW - 1,) * 9}
    assert _judge(RETURN, REQUIRED, **known).goes
    assert _judge(DOWN, REQUIRED, **known).why is Why.COOLDOWN
    assert _judge(replace(UP, scheduled=True), **known).why is Why.COOLDOWN  # only the way back passes


@pytest.mark.parametrize(
    ("change", "policy", "why"),
    (
        ({"against": ("x",)}, POLICY, Why.LOWER_TIER_WOULD_GO_UP),
        ({"floor": "scaled"}, POLICY, Why.FLOOR),
        ({"misfits": (MISFIT,)}, POLICY, Why.DOES_NOT_FIT),
        ({"deploy_loop": True}, POLICY, Why.DEPLOY_LOOP),
        ({"taken_over_at": NOW - 1}, POLICY, Why.RESPECT),
        ({}, CLOSED, Why.NOT_DURING),
        ({}, ASK, Why.MODE_ASK),
        ({}, OBSERVE, Why.MODE_OBSERVE),
    ),
)
def test_giving_back_passes_nothing_else(change, policy, why):
    assert _judge(replace(RETURN, **change), policy).why is why


def test_what_somebody_changed_holds_downs_for_12_hours_and_no_up():
    held = _judge(replace(DOWN, taken_over_at=NOW - HOUR))
    assert (held.why, held.not_before) == (Why.RESPECT, NOW + 11 * HOUR)
    shorter = a_policy(more="guards: {respect: 1h}")
    assert _judge(replace(DOWN, taken_over_at=NOW - HOUR), shorter).goes
    assert _judge(replace(UP, taken_over_at=NOW - HOUR)).goes
    assert _judge(replace(EMERGENCY, taken_over_at=NOW - HOUR)).goes


def test_a_leak_is_told_and_holds_nothing():
    verdict = _judge(replace(UP, leak="memory rose"))
    assert (verdict.goes, verdict.leak) == (True, "memory rose")


def test_what_stands_above_the_floor_may_come_down_to_it():
    assert _judge(replace(DOWN, tier="large", target="scaled", floor="scaled")).goes


def test_a_verdict_tells_what_it_costs():
    verdict = _judge(UP)
    assert (verdict.monthly_now, verdict.monthly_then) == (7, 25)
    assert _judge(HOLD).monthly_then is None


def test_a_verdict_tells_which_signals_it_spends():
    complaints = replace(REASON, condition="complaints >= 3 within 24h", metric="complaints")
    assert _judge(replace(UP, reasons=(REASON, complaints))).spent == ("complaints",)


def test_it_is_the_same_verdict_while_kind_reason_blockers_and_tier_are_the_same():
    assert _judge(UP).key == _judge(replace(UP, at=NOW + HOUR)).key
    others = (
        _judge(DOWN),
        _judge(EMERGENCY),
        _judge(UP, suspended=True),
        _judge(replace(UP, tier="scaled", target="large")),
    )
    assert len({_judge(UP).key, *(other.key for other in others)}) == 5


def test_a_pause_of_all_holds_an_emergency_too_and_says_whose_it_is():
    pause = replace(MINE, down_only=False, note="moving the database")
    (blocker,) = [one for one in _judge(replace(UP, emergency=True), pause=pause).blockers if one.why is Why.PAUSED]
    assert (blocker.until, blocker.detail) == (NOW + HOUR, "by ada: moving the database")


def test_with_a_disk_there_is_one_instance():
    assert Why.WIDE_REFUSED in _whys(_judge(UP, WIDE, has_disk=True))


def test_of_an_image_no_commit_can_be_built_so_also_an_emergency_waits_for_its_build():
    emergency = replace(UP, emergency=True)
    assert Why.BUILD_NOT_LIVE in _whys(_judge(emergency, build_not_live="x", image_backed=True))
