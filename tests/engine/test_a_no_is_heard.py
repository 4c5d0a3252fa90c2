"""Who said no to something is left alone with it, also where it comes back in turns with something else, or as an emergency."""

from dataclasses import replace

from autoscaler.core.change import State
from autoscaler.core.consent import AFTER_EMERGENCY
from tests.engine.test_asking import ASKING, FULL, say, states, until_asked
from tests.support.rig import BUSY, CALM, running_rig

TWO = ASKING.replace("avg_response_time > 1s for 2m,", "avg_response_time > 1s for 2m, memory_usage > 300MB for 2m,")
FAT = replace(CALM, memory=350 * 1024**2)


async def test_conditions_that_take_turns_are_each_asked_about_once(tmp_path):
    async with running_rig(tmp_path, policy=TWO) as rig:
        for load in (BUSY, FAT, BUSY, FAT):
            rig.load = load
            await rig.run(minutes=8)
            if rig.managed.proposal is not None:
                await say(rig, rig.managed.proposal, yes=False)
                await rig.run(seconds=20)
        assert await states(rig) == [State.REJECTED, State.REJECTED]


async def test_a_no_to_an_emergency_that_needs_a_yes_holds_for_an_hour(tmp_path):
    async with running_rig(tmp_path, policy=ASKING) as rig:
        change = await until_asked(rig, FULL)
        assert change.emergency
        await say(rig, change, yes=False)
        await rig.run(minutes=50)
        assert await states(rig) == [State.REJECTED]
        await rig.run(seconds=AFTER_EMERGENCY // 1000 - 50 * 60 + 10)
        assert await states(rig) == [State.REJECTED, State.PROPOSED]


async def test_a_no_to_a_slow_app_is_none_to_an_emergency(tmp_path):
    async with running_rig(tmp_path, policy=ASKING) as rig:
        change = await until_asked(rig)
        await say(rig, change, yes=False)
        await rig.run(minutes=1)
        rig.load = FULL
        await rig.run(minutes=1)
        assert await states(rig) == [State.REJECTED, State.PROPOSED]
        assert rig.managed.proposal.emergency
