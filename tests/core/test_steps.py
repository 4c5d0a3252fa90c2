"""next_step by example and against random Renders: it ends, in the right order, with one deploy an attempt, and keeps what people set."""

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.core.change import OPEN, AppSeen, DeploySeen, Rung, State, World
from autoscaler.core.durations import HOUR, MINUTE, SECOND
from autoscaler.core.steps import (
    AskDeploy,
    Become,
    SetEnv,
    SetInstances,
    SetPlan,
    Wait,
    abandoned,
    attempted,
    confirmed,
    next_step,
    refused,
)
from autoscaler.core.steps.verify import LAST_POLLS, _same_value
from render_client.sim import fleet, lifecycle, suspension
from render_client.sim.controls import dashboard, fail_next_deploy, push
from render_client.sim.lifecycle import Order
from render_client.sim.state import Refused
from tests.support.played import DOWN, FINE, IN, LARGE, LOOK, OUT, SMALL, SOAK, START, UP, Answer, Played, a_change
from tests.support.worlds import any_world

ENV_UP = [SetEnv("MAX_CONCURRENT", "20"), SetEnv("DB_POOL_SIZE", "6")]
ENV_DOWN = [SetEnv("MAX_CONCURRENT", "8"), SetEnv("DB_POOL_SIZE", "3")]
LIVE = DeploySeen("dep-1", "live", "new_commit", START - HOUR, "c1")


def configuration(played):
    return [write for write in played.writes if not isinstance(write, AskDeploy)]


def deploys(played):
    return [write for write in played.writes if isinstance(write, AskDeploy)]


def asked(played):
    return bool(played.change.attempts)


def applying(played):
    return played.change.state is State.APPLYING


def runs(played):
    return played.running.plan, dict(played.running.env)


# The order of writes ------------------------------------------------------------------------------------------------------


def test_an_up_sets_the_plan_first_and_asks_for_one_deploy(begin):
    played = begin(UP).to_the_end()
    assert [type(write) for write in played.writes] == [SetPlan, SetEnv, SetEnv, AskDeploy]
    assert runs(played) == (LARGE.plan, LARGE.env)
    assert played.change.outcome == "standard is live and the app confirms 3 of 3 settings"


def test_a_down_sets_the_plan_last(begin):
    played = begin(DOWN).to_the_end()
    assert configuration(played) == [*ENV_DOWN, SetPlan("starter")]
    assert runs(played) == (SMALL.plan, SMALL.env)


def test_an_up_is_walked_back_env_first(begin):
    played = begin(UP)
    fail_next_deploy(played.service)
    played.to_the_end()
    assert played.change.state is State.UNDONE
    assert configuration(played)[3:] == [*ENV_DOWN, SetPlan("starter")]
    assert played.configured == (SMALL.plan, 1, SMALL.env)


def test_a_down_is_walked_back_plan_first(begin):
    played = begin(DOWN)
    fail_next_deploy(played.service)
    played.to_the_end()
    assert played.change.state is State.UNDONE
    assert configuration(played)[3:] == [SetPlan("standard"), *ENV_UP]


def test_more_instances_come_once_the_plan_is_live_and_fewer_come_first(begin):
    assert [type(write) for write in begin(OUT).to_the_end().writes] == [SetEnv, AskDeploy, SetInstances]
    assert [type(write) for write in begin(IN).to_the_end().writes] == [SetInstances, SetEnv, AskDeploy]


def test_instances_that_were_taken_away_come_back_with_the_walk_back(begin):
    played = begin(IN)
    fail_next_deploy(played.service)
    played.to_the_end()
    assert played.change.state is State.UNDONE
    assert played.configured == (IN.origin.plan, 2, IN.origin.env)


def test_under_render_s_own_autoscaling_the_count_is_left_alone():
    world = World("starter", 5, SMALL.env, (LIVE,), render_autoscaling=True)
    begun = next_step(UP, world, START, LOOK)
    assert isinstance(begun, Become)
    assert begun.change.state is State.APPLYING
    assert not isinstance(next_step(begun.change, world, START, LOOK), SetInstances)


