"""A change on a service with a disk, with a ready image, that is suspended midway, or where `deploy_only` does what nobody expects."""

from dataclasses import replace

import pytest

from autoscaler.core.change import State
from autoscaler.core.steps import AskDeploy, Redeploy, SetPlan, unattempted
from render_client.sim import Disk, ServiceSpec, lifecycle, suspension
from render_client.sim.building import build_world
from render_client.sim.controls import dashboard, fail_next_deploy, push
from render_client.sim.lifecycle import Order
from render_client.sim.state import Commit, Source
from tests.support.played import DOWN, LARGE, SERVICE, SMALL, START, UP


def asked(played):
    return bool(played.change.attempts)


def deploys(played):
    return [write for write in played.writes if isinstance(write, AskDeploy)]


def with_spec(played, **more):
    """The same world, its one service built otherwise."""
    spec = ServiceSpec(name="holisticos-api", id=SERVICE, plan=SMALL.plan, env=dict(SMALL.env), **more)
    played.render = build_world(played.render.spec.model_copy(update={"services": (spec,)}), START - 1)
    return played


def test_with_a_disk_a_failed_deploy_has_stopped_the_old_instance_so_another_one_brings_it_back(begin):
    played = with_spec(begin(UP), disk=Disk())
    fail_next_deploy(played.service)
    played.to_the_end()
    assert played.change.state is State.UNDONE
    assert played.change.outcome.endswith("back on starter")
    assert len(deploys(played)) == 2
    assert (played.running.plan, played.running.env) == (SMALL.plan, SMALL.env)


def test_with_a_disk_a_deploy_that_fails_before_it_switches_has_stopped_nothing(begin):
    played = with_spec(begin(UP), disk=Disk(), pre_deploy_command="migrate")
    fail_next_deploy(played.service, "pre_deploy")
    played.to_the_end()
    assert played.change.outcome.endswith("starter never stopped running")
    assert len(deploys(played)) == 1


@pytest.mark.parametrize("change", (UP, DOWN))
def test_suspended_midway_what_was_written_is_taken_back_and_nothing_is_deployed(change, begin):
    played = begin(change).until(lambda played: "env:MAX_CONCURRENT" in played.change.written)
    suspension.suspend(played.render, played.service, played.now)
    before = len(deploys(played))
    played.to_the_end()
    assert played.change.state is State.SUPERSEDED
    assert played.change.outcome == "somebody suspended the service; what a person set is kept"
    assert played.configured == (change.origin.plan, 1, change.origin.env)
    assert len(deploys(played)) == before


def test_suspended_on_the_way_back_it_ends_with_what_the_next_start_runs(begin):
    played = begin(UP)
    played.app_answers = lambda snapshot: snapshot.plan == "starter"
    played.until(lambda played: played.change.walking_back is not None)
    suspension.suspend(played.render, played.service, played.now)
    played.to_the_end()
    assert played.change.state is State.SUPERSEDED
    assert played.change.outcome.endswith(f"; it is suspended, and starts on {played.shown('starter')} again")
    assert played.configured == (SMALL.plan, 1, SMALL.env)


def test_where_deploy_only_ships_a_build_that_nobody_was_deploying_the_commit_from_before_is_built(begin):
    played = begin(UP)
    served = played.service.live_deploy.source
    played.until(lambda played: played.change.state is State.APPLYING)
    played.service.last_build = Source(Commit("f" * 40, "an experiment", START), None)
    played.to_the_end()
    assert played.change.state is State.WATCHING
    again = [served.commit.id] if played.render.spec.deploy_only_build == "newest" else []
    assert [write.commit for write in deploys(played)] == [None, *again]
    assert played.service.live_deploy.source.commit == served.commit
    assert (played.running.plan, played.running.env) == (LARGE.plan, LARGE.env)


def test_a_build_that_somebody_deployed_meanwhile_is_not_taken_back(begin):
    played = begin(UP).until(lambda played: "plan" in played.change.written)
    pushed = push(played.render, played.service, played.now)
    played.to_the_end()
    assert played.change.state is State.WATCHING
    assert played.service.live_deploy.source.commit == pushed.source.commit
    assert len(deploys(played)) == 1


