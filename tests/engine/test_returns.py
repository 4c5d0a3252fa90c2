"""What happens after it went live: a downgrade that is not enough is returned, an upgrade only when its app does not stay up."""

import pytest

from autoscaler.core.change import State
from autoscaler.engine.managed import load
from autoscaler.ports import EventKind, PassRecord
from render_client.sim import Durations
from render_client.sim.controls import oom_kill
from render_client.sim.fleet import crashed
from tests.support.rig import BUSY, CALM, MVP_ENV, POLICY, SCALED_ENV, Load, running_rig
from tests.support.stored import a_change

MIB = 1024**2
OURS = {"SECRET_KEY": "not-ours"}
ON_SCALED = {"plan": "standard", "env": SCALED_ENV | OURS}
LONG = POLICY.replace("for 2m, complaints", "for 20m, complaints").replace("watch: 10m", "watch: 3h")
NEARLY_FULL = Load(2.0, {"starter": 0.2, "standard": 0.1}, memory=450 * MIB)


async def until(rig, state, minutes=40):
    """Poll by poll until the latest change is so far."""
    for _ in range(minutes * 6):
        changes = await rig.changes()
        if changes and changes[-1].state is state:
            return changes[-1]
        await rig.run(seconds=10)
    raise AssertionError(await rig.changes())


@pytest.mark.parametrize("stage", (State.SOAKING, State.WATCHING))
@pytest.mark.parametrize(
    ("load", "minutes", "why"),
    (
        (BUSY, 9, "returned: avg_response_time > 1s for 20m has held for 5m of it (3s)"),
        (NEARLY_FULL, 4, "returned: memory is at 88% of its limit"),
    ),
    ids=("slow", "full"),
)
async def test_a_downgrade_is_returned_while_it_soaks_and_while_it_is_watched(tmp_path, stage, load, minutes, why):
    policy = LONG.replace("soak: 1m", "soak: 30m") if stage is State.SOAKING else LONG
    async with running_rig(tmp_path, policy=policy, service=ON_SCALED) as rig:
        await until(rig, stage)
        rig.load = load
        await rig.run(minutes=minutes)
        (down,) = await rig.changes()
        assert (down.state, down.outcome) == (State.UNDONE, f"{why}; back on standard")
        assert (rig.configured, rig.running) == (("standard", SCALED_ENV | OURS),) * 2
        assert rig.managed.state.tier == "scaled"
        assert rig.managed.state.patience == 2
        assert rig.told.titles[-1] == "Undone: holisticos-api runs on standard (scaled) again"


async def test_each_return_doubles_what_the_next_downgrade_has_to_show_up_to_eight_times(tmp_path):
    policy = LONG.replace("up: 1m, down: 2m", "up: 1m, down: 1s")
    async with running_rig(tmp_path, policy=policy, service=ON_SCALED) as rig:
        patience = [rig.managed.state.patience]
        for _ in range(4):
            rig.load = CALM
            await until(rig, State.WATCHING, minutes=90)
            rig.load = NEARLY_FULL
            await until(rig, State.UNDONE)
            patience.append(rig.managed.state.patience)
        assert patience == [1, 2, 4, 8, 8]


async def test_it_is_returned_though_the_policy_only_observes_by_now_and_survives_a_restart(tmp_path):
    async with running_rig(tmp_path, policy=LONG, service=ON_SCALED) as rig:
        await until(rig, State.WATCHING)
        rig.policy_text = LONG.replace("mode: act", "mode: observe")
        await rig.restart()
        rig.load = NEARLY_FULL
        await rig.run(minutes=2)
        await rig.restart()
        await rig.run(minutes=2)
        assert (await rig.changes())[-1].state is State.UNDONE
        assert rig.running == ("standard", SCALED_ENV | OURS)


async def test_a_newer_change_that_is_open_is_not_crossed(tmp_path):
    async with running_rig(tmp_path, policy=LONG, service=ON_SCALED) as rig:
        down = await until(rig, State.WATCHING)
        newer = a_change(
            "chg-newer", service_id=rig.service.id, created_at=rig.clock.now(), due_at=rig.clock.now() + 10**9
        )
        await rig.store.record(PassRecord(rig.service.id, (), change=newer))
        oom_kill(rig.sim.world, rig.service, rig.clock.now())
        await rig.run(minutes=3)
        down = await rig.store.change(down.id)
        assert (down.state, down.outcome.partition(";")[2]) == (State.DONE, " since then a newer change has begun")


