"""An emergency in place of a slower change, at any of its steps and against random Renders: it ends, whole, and in the right order."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.core.change import Direction, Rung, State
from autoscaler.core.durations import MINUTE, SECOND
from autoscaler.core.steps import SetPlan
from autoscaler.core.steps.emergency import in_place_of, replaced, turned_round, yields
from autoscaler.policyfile import load_text
from render_client.sim import configuration
from tests.core.test_steps import answers, deploys, lags, lucky, renders, scripts
from tests.support.played import DOWN, FINE, LARGE, SMALL, START, UP, Played, a_change
from tests.support.rig import POLICY as RIG_POLICY

HUGE = Rung("huge", "pro", 1, {"MAX_CONCURRENT": "40", "DB_POOL_SIZE": "12", "TTL": "900"}, 85.0)
LADDER = (SMALL, LARGE, HUGE)
POLICY = load_text(
    RIG_POLICY.replace(
        "emergency:", "  - {name: huge, plan: pro, env: {MAX_CONCURRENT: 40, DB_POOL_SIZE: 12}}\nemergency:"
    ),
    "policy.yaml",
).policy
FROM_LARGE = replace(a_change(LARGE, HUGE), id="chg-2", emergency=True)
FROM_SMALL = replace(a_change(SMALL, LARGE), id="chg-2", emergency=True)


def fits(plan, env):
    """No value of a larger tier than the plan's."""
    rank = [rung.plan for rung in LADDER].index(plan)
    allowed = [rung.env for rung in LADDER[: rank + 1]]
    return all(any(value == tier.get(name) for tier in allowed) for name, value in env.items())


def given_up(played, now):
    """The change after an emergency took its place, and the emergency."""
    earlier = played.change
    origin_runs = earlier.state is not State.SOAKING
    emergency = FROM_LARGE if origin_runs else FROM_SMALL
    emergency = replace(emergency, created_at=now, due_at=now)
    return replaced(earlier, emergency, now).change, in_place_of(emergency, earlier)


def take_place(played):
    first, played.change = given_up(played, played.now)
    assert first.state is State.SUPERSEDED


def watched(played):
    plan, _, env = played.configured
    assert fits(plan, env), f"{env} on {plan}"


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 25), scripts, renders, lags, answers)
def test_whatever_render_does_it_ends_whole(after, script, render, lag, replies):
    script, replies = dict(script), list(replies)
    played = Played(DOWN, list_lag=lag, **render)
    played.answers = lambda write: replies.pop(0) if replies else FINE

    def before(played):
        lucky(played, script.pop(played.looks, ""))
        watched(played)

    played.before_each = before
    for _ in range(after):
        if played.change.walking_back is None and played.change.state.is_open:
            played.step()
    if not yields(played.change, POLICY, POLICY.tier("huge")) or not played.change.state.is_open:
        return
    take_place(played)
    played.to_the_end()
    origin, target = played.change.origin, played.change.target
    assert all(fits(one.snapshot.plan, one.snapshot.env) for one in played.service.deploys if one.snapshot)
    configured, running = played.configured, (played.running.plan, dict(played.running.env))
    ended = played.change
    if ended.state is State.WATCHING:
        assert (configured, running) == ((target.plan, 1, target.env), (target.plan, target.env))
    elif ended.state is State.UNDONE:
        assert (configured, running) == ((origin.plan, 1, origin.env), (origin.plan, origin.env)), ended
    else:
        assert ended.outcome.startswith("could not be undone: "), ended


def test_our_deploy_is_cancelled_before_anything_else_is_written(begin):
    played = begin(DOWN, overlap="wait").until(lambda played: bool(played.change.attempts))
    take_place(played)
    before = len(played.writes)
    played.to_the_end()
    assert [write.words for write in played.writes[before:]][:2] == [
        f"cancel deploy {played.service.deploys[1].id} of ours",
        "set plan pro",
    ]
    assert [one.status for one in played.service.deploys] == ["deactivated", "canceled", "live"]


def test_a_call_of_the_earlier_change_that_arrives_late_is_put_right_and_deployed_again(begin):
    played = begin(DOWN).until(lambda played: "env:MAX_CONCURRENT" in played.change.written)
    take_place(played)
    played.until(lambda played: bool(played.change.attempts))
    configuration.patch(played.render, played.service, {"serviceDetails": {"plan": "starter"}}, played.now)
    played.to_the_end()
    assert played.change.state is State.WATCHING
    assert (played.running.plan, played.running.env) == (HUGE.plan, HUGE.env)
    assert [write for write in played.writes if write == SetPlan("pro")] == [SetPlan("pro")] * 2
    assert len(deploys(played)) == 2


def test_what_keeps_coming_back_is_left_to_whoever_does_it(begin):
    played = begin(DOWN).until(lambda played: "env:MAX_CONCURRENT" in played.change.written)
    take_place(played)
    played.before_each = lambda played: configuration.patch(
        played.render, played.service, {"serviceDetails": {"plan": "starter"}}, played.now
    )
    played.to_the_end()
    assert played.change.state is State.SUPERSEDED
    assert played.change.outcome == f"somebody set the plan to {played.shown('starter')}; what a person set is kept"
    assert played.configured[2]["MAX_CONCURRENT"] == "8"  # and not what belongs to a larger plan


@pytest.mark.parametrize(
    ("change", "target", "makes_way"),
    (
        (DOWN, "huge", True),
        (DOWN, None, True),
        (UP, "huge", True),
        (replace(UP, state=State.APPLYING), "scaled", False),
        (UP, "scaled", True),
        (UP, None, False),
        (replace(UP, state=State.SOAKING), "huge", True),
        (replace(DOWN, walking_back="a failed deploy"), "huge", False),
        (replace(DOWN, emergency=True), "huge", False),
    ),
    ids=str,
)
def test_what_makes_way(change, target, makes_way):
    assert yields(change, POLICY, POLICY.tier(target) if target else None) is makes_way


def test_a_downgrade_from_the_top_that_has_not_begun_ends_and_one_that_has_turns_round(begin):
    waiting = turned_round(DOWN, "memory", START)
    assert (waiting.change.state, waiting.change.outcome) == (
        State.SUPERSEDED,
        "emergency: memory; nothing was changed",
    )
    played = begin(DOWN, overlap="wait").until(lambda played: bool(played.change.attempts))
    played.change = turned_round(played.change, "memory", played.now).change
    played.to_the_end()
    assert (played.change.state, played.change.direction) == (State.UNDONE, Direction.DOWN)
    assert played.configured == (LARGE.plan, 1, LARGE.env)
    assert len(deploys(played)) == 1


def test_a_deploy_of_ours_that_is_long_under_way_is_cancelled_too_and_waited_for_a_minute_at_most(begin):
    played = begin(DOWN, overlap="wait").until(lambda played: bool(played.change.attempts))
    stuck = played.service.deploys[-1]
    stuck.fails_at = "update_in_progress"  # keeps it from going live, and nothing ends it
    stuck.phases.clear()
    played.before_each = lambda played: setattr(stuck, "status", "update_in_progress")
    played.now += 20 * MINUTE
    take_place(played)
    began = played.now
    played.until(lambda played: played.change.state is State.APPLYING)
    assert played.writes[-1].words == f"cancel deploy {stuck.id} of ours"
    assert MINUTE <= played.now - began <= MINUTE + 10 * SECOND
