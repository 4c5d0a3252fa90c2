"""Soak and watch as pure steps: what is walked back, which way, for what, and what is said of the rest."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.core.change import AppSeen, Change, DeploySeen, Direction, State, World
from autoscaler.core.durations import HOUR, MINUTE, SECOND
from autoscaler.core.steps import AskDeploy, Become, SetEnv, SetPlan, Wait, next_step, outrun
from autoscaler.core.steps.verify import LAST_POLLS
from render_client.sim.controls import dashboard, fail_next_deploy, push
from render_client.sim.state import Refused
from tests.support.played import DOWN, IN, LARGE, LOOK, OUT, SMALL, SOAK, START, UP, Played

STRAIN = "memory is at 91% of its limit"
LIVE = DeploySeen("dep-1", "live", "api", START, "c1")
APP = AppSeen(START + MINUTE)


def seen(change: Change, **more: Any) -> World:
    target = change.target
    return World(target.plan, target.instances, target.env, (LIVE,), **{"app": APP} | more)


def soaking(change: Change, now: int = START + SOAK, **more: Any):
    soaks = replace(change, state=State.SOAKING, live_at=START)
    return next_step(soaks, seen(change, **more), now, LOOK)


def watching(change: Change, now: int = START + 3 * MINUTE, **more: Any):
    fields = {name: more.pop(name) for name in ("unproven", "crashes_told", "watch") if name in more}
    watched = replace(change, state=State.WATCHING, live_at=START, outcome="it is live", **fields)
    return next_step(watched, seen(change, **more), now, LOOK)


def is_walked_back(step: object) -> bool:
    return isinstance(step, Become) and step.change.walking_back is not None


# By direction ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", (DOWN, IN))
@pytest.mark.parametrize("look", (soaking, watching))
def test_a_downgrade_under_strain_is_returned_at_once(change, look):
    step = look(change, START + SECOND, strain=STRAIN)
    assert is_walked_back(step)
    assert step.change.state is State.APPLYING
    assert step.change.walking_back == f"returned: {STRAIN}"
    assert step.told == f"Returned: {STRAIN}. Going back to {change.origin.tier} ({change.origin.plan})."


@pytest.mark.parametrize("change", (UP, OUT))
@pytest.mark.parametrize("look", (soaking, watching))
def test_an_upgrade_is_not_walked_back_for_what_load_does(change, look):
    assert not is_walked_back(look(change, strain=STRAIN))


@pytest.mark.parametrize("change", (UP, DOWN))
@pytest.mark.parametrize(("failures", "back"), ((2, False), (3, True)))
def test_three_failures_of_instances_in_the_soak_are_a_crash_loop(change, failures, back):
    step = soaking(change, START + 30 * SECOND, crashes=tuple(range(START, START + failures)))
    assert is_walked_back(step) is back
    if back:
        assert step.change.walking_back == "its instances failed 3 times since it went live"


@given(
    live=st.integers(0, 20 * MINUTE),
    crashes=st.lists(st.integers(START, START + HOUR), max_size=6),
    strain=st.sampled_from(("", STRAIN)),
    few=st.sampled_from((None, 0.0, 3.0)),
    app=st.sampled_from((None, AppSeen(START - 1), APP)),
    silence=st.sampled_from((None, (START, START + MINUTE))),
    change=st.sampled_from((UP, OUT, DOWN, IN)),
)
def test_in_the_watch_an_up_is_never_walked_back_and_a_down_exactly_under_strain(
    live, crashes, strain, few, app, silence, change
):
    world = {"crashes": tuple(crashes), "strain": strain, "few_requests": few, "app": app, "silence": silence}
    step = watching(change, START + live, **world)
    assert is_walked_back(step) is (bool(strain) and change.direction is Direction.DOWN)


# How often it is looked at, and the end -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("change", "wait"), ((UP, 10 * MINUTE), (DOWN, MINUTE)))
def test_a_down_is_looked_at_every_minute_and_an_up_seldom(change, wait):
    step = watching(change, START + MINUTE, watch=24 * HOUR)
    assert step == Wait(START + MINUTE + wait, "watching")


def test_what_soaks_is_looked_at_every_half_minute_but_not_beyond_its_end():
    assert soaking(replace(UP, soak=HOUR), START + MINUTE) == Wait(START + 90 * SECOND, "soaking")
    assert soaking(UP, START + SOAK - 1) == Wait(START + SOAK, "soaking")


@pytest.mark.parametrize("change", (UP, DOWN))
def test_the_watch_ends_once_its_last_polls_are_in(change):
    over = START + change.watch + LAST_POLLS
    assert watching(change, over - 1) == Wait(over, "watching")
    step = watching(change, over)
    assert step.change.state is State.DONE
    assert step.told is None


def test_strain_in_the_last_moment_still_counts():
    assert is_walked_back(watching(DOWN, START + DOWN.watch + LAST_POLLS, strain=STRAIN))


def test_without_a_watch_it_is_done_as_the_soak_ends():
    done = watching(UP, START + SOAK, watch=0)
    assert done.change.state is State.DONE


def test_an_ended_soak_is_looked_at_as_what_is_watched_at_once():
    step = soaking(DOWN)
    assert (step.change.state, step.change.due_at) == (State.WATCHING, START + SOAK)


# Proven, and not yet --------------------------------------------------------------------------------------------------------


def test_few_requests_are_said_and_the_watch_goes_on():
    step = soaking(UP, few_requests=3.0)
    assert step.change.state is State.WATCHING
    assert step.change.unproven
    assert step.change.outcome == "standard is live and the app answers; unproven (3 requests so far)"


def test_enough_requests_prove_it_at_the_end_of_the_soak():
    step = soaking(UP)
    assert not step.change.unproven
    assert step.change.outcome == "standard is live and the app answers"


def test_what_is_proven_later_is_noted_once_and_quietly():
    step = watching(UP, START + 2 * HOUR, unproven=True, watch=24 * HOUR)
    assert step.change.outcome == "standard is live and the app answers, proven 2h after it went live"
    assert step.told is None
    again = next_step(step.change, seen(UP), START + 2 * HOUR, LOOK)
    assert isinstance(again, Wait)


@pytest.mark.parametrize("world", ({"few_requests": 4.0}, {"app": None}, {"app": AppSeen(START - 1)}))
def test_silence_and_few_requests_prove_nothing_in_the_watch_either(world):
    assert isinstance(watching(UP, unproven=True, **world), Wait)


# A crash loop in the watch --------------------------------------------------------------------------------------------------

CRASHES = (START + MINUTE, START + 2 * MINUTE, START + 150 * SECOND)


@pytest.mark.parametrize("change", (UP, DOWN))
def test_a_crash_loop_in_the_watch_is_told_once_and_nothing_is_walked_back(change):
    step = watching(change, crashes=CRASHES)
    assert step.change.state is State.WATCHING
    assert step.told == "Instances of holisticos-api failed 3 times within an hour"
    assert isinstance(watching(change, crashes=CRASHES, crashes_told=True), Wait)


def test_two_failures_in_the_watch_are_none():
    assert isinstance(watching(UP, crashes=CRASHES[:2]), Wait)


# The way back ---------------------------------------------------------------------------------------------------------------


class Watched(Played):
    """One whose looks may also show what the app says of its plan."""

    strain = ""

    def observe(self) -> World:
        world = super().observe()
        shrunk = self.change.direction is Direction.DOWN and self.change.walking_back is None
        return replace(world, strain=self.strain if shrunk and self.change.live_at else "")

    def to_its_last(self) -> "Watched":
        """Also through the watch."""
        return self.until(lambda played: played.change.state.is_final)


def test_the_way_back_sets_the_plan_first_and_deploys_once():
    played = Watched(DOWN)
    played.to_the_end()
    played.writes.clear()
    played.strain = STRAIN
    played.to_its_last()
    assert played.change.state is State.UNDONE
    assert played.change.outcome == f"returned: {STRAIN}; back on standard"
    first, *values, last = played.writes
    assert first == SetPlan("standard")
    assert {write.name for write in values if isinstance(write, SetEnv)} == {"MAX_CONCURRENT", "DB_POOL_SIZE"}
    assert isinstance(last, AskDeploy)


def test_a_return_whose_deploy_fails_needs_a_person():
    played = Watched(DOWN)
    played.to_the_end()
    fail_next_deploy(played.service)
    played.strain = STRAIN
    played.to_its_last()
    assert played.change.state is State.FAILED
    assert played.change.outcome.startswith("could not be undone: ")


def test_what_a_person_set_in_the_watch_stays():
    played = Watched(DOWN)
    played.to_the_end()
    dashboard(played.render, played.service, played.now, env={"DB_POOL_SIZE": "4"}, deploy=False)
    played.strain = STRAIN
    played.to_its_last()
    plan, _, env = played.configured
    assert (plan, env["DB_POOL_SIZE"], env["MAX_CONCURRENT"]) == ("standard", "4", "20")


def test_a_plan_that_a_person_set_in_the_watch_stays():
    played = Watched(DOWN)
    played.to_the_end()
    dashboard(played.render, played.service, played.now, plan="pro", deploy=True)
    played.now += MINUTE
    played.strain = STRAIN
    played.to_its_last()
    assert played.configured[0] == "pro"
    assert played.change.state is State.SUPERSEDED


def test_one_that_is_outrun_by_a_newer_change_just_ends():
    watched = replace(DOWN, state=State.WATCHING, outcome="starter is live")
    ended = outrun(watched, START).change
    assert (ended.state, ended.outcome) == (State.DONE, "starter is live; since then a newer change has begun")


@settings(max_examples=150, deadline=None)
@given(
    change=st.sampled_from((DOWN, IN)),
    looks=st.integers(0, 60),
    overlap=st.sampled_from(("override", "wait")),
    lag=st.sampled_from((0, 20, 60)),
    luck=st.dictionaries(st.integers(0, 90), st.sampled_from(("push", "fail")), max_size=3),
)
def test_whenever_strain_shows_it_comes_back_whole_or_asks_for_a_person(change, looks, overlap, lag, luck):
    played = Watched(change, overlap=overlap, list_lag=lag)
    small, large = (SMALL, LARGE) if change is DOWN else (change.target, change.origin)

    def between(played: Played) -> None:
        if played.looks >= looks:
            played.strain = STRAIN
        what = luck.get(played.looks)
        with suppress(Refused):
            if what == "push":
                push(played.render, played.service, played.now)
            elif what == "fail":
                fail_next_deploy(played.service)
        plan, _, env = played.configured
        assert change is IN or plan != small.plan or env["MAX_CONCURRENT"] == small.env["MAX_CONCURRENT"]

    played.before_each = between
    played.to_its_last()
    if played.change.state is State.UNDONE:
        assert played.configured[:2] == (large.plan, large.instances)
        assert dict(played.running.env) == large.env
    elif played.change.state is State.FAILED:
        assert played.change.walking_back is not None
    else:
        assert played.change.state is State.DONE
        assert played.strain == ""