def test_a_variable_that_was_not_set_gets_the_origin_s_value_back(begin):
    played = begin(UP, env={"MAX_CONCURRENT": "8"})
    fail_next_deploy(played.service)
    played.to_the_end()
    assert played.configured[2]["DB_POOL_SIZE"] == "3"


def test_what_is_there_already_is_not_written(begin):
    played = begin(UP, env={**SMALL.env, "MAX_CONCURRENT": "20"}).to_the_end()
    assert SetEnv("MAX_CONCURRENT", "20") not in played.writes
    assert played.change.state is State.WATCHING


# Preflight ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "state", "outcome"),
    (
        ({"suspended": True}, State.FAILED, "the service is suspended; nothing was changed"),
        ({"plan": "pro"}, State.SUPERSEDED, "somebody set the plan to pro; nothing was changed"),
        ({"plan": ""}, State.SUPERSEDED, "somebody set the plan to ; nothing was changed"),
        ({"instances": 3}, State.SUPERSEDED, "somebody set 3 instances; nothing was changed"),
        (
            {"deploys": (replace(LIVE, id="dep-2", status="update_failed", commit="c2"), LIVE)},
            State.FAILED,
            "build_not_live: deploy_only would ship the build of deploy dep-2",
        ),
        (
            {"deploys": (replace(LIVE, id="dep-2", status="canceled", commit="c2"), LIVE)},
            State.FAILED,
            "build_not_live: deploy_only would ship the build of deploy dep-2",
        ),
        (
            {
                "deploys": (
                    replace(LIVE, id="dep-3", trigger="rollback"),
                    replace(LIVE, id="dep-2", status="deactivated", commit="c2"),
                    replace(LIVE, status="deactivated"),
                )
            },
            State.FAILED,
            "build_not_live: deploy_only would ship the build that deploy dep-3 rolled back",
        ),
    ),
)
def test_preflight_changes_nothing_where_it_may_not(seen, state, outcome):
    world = replace(World("starter", 1, SMALL.env, (LIVE,)), **seen)
    step = next_step(UP, world, START, LOOK)
    assert isinstance(step, Become)
    assert step.change.state is state
    assert step.change.outcome.startswith(outcome)


def test_a_list_that_shows_no_live_deploy_may_lag_and_is_looked_at_again_for_ninety_seconds():
    world = World("starter", 1, SMALL.env, ())
    assert isinstance(next_step(UP, world, START + 89 * SECOND, LOOK), Wait)
    step = next_step(UP, world, START + 90 * SECOND, LOOK)
    assert isinstance(step, Become)
    assert step.change.outcome.startswith("build_not_live: none of the latest deploys is live")


@pytest.mark.parametrize("status", ("build_failed", "canceled", "update_failed"))
def test_a_failed_deploy_of_the_live_commit_is_no_obstacle(status):
    newer = replace(LIVE, id="dep-2", status=status)
    step = next_step(UP, World("starter", 1, SMALL.env, (newer, LIVE)), START, LOOK)
    assert isinstance(step, Become)
    assert step.change.state is State.APPLYING


def test_an_old_deploy_of_a_status_that_is_not_known_is_not_waited_for():
    older = replace(LIVE, id="dep-0", status="archived")
    step = next_step(UP, World("starter", 1, SMALL.env, (LIVE, older)), START, LOOK)
    assert isinstance(step, Become)


def test_a_foreign_deploy_is_waited_for_half_an_hour_at_most():
    running = replace(LIVE, id="dep-2", status="a_status_of_next_year")
    world = World("starter", 1, SMALL.env, (running, LIVE))
    assert next_step(UP, world, START, LOOK) == Wait(START + LOOK, "deploy dep-2 is under way")
    late = next_step(UP, world, START + 31 * MINUTE, LOOK)
    assert isinstance(late, Become)
    assert (late.change.state, late.change.before) == (State.FAILED, None)


# The deploy ---------------------------------------------------------------------------------------------------------------


