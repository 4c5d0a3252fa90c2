"""Load rises, the plan follows; load falls, it goes back. Over the simulator's HTTP and a real SQLite file, in fake time."""

import pytest

from autoscaler.core.change import Direction, State
from autoscaler.core.why import Why
from render_client.sim.controls import dashboard
from tests.support.rig import BUSY, CALM, MVP_ENV, SCALED_ENV, running_rig
from tests.support.worlds import FEW, name_of

EITHER = pytest.mark.parametrize("render", FEW, ids=name_of)
"""Over real HTTP each answer of Render's once; in pure functions and without HTTP they are played in every combination."""
MIGRATES = {"pre_deploy_command": "migrate"}


async def test_a_calm_service_is_left_alone(tmp_path):
    async with running_rig(tmp_path) as rig:
        await rig.run(minutes=20)
        assert rig.writes == []
        assert await rig.changes() == []
        assert {one.verdict.why for one in rig.passes} == {Why.STEADY}


@EITHER
async def test_an_up_writes_plan_then_env_then_one_deploy_and_the_app_runs_with_all_of_it(tmp_path, render):
    async with running_rig(tmp_path, world=render, service=MIGRATES) as rig:
        rig.load = BUSY
        await rig.run(minutes=5)
        assert rig.writes == ["PATCH", "PUT env-vars/MAX_CONCURRENT", "PUT env-vars/DB_POOL_SIZE", "POST deploys"]
        assert rig.running == ("standard", SCALED_ENV | {"SECRET_KEY": "not-ours"})
        (change,) = await rig.changes()
        assert change.direction is Direction.UP
        assert change.state is State.WATCHING
        assert change.outcome == "standard is live and the app confirms 2 of 2 settings"
        assert change.reason.startswith("avg_response_time 3s > 1s for 2m")


async def test_the_bodies_are_the_plan_alone_one_value_a_call_and_deploy_only(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.load = BUSY
        await rig.run(minutes=5)
        bodies = [call.body for call in rig.sim.calls if call.method != "GET"]
        assert bodies == [
            {"serviceDetails": {"plan": "standard"}},
            {"value": "20"},
            {"value": "6"},
            {"deployMode": "deploy_only"},
        ]


async def test_the_up_comes_when_its_window_is_over_and_not_before(tmp_path):
    async with running_rig(tmp_path) as rig:
        await rig.run(minutes=2)
        rig.load = BUSY
        await rig.run(minutes=2)
        assert await rig.changes() == []
        await rig.run(minutes=1)
        assert len(await rig.changes()) == 1


@EITHER
async def test_a_down_writes_env_before_the_plan_after_its_longer_windows(tmp_path, render):
    async with running_rig(tmp_path, world=render, service=MIGRATES) as rig:
        rig.load = BUSY
        await rig.run(minutes=6)
        rig.sim.calls.clear()
        rig.load = CALM
        await rig.run(minutes=12)
        assert rig.writes == ["PUT env-vars/MAX_CONCURRENT", "PUT env-vars/DB_POOL_SIZE", "PATCH", "POST deploys"]
        assert rig.running == ("starter", MVP_ENV | {"SECRET_KEY": "not-ours"})
        up, down = await rig.changes()
        assert (up.state, down.direction, down.state) == (State.DONE, Direction.DOWN, State.WATCHING)


async def test_the_team_reads_one_thread_a_change_with_its_start_progress_and_end(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.load = BUSY
        await rig.run(minutes=6)
        (change,) = await rig.changes()
        threads = {delivery.event.thread for delivery in rig.told.deliveries}
        assert threads == {change.id}
        first, *replies = rig.told.deliveries
        assert first.event.message.title == "Scaling up holisticos-api: mvp → scaled"
        assert first.parent is None
        assert {reply.parent for reply in replies} == {f"ref:{first.event.id}"}
        assert rig.told.titles[-1] == "Done: holisticos-api runs on standard (scaled)"


async def test_a_second_change_waits_for_its_cooldown(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.load = BUSY
        await rig.run(minutes=5)
        (up,) = await rig.changes()
        rig.load = CALM
        await rig.run(minutes=12)
        _, down = await rig.changes()
        assert down.created_at - up.ended_at >= 2 * 60_000


async def test_a_restarted_worker_goes_on_with_full_windows(tmp_path):
    async with running_rig(tmp_path) as rig:
        await rig.run(minutes=2)
        rig.load = BUSY
        await rig.run(minutes=2)
        before = rig.passes[-1].verdict.progress[1]
        await rig.restart()
        await rig.run(seconds=20)
        after = rig.passes[-1].verdict.progress[1]
        assert before.condition == after.condition == "avg_response_time > 1s for 2m"
        assert after.held > before.held > 0.4


async def test_an_alert_is_told_once_and_changes_nothing(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.app.business = {"daily_active_users": 120}
        await rig.run(minutes=3)
        assert rig.told.titles == ["holisticos-api: growth"]
        assert rig.writes == []


@EITHER
async def test_the_tier_that_a_person_set_is_seen_within_the_drift_interval(tmp_path, render):
    async with running_rig(tmp_path, world=render, service=MIGRATES) as rig:
        await rig.run(minutes=1)
        dashboard(rig.sim.world, rig.service, rig.clock.now(), plan="standard")
        await rig.run(minutes=1)
        assert rig.managed.state.tier == "scaled"
        dashboard(rig.sim.world, rig.service, rig.clock.now(), plan="pro")
        await rig.run(minutes=1)
        assert rig.passes[-1].verdict.why is Why.OFF_LADDER
