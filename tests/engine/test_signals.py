"""What is counted: by the app itself, and by Render's events. Each once, dated when it happened."""

from autoscaler.core.change import State
from render_client.sim.controls import oom_kill
from tests.support.rig import POLICY, running_rig

OOM = POLICY.replace("memory_percent > 95% for 30s", "oom_kills >= 2 within 10m")


async def test_complaints_that_the_app_counts_send_it_up_and_are_spent_by_that(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.app.signals = {"complaints": 5}  # from before: nobody knows when
        await rig.run(minutes=1)
        assert await rig.changes() == []
        rig.app.signals = {"complaints": 7}
        await rig.run(minutes=1)
        assert await rig.changes() == []
        rig.app.signals = {"complaints": 8}
        await rig.run(seconds=10)
        (change,) = await rig.changes()
        assert change.reason == "complaints 3 >= 3 within 24h"
        assert change.spent == ("complaints",)


async def test_two_oom_kills_that_render_tells_of_are_an_emergency(tmp_path):
    async with running_rig(tmp_path, policy=OOM) as rig:
        oom_kill(rig.sim.world, rig.service, rig.clock.now())
        await rig.run(minutes=2)
        assert await rig.changes() == []
        oom_kill(rig.sim.world, rig.service, rig.clock.now())
        await rig.run(minutes=2)
        (change,) = await rig.changes()
        assert (change.emergency, change.state) == (True, State.WATCHING) or change.state.is_open
        assert change.reason.startswith("oom_kills 2 >= 2 within 10m")


async def test_an_event_is_counted_once_however_often_it_is_listed_and_over_a_restart(tmp_path):
    async with running_rig(tmp_path, policy=OOM) as rig:
        oom_kill(rig.sim.world, rig.service, rig.clock.now())
        await rig.run(minutes=3)
        await rig.restart()
        await rig.run(minutes=3)
        assert await rig.changes() == []


async def test_kills_are_dated_when_they_happened_not_when_they_were_heard_of(tmp_path):
    async with running_rig(tmp_path, policy=OOM) as rig:
        for _ in range(2):
            oom_kill(rig.sim.world, rig.service, rig.clock.now())
            rig.sim.clock.advance(900)
        await rig.restart()  # the bot was away, and hears of both only now
        await rig.run(minutes=5)
        assert await rig.changes() == []