def test_a_push_between_the_writes_and_the_deploy_is_waited_for_and_not_cancelled(begin):
    played = begin(UP).until(lambda played: "env:MAX_CONCURRENT" in played.change.written)
    pushed = push(played.render, played.service, played.now)
    played.to_the_end()
    assert pushed.finished_at is not None
    assert pushed.status == "deactivated"
    assert len(deploys(played)) == 1


@pytest.mark.parametrize("overlap", ("override", "wait"))
def test_a_push_over_our_deploy_that_goes_live_carries_our_settings(overlap, begin):
    played = begin(UP, overlap=overlap).until(asked)
    push(played.render, played.service, played.now)
    played.to_the_end()
    assert played.change.state is State.WATCHING
    assert runs(played) == (LARGE.plan, LARGE.env)
    assert len(deploys(played)) == 1


def test_somebody_s_failed_build_does_not_turn_ours_back(begin):
    played = begin(UP).until(asked)
    fail_next_deploy(played.service, "build")
    push(played.render, played.service, played.now)
    played.to_the_end()
    assert played.change.state is State.WATCHING
    assert len(deploys(played)) == (2 if played.render.spec.overlap == "override" else 1)


@pytest.mark.parametrize("list_lag", (0, 20, 80))
def test_a_deploy_without_an_id_is_found_in_a_list_that_lags(list_lag, begin):
    played = begin(UP, list_lag=list_lag)
    played.answers = lambda write: Answer(heard=not isinstance(write, AskDeploy))
    played.to_the_end()
    assert played.change.state is State.WATCHING
    assert len(deploys(played)) == 1


def test_a_request_that_never_arrived_is_made_again_after_ninety_seconds_and_three_times_in_all(begin):
    played = begin(UP)
    played.answers = lambda write: Answer(acts=not isinstance(write, AskDeploy), heard=False)
    played.to_the_end()
    assert played.change.state is State.UNDONE
    assert "no deploy went live after 3 requests" in played.change.outcome
    assert played.asked_in_walk == {False: 3}
    assert played.configured == (SMALL.plan, 1, SMALL.env)


def test_a_deploy_whose_id_is_known_is_not_asked_for_again_because_the_list_lags(begin):
    played = begin(UP, list_lag=400).to_the_end()
    assert played.change.state is State.WATCHING
    assert len(deploys(played)) == 1


def in_flight(deploy: str | None = None):
    """The up, its deploy asked for while dep-2 was the newest and live."""
    begun = next_step(UP, World("starter", 1, SMALL.env, (replace(LIVE, id="dep-2"),)), START, LOOK)
    assert isinstance(begun, Become)
    newest = replace(LIVE, id="dep-2", created_at=START - MINUTE)
    return confirmed(attempted(begun.change, AskDeploy(newest), START), AskDeploy(newest), deploy)


@pytest.mark.parametrize("deploy", (None, "dep-3"))
@pytest.mark.parametrize("seen", ((LIVE,), (), (replace(LIVE, id="dep-2", created_at=START - MINUTE), LIVE)))
def test_a_list_that_is_older_than_our_deploy_is_no_success(deploy, seen):
    world = World("standard", 1, LARGE.env, seen)
    assert next_step(in_flight(deploy), world, START + SECOND, LOOK) == Wait(
        START + SECOND + LOOK, "the deploy is not listed yet"
    )


def test_after_days_away_a_list_without_our_deploy_in_it_still_tells_that_a_newer_one_is_live():
    newer = [
        replace(LIVE, id=f"dep-{n}", created_at=START + n * MINUTE, status="deactivated") for n in range(23, 4, -1)
    ]
    world = World("standard", 1, LARGE.env, (replace(LIVE, id="dep-24", created_at=START + DAYS), *newer))
    step = next_step(in_flight("dep-3"), world, START + DAYS, LOOK)
    assert isinstance(step, Become)
    assert step.change.state is State.SOAKING


DAYS = 48 * HOUR


