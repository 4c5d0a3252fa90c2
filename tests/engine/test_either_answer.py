"""Where nobody knows what Render does, the bot lives with each answer: scenes without a crash, and people who come between."""

from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from autoscaler.adapters.store import open_store
from autoscaler.core.change import State
from autoscaler.engine.drift import SWEEP
from tests.support.interfering import DRIFT, POLL, TIERS, Town
from tests.support.matrix import lived
from tests.support.matrix_lives import bench
from tests.support.matrix_scenes import SCENES
from tests.support.worlds import answers as every
from tests.support.worlds import name_of, pairwise, worlds

INTERVAL = DRIFT // POLL
"""One drift interval, in polls."""
OPTIONS = ("overlap", "deploy_only_build", "plan_spelling", "env_touches")
"""What a scene can meet: nobody rolls back, suspends, or runs a command before."""


@pytest.fixture(scope="module")
def made():
    with bench() as it:
        yield it


@asynccontextmanager
async def living(folder, **fields):
    """A town whose bot has looked around."""
    store = open_store(f"sqlite:///{folder}/bot.db")
    await store.migrate()
    await store.close()
    town = Town(folder, **fields)
    await town.start()
    try:
        await town.pass_time(INTERVAL + 1)
        yield town
    finally:
        await town.end()


async def on_its_way_up(town):
    """Until the deploy of an up is asked for."""
    town.app.load = "busy"
    for _ in range(60):
        await town.pass_time(1)
        changes = await town.store.changes()
        if changes and changes[0].attempts:
            return
    raise AssertionError("no up has begun")


async def first_change(town):
    return (await town.store.changes())[-1]


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
async def test_every_scene_ends_as_it_has_to(made, scene):
    for world in pairwise(*OPTIONS):
        played = replace(scene, name=f"{scene.name} ({name_of(world)})", world={**scene.world, **world})
        await lived(made, played, await made.first(played))


async def fits_in_time(town):
    """One interval after somebody has set the smaller plan."""
    await town.pass_time(INTERVAL)
    configured = town.service.configured()
    assert (configured.plan, configured.env) == ("starter", TIERS[0].env)


@pytest.mark.parametrize("how", ("deploy", "save"))
@pytest.mark.parametrize("world", worlds("env_touches", "plan_spelling"), ids=name_of)
async def test_after_a_plan_that_somebody_sets_the_env_fits_within_one_interval(tmp_path, world, how):
    async with living(tmp_path, world=world, rung=1) as town:
        town.others.act("plan", "starter", how)
        assert not town.fits("starter", town.service.configured().env)
        await fits_in_time(town)


@pytest.mark.parametrize("call", range(4))
@pytest.mark.parametrize("env_touches", every("env_touches"))
async def test_so_it_does_after_a_plan_that_is_set_between_two_calls_of_a_look(tmp_path, env_touches, call):
    async with living(tmp_path, world={"env_touches": env_touches}, rung=1) as town:
        town.plan(call, ("plan", "starter"))
        for _ in range(2 * INTERVAL):
            if not town.others.log:
                await town.pass_time(1)
        await fits_in_time(town)


@pytest.mark.parametrize(("env_touches", "looks"), ((True, 1), (False, SWEEP)))
async def test_a_value_that_somebody_sets_is_noticed_at_the_next_look_or_the_next_sweep(tmp_path, env_touches, looks):
    async with living(tmp_path, world={"env_touches": env_touches}) as town:
        town.others.act("env", "DB_POOL_SIZE", "99", "save")
        await town.pass_time(INTERVAL * looks)
        theirs = town.managed.state.overrides["mvp", "DB_POOL_SIZE"]
        assert theirs.value == "99"