def test_an_image_has_no_commit_so_a_refused_deploy_only_is_undone(begin):
    played = with_spec(begin(UP, deploy_only_images=False), image="docker.io/holisticos/api:1")
    played.to_the_end()
    refusal = "Render refused: deploy_only is not supported for image-backed services"
    assert played.change.state is State.UNDONE
    assert played.change.outcome == f"{refusal}; starter never stopped running"
    assert played.configured == (SMALL.plan, 1, SMALL.env)


def test_where_deploy_only_is_taken_for_an_image_a_change_of_it_is_like_any_other(begin):
    played = with_spec(begin(UP), image="docker.io/holisticos/api:1").to_the_end()
    assert played.change.state is State.WATCHING
    assert (played.running.plan, played.running.env) == (LARGE.plan, LARGE.env)


@pytest.mark.parametrize("change", (UP, DOWN))
def test_where_deploy_only_brings_no_env_vars_the_app_says_so_and_the_team_hears_it(change, begin):
    played = begin(change, deploy_only_env=False).to_the_end()
    assert played.change.state is State.WATCHING
    assert (played.running.plan, played.running.env) == (change.target.plan, change.origin.env)
    assert played.change.outcome.startswith(f"{change.target.plan} is live, but the app says it runs with ")


@pytest.mark.parametrize("trigger", ("new_commit", "api", "deploy_hook", "rollback", "same commit"))
def test_what_ours_cancelled_is_asked_for_again_unless_it_brings_nothing_or_cannot_be(trigger, begin):
    played = begin(UP).until(lambda played: "env:DB_POOL_SIZE" in played.change.written)
    service, now = played.service, played.now
    newer = Commit(played.render.new_commit_id(), "A change", now)
    service.commits.append(newer)
    source = service.live_deploy.source if trigger == "same commit" else Source(newer, None)
    original = played._perform

    def in_between(write):
        if isinstance(write, AskDeploy) and len(service.deploys) == 1:
            order = Order("new_commit" if trigger == "same commit" else trigger, source, build=True)
            lifecycle.request_deploy(played.render, service, order, played.now)
        return original(write)

    played._perform = in_between
    played.to_the_end()
    assert played.change.state is State.WATCHING
    again = [write for write in played.writes if isinstance(write, Redeploy)]
    expected = [] if trigger in {"rollback", "same commit"} else [Redeploy(service.deploys[1].id, newer.id)]
    assert again == expected
    played.now += 600_000
    assert played.service.live_deploy.source == (Source(newer, None) if expected else service.deploys[0].source)
    assert (played.running.plan, played.running.env) == (LARGE.plan, LARGE.env)


def test_one_that_a_person_cancelled_is_not_asked_for_again(begin):
    played = begin(UP).until(lambda played: "env:DB_POOL_SIZE" in played.change.written)
    pushed = push(played.render, played.service, played.now)
    played.now += 10_000
    lifecycle.cancel(played.render, played.service, pushed, played.now)
    played.now += 30_000
    played.to_the_end()
    assert not [write for write in played.writes if isinstance(write, Redeploy)]


def test_what_never_reached_render_leaves_no_trace(begin):
    ask = AskDeploy(begin(UP).observe().deploys[0])
    begun = begin(UP).until(asked).change
    assert unattempted(begun, ask).attempts == begun.attempts[:-1]
    given = replace(begun, given_back=("dep-1",))
    assert unattempted(given, Redeploy("dep-1", "c")).given_back == ()
    assert unattempted(begun, SetPlan("standard")) == begun


def test_a_person_s_smaller_plan_does_not_get_the_values_of_a_larger_one_back(begin):
    played = begin(DOWN).until(lambda played: "env:DB_POOL_SIZE" in played.change.written)
    dashboard(played.render, played.service, played.now, plan="starter", deploy=False)
    played.to_the_end()
    assert played.configured == ("starter", 1, SMALL.env)


def test_what_ours_took_the_place_of_is_not_asked_for_again_once_somebody_has_deployed_something_newer(begin):
    played = begin(UP)
    perform = played._perform

    def in_between(write):
        if isinstance(write, AskDeploy) and len(played.service.deploys) == 1:
            push(played.render, played.service, played.now)
        return perform(write)

    played._perform = in_between
    played.until(asked)
    push(played.render, played.service, played.now)
    played.to_the_end()
    played.now += 600_000
    assert played.change.state is State.WATCHING
    assert played.service.live_deploy.source.commit == played.service.commits[-1]
    assert not [write for write in played.writes if isinstance(write, Redeploy)]