def test_a_build_that_a_person_rolled_back_is_not_shipped_by_asking_again(begin):
    played = begin(UP, overlap="override")
    push(played.render, played.service, played.now)
    played.now += 5 * MINUTE
    played.until(asked)
    first = played.service.deploys[0]
    order = Order("rollback", first.source, build=False, rollback_of=first)
    lifecycle.request_deploy(played.render, played.service, order, played.now)  # cancels ours
    played.to_the_end()
    assert [write.commit for write in deploys(played)] == [None, first.source.commit.id]
    assert "build_not_live" in played.change.outcome
    assert played.configured == (SMALL.plan, 1, SMALL.env)
    assert runs(played) == (SMALL.plan, SMALL.env)


def stuck(played):
    """The change, its deploy under way without an end, until ours has been asked for once more."""
    played.until(asked)
    deploy = played.service.deploys[-1]
    deploy.fails_at = "update_in_progress"  # keeps it from going live, and nothing ends it
    deploy.phases.clear()
    played.before_each = lambda played: (
        setattr(deploy, "status", "update_in_progress") if len(deploys(played)) < 2 else None
    )
    return deploy


def test_a_deploy_that_never_ends_is_replaced_by_one_with_the_old_settings(begin):
    played = begin(UP, overlap="override")
    deploy = stuck(played)
    played.to_the_end()
    assert played.change.state is State.UNDONE
    assert "has not ended within 3h" in played.change.outcome
    assert runs(played) == (SMALL.plan, SMALL.env)
    assert deploy.status == "canceled"


def test_behind_a_deploy_that_never_ends_and_cannot_be_cancelled_ours_waits_until_a_person_has_to_come(begin):
    played = begin(UP, overlap="wait")
    stuck(played)
    played.to_the_end(looks=9000)
    assert played.change.state is State.FAILED
    assert "could not be undone: deploy" in played.change.outcome
    assert played.configured == (SMALL.plan, 1, SMALL.env)
    assert runs(played) == (SMALL.plan, SMALL.env)


def test_a_refusal_on_the_way_back_is_left_to_a_person(begin):
    played = begin(UP)
    fail_next_deploy(played.service)
    played.answers = lambda write: Answer(refusal="402 payment") if write == SetPlan("starter") else FINE
    played.to_the_end()
    assert played.change.state is State.FAILED
    assert played.change.outcome == "could not be undone: Render refused: 402 payment"


# People -------------------------------------------------------------------------------------------------------------------


def test_a_person_s_value_met_before_the_deploy_takes_back_what_was_ours_and_stays(begin):
    played = begin(UP).until(lambda played: "env:MAX_CONCURRENT" in played.change.written)
    dashboard(played.render, played.service, played.now, env={"DB_POOL_SIZE": "99"}, deploy=False)
    played.to_the_end()
    assert played.change.state is State.SUPERSEDED
    assert played.change.outcome == "somebody changed DB_POOL_SIZE; what a person set is kept"
    assert played.configured == ("starter", 1, {**SMALL.env, "DB_POOL_SIZE": "99"})
    assert deploys(played) == []


def test_a_person_s_variable_met_after_the_deploy_was_asked_for_is_left_alone_and_ours_is_seen_to_its_end(begin):
    played = begin(UP, list_lag=20).until(asked)
    dashboard(played.render, played.service, played.now, env={"DB_POOL_SIZE": "99"}, deploy=False)
    played.to_the_end()
    assert played.change.state is State.WATCHING
    assert played.configured[2]["DB_POOL_SIZE"] == "99"


@pytest.mark.parametrize("plan", ("pro", "starter"))
def test_a_person_s_plan_is_kept_and_the_env_of_ours_does_not_stay_on_it(plan, begin):
    played = begin(UP).until(asked)
    dashboard(played.render, played.service, played.now, plan=plan, deploy=False)
    played.to_the_end()
    assert played.change.state is State.SUPERSEDED
    assert played.configured == (plan, 1, SMALL.env)
    assert len(deploys(played)) == 1