@pytest.mark.parametrize("world", pairwise("rollback_plan", "overlap", "plan_spelling"), ids=name_of)
async def test_who_rolls_an_up_back_is_left_alone_and_where_that_sets_the_plan_the_env_follows(tmp_path, world):
    async with living(tmp_path, world=world) as town:
        await on_its_way_up(town)
        await town.pass_time(12)
        assert (await first_change(town)).state is State.WATCHING
        writes = len(town.render.writes)
        town.app.load = "calm"
        town.others.act("rollback")
        await town.pass_time(INTERVAL)
        follows = [*(f"set {name}" for name in TIERS[0].env), "ask for a deploy (deploy_only)"]
        assert town.render.writes[writes:] == (follows if world["rollback_plan"] == "set" else [])
        await town.at_rest(polls=40)


@pytest.mark.parametrize("world", worlds("resume_deploys", "overlap"), ids=name_of)
async def test_a_service_that_is_suspended_in_the_middle_of_a_change_and_resumed_comes_to_rest(tmp_path, world):
    async with living(tmp_path, world=world) as town:
        await on_its_way_up(town)
        town.others.act("suspend")
        await town.pass_time(INTERVAL)
        assert (await first_change(town)).state is State.SUPERSEDED
        town.others.act("resume")
        await town.pass_time(INTERVAL)
        assert len(town.service.serving()) == 1
        await town.at_rest(polls=40)


@pytest.mark.parametrize("runs", every("deploy_only_pre_deploy"))
async def test_a_pre_deploy_command_that_fails_turns_a_change_back_where_it_runs(tmp_path, runs):
    async with living(tmp_path, world={"deploy_only_pre_deploy": runs}, kind="pre-deploy") as town:
        town.others.act("fail", "pre_deploy")
        await on_its_way_up(town)
        town.app.load = "calm"
        await town.pass_time(12)
        assert (await first_change(town)).state is (State.UNDONE if runs else State.WATCHING)
        await town.at_rest(polls=40)


@pytest.mark.parametrize("how", ("deploy", "save"))
async def test_values_from_before_an_edit_of_the_policy_do_not_stay_on_the_smaller_plan_that_somebody_sets(
    tmp_path, how
):
    async with living(tmp_path, rung=1) as town:
        await town.edit()
        await town.pass_time(INTERVAL)
        town.others.act("plan", "starter", how)
        await fits_in_time(town)


async def test_nor_do_they_off_the_ladder(tmp_path):
    async with living(tmp_path, rung=1) as town:
        town.others.act("scale", "3")
        await town.edit()
        await town.pass_time(INTERVAL)
        town.others.act("plan", "starter")
        await fits_in_time(town)


async def test_what_somebody_set_off_the_ladder_stays_when_they_go_on_to_a_smaller_plan(tmp_path):
    async with living(tmp_path, rung=1) as town:
        town.others.act("scale", "3")
        town.others.act("env", "DB_POOL_SIZE", "99")
        await town.pass_time(INTERVAL)
        await town.edit()
        await town.pass_time(INTERVAL)
        town.others.act("plan", "starter")
        await town.pass_time(INTERVAL)
        assert town.service.configured().env == {**TIERS[0].env, "DB_POOL_SIZE": "99"}


@pytest.mark.parametrize("resume_deploys", every("resume_deploys"))
async def test_a_smaller_plan_that_was_saved_while_the_service_was_suspended_is_followed(tmp_path, resume_deploys):
    async with living(tmp_path, world={"resume_deploys": resume_deploys}, rung=1) as town:
        town.others.act("suspend")
        town.others.act("plan", "pro")
        await town.pass_time(INTERVAL)
        town.others.act("plan", "starter")
        town.others.act("resume")
        await fits_in_time(town)


@pytest.mark.parametrize("env_touches", every("env_touches"))
async def test_a_value_that_nobody_has_noticed_before_an_up_is_there_again_after_it(tmp_path, env_touches):
    async with living(tmp_path, world={"env_touches": env_touches}) as town:
        town.others.act("env", "DB_POOL_SIZE", "99", "save")
        assert await town.comes("busy", 60, lambda tier: tier == "scaled")
        assert await town.comes("calm", 120, lambda tier: tier == "mvp")
        assert town.service.configured().env["DB_POOL_SIZE"] == "99"