async def test_memory_that_the_new_instance_needs_to_start_returns_nothing(tmp_path):
    policy = LONG.replace("warm_up: 20s", "warm_up: 5m")
    async with running_rig(tmp_path, policy=policy, service=ON_SCALED) as rig:
        await until(rig, State.SOAKING)
        rig.load = NEARLY_FULL
        await rig.run(minutes=3)
        rig.load = CALM
        await rig.run(minutes=5)
        assert (await rig.changes())[-1].state is State.WATCHING


async def test_a_few_slow_requests_return_nothing(tmp_path):
    async with running_rig(
        tmp_path, policy=LONG.replace("min_requests: 5", "min_requests: 500"), service=ON_SCALED
    ) as rig:
        await until(rig, State.WATCHING)
        rig.load = Load(0.1, {"starter": 30.0, "standard": 0.1})
        await rig.run(minutes=15)
        assert [change.state for change in await rig.changes()] == [State.WATCHING]


async def test_an_upgrade_is_not_returned_for_what_the_load_does(tmp_path):
    async with running_rig(tmp_path, policy=POLICY.replace("soak: 1m", "soak: 10m")) as rig:
        rig.load = Load(10.0, {"starter": 3.0, "standard": 9.0}, memory=1900 * MIB)
        await rig.run(minutes=3)
        rig.load = Load(10.0, {"starter": 3.0, "standard": 9.0}, memory=1900 * MIB)
        await rig.run(minutes=25)
        assert (await rig.changes())[0].state in {State.WATCHING, State.DONE}
        assert rig.running[0] == "standard"


async def test_an_upgrade_whose_instances_fail_three_times_in_the_soak_is_undone(tmp_path):
    async with running_rig(tmp_path, policy=POLICY.replace("soak: 1m", "soak: 10m")) as rig:
        rig.load = BUSY
        await until(rig, State.SOAKING)
        rig.load = CALM
        for _ in range(3):
            crashed(rig.sim.world, rig.service, rig.service.serving()[-1], {"nonZeroExit": 1}, rig.clock.now())
            await rig.run(seconds=40)
        await rig.run(minutes=2)
        (up,) = await rig.changes()
        assert up.state is State.UNDONE
        assert up.outcome == "its instances failed 3 times since it went live; back on starter"
        assert rig.running == ("starter", MVP_ENV | OURS)


async def test_too_few_requests_prove_nothing_and_that_is_said(tmp_path):
    async with running_rig(tmp_path, policy=POLICY.replace("min_requests: 5", "min_requests: 5000")) as rig:
        rig.app.signals = {"complaints": 1}
        await rig.run(minutes=1)
        rig.app.signals = {"complaints": 9}
        up = await until(rig, State.WATCHING)
        assert "and the app confirms 2 of 2 settings; unproven (" in up.outcome


async def test_when_the_watch_ends_the_time_before_is_told_beside_the_time_since(tmp_path):
    async with running_rig(tmp_path, world={"durations": Durations(update=15, drain=0)}) as rig:
        rig.load = BUSY
        await until(rig, State.SOAKING)
        await until(rig, State.DONE)
        (up, *_) = await rig.changes()
        assert dict(up.report)["Mean response time"].endswith("s → 800ms, better")
        assert dict(up.report)["Memory at most"] == "100 MB (20%) → 100 MB (5%), more room"
        report = next(one.event for one in rig.told.deliveries if one.event.kind is EventKind.CHANGE_REPORT)
        assert report.message.title == "Before and after: holisticos-api on standard (scaled)"
        assert report.message.fields[-1][0] == "Cost"
        assert report.thread == up.id


async def test_a_replay_sees_the_same_strain(tmp_path):
    async with running_rig(tmp_path, policy=LONG, service=ON_SCALED) as rig:
        await until(rig, State.WATCHING)
        again = await load(rig.managed.file, rig.managed.seen, rig.store, rig.clock.now())
        assert again.state.tier == rig.managed.state.tier == "mvp"