def test_instances_that_a_person_added_in_the_middle_are_not_taken_away(begin):
    played = begin(UP).until(applying)
    fleet.scale(played.render, played.service, 4, played.now)
    played.to_the_end()
    assert played.change.state is State.SUPERSEDED
    assert played.configured == ("starter", 4, SMALL.env)


# Soak, watch, the end ------------------------------------------------------------------------------------------------------


def soaking(soak=SOAK):
    return replace(UP, state=State.SOAKING, live_at=START, soak=soak)


def soaked(now, *, soak=SOAK, **seen):
    return next_step(soaking(soak), World("standard", 1, LARGE.env, (LIVE,), **seen), now, LOOK)


def test_an_app_that_answers_on_the_new_plan_and_one_that_never_does(begin):
    played = begin(UP)
    played.app_answers = lambda snapshot: snapshot.plan == "starter"
    played.to_the_end()
    assert played.change.state is State.UNDONE
    assert played.change.outcome == "no answer from the new instance within 1m; back on starter"
    assert runs(played) == (SMALL.plan, SMALL.env)
    assert len(deploys(played)) == 2


@pytest.mark.parametrize("soak", (0, SOAK))
def test_silence_needs_somebody_who_asked(soak):
    """A worker that was away for the whole soak has heard nothing because it asked nothing."""
    before = AppSeen(START - MINUTE)
    assert isinstance(soaked(START + HOUR // 12, soak=soak, app=before), Wait)
    assert isinstance(soaked(START + HOUR // 12, soak=soak, app=None), Wait)


def test_one_unanswered_poll_after_a_worker_was_away_turns_nothing_back():
    now = START + 5 * MINUTE
    assert isinstance(soaked(now, silence=(now, now)), Wait)
    later = soaked(now + SOAK, silence=(now, now + SOAK))
    assert isinstance(later, Become)
    assert later.change.walking_back == "no answer from the new instance within 1m"


def test_without_anybody_who_asks_it_is_live_and_unproven():
    step = soaked(START + HOUR, app=AppSeen(START - MINUTE), silence=(START - HOUR, START - MINUTE))
    assert isinstance(step, Become)
    assert step.change.state is State.WATCHING
    assert step.change.outcome == "standard is live, unproven: the app gave no report since"


def test_a_service_that_a_person_suspends_in_the_soak_is_not_called_silent():
    now = START + SOAK
    step = soaked(now, suspended=True, silence=(START, now))
    assert isinstance(step, Become)
    assert step.change.state is State.SUPERSEDED


@pytest.mark.parametrize(
    ("told", "wanted", "same"), (("true", "on", True), ("false", "0", True), ("false", "1", False))
)
def test_a_switch_that_the_app_tells_is_compared_as_one(told, wanted, same):
    assert _same_value(told, wanted) is same


def test_what_the_app_says_it_runs_with_is_compared_as_numbers_too():
    step = soaked(START + SOAK, app=AppSeen(START + 1, settings={"MAX_CONCURRENT": "20.0", "DB_POOL_SIZE": "3"}))
    assert isinstance(step, Become)
    assert step.change.outcome == "standard is live, but the app says it runs with another DB_POOL_SIZE than 6"


def test_the_watch_ends_quietly():
    watching = replace(UP, state=State.WATCHING, live_at=START, outcome="standard is live")
    world = World("pro", 1, {}, ())
    assert next_step(watching, world, START, LOOK) == Wait(START + 10 * MINUTE, "watching")
    over = START + UP.watch + LAST_POLLS
    assert next_step(watching, world, over - 1, LOOK) == Wait(over, "watching")
    assert next_step(watching, world, over, LOOK) == Become(replace(watching, state=State.DONE, due_at=over))


def test_a_service_that_is_gone_ends_the_change():
    assert abandoned(soaking(), "404", START).change.state is State.FAILED
    assert abandoned(replace(UP, state=State.WATCHING), "404", START).change.state is State.DONE


# Any Render ---------------------------------------------------------------------------------------------------------------

ANSWERS = (
    FINE,
    FINE,
    FINE,
    Answer(heard=False),
    Answer(acts=False, heard=False),
    Answer(refusal="402 payment"),
)
LUCK = ("push", "fail update", "fail build", "cancel")
PEOPLE = ("plan", "plan save", "back", "env", "env save", "scale", "rollback", "suspend", "resume")


def lucky(played, what):
    """A push or bad luck."""
    render, service, now = played.render, played.service, played.now
    match what.split():
        case ["push"]:
            push(render, service, now)
        case ["fail", stage]:
            fail_next_deploy(service, stage)
        case ["cancel"] if service.running_deploy:
            lifecycle.cancel(render, service, service.running_deploy, now)


def personal(played, what):
    """What a person does; the value that they set, or None."""
    render, service, now = played.render, played.service, played.now
    match what.split():
        case ["plan", *save]:
            dashboard(render, service, now, plan="pro", deploy=not save)
            return ("plan", "pro")
        case ["back"]:
            dashboard(render, service, now, plan=played.change.origin.plan, deploy=False)
        case ["env", *save]:
            mine = str(1000 + played.looks)
            dashboard(render, service, now, env={"DB_POOL_SIZE": mine}, deploy=not save)
            return ("DB_POOL_SIZE", mine)
        case ["scale"]:
            fleet.scale(render, service, 5, now)
            return ("instances", 5)
        case ["suspend" | "resume" as what]:
            getattr(suspension, what)(render, service, now)
        case ["rollback"]:
            for older in [deploy for deploy in service.deploys if deploy.status == "deactivated"][:1]:
                order = Order("rollback", older.source, build=False, rollback_of=older)
                lifecycle.request_deploy(render, service, order, now)
    return None


def sizes(change):
    small, large = sorted((change.origin, change.target), key=lambda rung: rung.monthly)
    return small, large


def fits(change, plan, env):
    """Whether no value of the larger tier stands on the smaller plan."""
    small, large = sizes(change)
    if small.plan == large.plan or plan != small.plan:
        return True
    return all(small.env[name] == large.env[name] or env.get(name) != large.env[name] for name in large.env)


def overwrites(write, played, persons):
    plan, instances, env = played.configured
    match write:
        case SetPlan():
            return ("plan", plan) in persons
        case SetInstances():
            return ("instances", instances) in persons
        case SetEnv(name):
            return (name, env[name]) in persons
    return False


scripts = st.dictionaries(st.integers(0, 30), st.sampled_from(LUCK), max_size=5)
with_people = st.dictionaries(st.integers(0, 30), st.sampled_from(LUCK + PEOPLE), max_size=5)
answers = st.lists(st.sampled_from(ANSWERS), max_size=8)
changes = st.sampled_from((UP, DOWN, OUT, IN))
renders = any_world()
lags = st.sampled_from((0, 20, 60))


def play(change, script, render, lag, replies, persons):
    """To the end, with the invariants watched at every step."""
    script, replies = dict(script), list(replies)  # of our own: hypothesis shows what was given
    played = Played(change, list_lag=lag, **render)
    by_people = not set(script.values()).isdisjoint(PEOPLE)

    def answer(write):
        assert not overwrites(write, played, persons), f"{write} overwrites what a person set"
        return replies.pop(0) if replies else FINE

    def before(played):
        what = script.pop(played.looks, "")
        with suppress(Refused):
            lucky(played, what)
            mine = personal(played, what)
            if mine and played.change.before is not None:
                persons.add(mine)
        plan, _, env = played.configured
        assert by_people or fits(change, plan, env), f"{env} on {plan}"

    played.answers, played.before_each = answer, before
    played.to_the_end()
    for deploy in played.service.deploys:
        assert by_people or deploy.snapshot is None or fits(change, deploy.snapshot.plan, deploy.snapshot.env)
    assert all(count <= 3 for count in played.asked_in_walk.values())
    return played


@settings(max_examples=300, deadline=None)
@given(changes, scripts, renders, lags, answers)
def test_whatever_render_does_the_change_ends_and_its_word_is_true(change, script, render, lag, replies):
    played = play(change, script, render, lag, replies, set())
    ended, configured, running = played.change, played.configured, runs(played)
    origin, target = change.origin, change.target
    if ended.state is State.WATCHING:
        assert (configured, running) == ((target.plan, target.instances, target.env), (target.plan, target.env))
    elif ended.state is State.UNDONE or ended.before is None:
        assert (configured, running) == ((origin.plan, origin.instances, origin.env), (origin.plan, origin.env))
    else:
        assert ended.state is State.FAILED
        assert ended.outcome.startswith("could not be undone: ")


@settings(max_examples=300, deadline=None)
@given(changes, with_people, renders, lags, answers)
def test_whatever_people_do_the_change_ends_and_theirs_is_kept(change, script, render, lag, replies):
    persons = set()
    played = play(change, script, render, lag, replies, persons)
    assert played.change.state not in OPEN
    before = played.change.before
    if played.change.overtaken and played.change.state is State.SUPERSEDED:
        _, _, env = played.configured
        for name, value in env.items():
            restored = {before.env[name], change.origin.env[name]}
            assert value in restored or (name, value) in persons, f"{name}={value} of ours stayed"


def test_a_push_that_is_listed_late_does_not_pass_for_the_deploy_of_the_walk_back():
    """It began before the walk back was written, so it runs the change's settings."""
    script, replies = {4: "push"}, [FINE, FINE, Answer(refusal="402 payment")]
    played = play(OUT, script, {"overlap": "wait"}, 60, replies, set())
    assert played.change.state is State.UNDONE
    assert runs(played) == (OUT.origin.plan, OUT.origin.env)


def test_a_refusal_is_the_same_whatever_was_written():
    assert refused(in_flight(), SetPlan("standard"), "400", START).change.walking_back == "Render refused: 400"


BROAD = Rung("broad", "standard", 2, LARGE.env, 50.0)
"""The same plan and values as LARGE, twice."""


@pytest.mark.parametrize(("origin", "target"), ((LARGE, BROAD), (BROAD, LARGE)))
def test_where_only_the_count_changes_nothing_is_deployed(origin, target, begin):
    played = begin(a_change(origin, target)).to_the_end()
    assert played.change.state is State.WATCHING
    assert played.writes == [SetInstances(target.instances)]
    assert played.service.details["numInstances"] == target.instances


def test_a_count_that_brings_a_crash_loop_is_taken_back_without_a_deploy(begin):
    played = begin(a_change(LARGE, BROAD)).until(lambda played: played.change.state is State.SOAKING)
    world = replace(played.observe(), crashes=(1, 2, 3))
    step = next_step(played.change, world, played.now, 5_000)
    assert step.change.walking_back == "its instances failed 3 times since it went live"
    played.change = step.change
    played.to_the_end()
    assert played.change.state is State.UNDONE
    assert played.writes == [SetInstances(2), SetInstances(1)]


@pytest.mark.parametrize(
    ("more", "words"),
    (
        ({"render_autoscaling": True}, "Render's own autoscaling sets the number of instances; nothing was changed"),
        ({"has_disk": True}, "it has a disk, so it runs as one instance; nothing was changed"),
    ),
)
def test_a_count_that_render_would_refuse_or_ignore_is_not_begun(more, words, begin):
    world = replace(begin(OUT).observe(), **more)
    step = next_step(OUT, world, START, 5_000)
    assert (step.change.state, step.change.outcome) == (State.FAILED, words)


def test_autoscaling_that_is_switched_on_midway_has_the_last_word_on_the_count(begin):
    played = begin(OUT).until(lambda played: played.change.attempts)
    see = played.observe
    played.observe = lambda: replace(see(), render_autoscaling=True)
    played.to_the_end()
    assert played.change.state is State.WATCHING
    assert not [write for write in played.writes if isinstance(write, SetInstances)]
    assert (played.change.target.instances, played.change.target.monthly) == (1, 25.0)
