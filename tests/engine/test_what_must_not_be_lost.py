"""The store fails, the clock jumps, the worker was away: memory equals the store again, and nothing is concluded from not having looked."""

from contextlib import asynccontextmanager

import pytest

from autoscaler.core.change import State
from autoscaler.core.evaluate import decide
from autoscaler.core.observations import Reading
from autoscaler.engine import drift
from autoscaler.engine.adoption import adopt
from autoscaler.engine.managed import load
from autoscaler.engine.reconciler import Reconciler
from autoscaler.errors import StoreError
from render_client.sim.controls import dashboard
from tests.support.rig import BUSY, SERVICE, running_rig


class Failing:
    """A store whose named method fails as often as it is told to, before or after the commit."""

    def __init__(self, store, method, *, times, after=False):
        self._store, self._method, self._times, self._after = store, method, times, after

    def __getattr__(self, name):
        call = getattr(self._store, name)
        if name != self._method:
            return call

        async def failing(*arguments, **named):
            self._times -= 1
            if self._times >= 0 and not self._after:
                raise StoreError("the disk is full")
            result = await call(*arguments, **named)
            if self._times >= 0:
                raise StoreError("the connection broke while it committed")
            return result

        return failing


async def memory_equals_the_store(rig):
    now = rig.clock.now()
    again = await load(rig.managed.file, rig.managed.seen, rig.store, now)
    assert decide(rig.managed.state, now) == decide(again.state, now)
    assert rig.managed.verdict == again.verdict


@pytest.mark.parametrize("after", (False, True))
async def test_a_pass_that_can_not_be_recorded_is_in_memory_neither(tmp_path, after):
    async with running_rig(tmp_path) as rig:
        rig.load = BUSY
        await rig.run(minutes=1)
        rig.ticker._store = Failing(rig.store, "record", times=1, after=after)
        rig.sim.clock.advance(10)
        with pytest.raises(StoreError):
            await rig.ticker.tick(rig.managed)
        await rig.run(seconds=20)
        await memory_equals_the_store(rig)


@pytest.mark.parametrize("after", (False, True))
async def test_a_tier_that_can_not_be_recorded_is_looked_at_again(tmp_path, after):
    async with running_rig(tmp_path) as rig:
        await rig.run(minutes=1)
        dashboard(rig.sim.world, rig.service, rig.clock.now(), plan="standard")
        failing = Failing(rig.store, "record", times=1, after=after)
        with pytest.raises(StoreError):
            await drift.look(rig.managed, rig.render, failing, rig.clock)
        await rig.run(minutes=1)
        assert rig.managed.state.tier == "scaled"
        assert [one.tier for one in await rig.store.tier_changes(SERVICE)] == ["mvp", "scaled"]
        await memory_equals_the_store(rig)


@asynccontextmanager
async def taken_over(folder):
    """A change whose deploy has just gone live, and another worker that knows nothing of its service yet."""
    async with running_rig(folder) as rig:
        rig.load = BUSY
        while not any(change.attempts for change in await rig.changes()):
            await rig.run(seconds=10)
        rig.sim.clock.advance(60)
        fleet = {}
        yield rig, Reconciler(rig.store, rig.render, rig.clock, fleet), fleet
        assert [change.state for change in await rig.changes()] == [State.SOAKING]
        async with rig.managed.in_step(rig.store, rig.clock.now()):
            assert rig.managed.state.tier == "scaled"
        await memory_equals_the_store(rig)


@pytest.mark.parametrize("after", (False, True))
@pytest.mark.parametrize("skipped", range(12))
async def test_a_step_that_can_not_be_written_down_is_taken_up_again_with_one_deploy(tmp_path, skipped, after):
    async with running_rig(tmp_path) as rig:
        rig.load = BUSY
        real = rig.reconciler._store
        saves = 0

        class Sometimes:
            def __getattr__(self, name):
                nonlocal saves
                if name == "save_change":
                    saves += 1
                    if saves == skipped + 1:
                        return getattr(Failing(real, name, times=1, after=after), name)
                return getattr(real, name)

        rig.reconciler._store = Sometimes()
        for _ in range(60):
            try:
                await rig.run(seconds=10)
            except StoreError:
                continue  # the worker logs it and goes on
        (change,) = await rig.changes()
        assert change.state in {State.WATCHING, State.DONE}
        assert rig.writes.count("POST deploys") == 1
        assert all(entry.outcome for entry in await rig.store.journal(change.id))
        await memory_equals_the_store(rig)


async def test_what_a_change_does_while_another_worker_takes_its_service_over_is_not_lost(tmp_path):
    """The state is built from the store, then Render is looked at: what is written down in between is in no memory yet."""
    async with taken_over(tmp_path) as (rig, reconciler, fleet):
        deploys = rig.render.deploys

        async def meanwhile(service_id):
            rig.render.deploys = deploys
            await reconciler.advance((await rig.changes())[0])
            return await deploys(service_id)

        rig.render.deploys = meanwhile
        rig.managed = await adopt(rig.managed.file, rig.render, rig.store, rig.clock, fleet)


async def test_nor_what_is_written_down_just_when_it_has_taken_over(tmp_path):
    async with taken_over(tmp_path) as (rig, reconciler, fleet):

        class Slow:
            def __getattr__(self, name):
                return getattr(rig.store, name)

            async def save_change(self, change, **more):
                if change.state is State.SOAKING and not fleet:
                    rig.managed = await adopt(rig.managed.file, rig.render, rig.store, rig.clock, fleet)
                await rig.store.save_change(change, **more)

        reconciler._store = Slow()
        await reconciler.advance((await rig.changes())[0])


async def test_a_clock_that_was_an_hour_ahead_blinds_nobody_afterwards(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.load = BUSY
        rig.clock.wrong_by = 3_600_000
        await rig.run(seconds=20)
        rig.clock.wrong_by = 0
        await rig.run(minutes=1)
        assert isinstance(rig.managed.last_reading, Reading)
        assert rig.managed.last_reading.at == rig.clock.now()
        await rig.run(minutes=4)
        assert rig.running[0] == "standard"


async def test_a_drift_look_from_the_middle_of_a_change_is_no_tier(tmp_path):
    async with running_rig(tmp_path) as rig:
        seen = await rig.render.find_service(id=SERVICE, name=None)
        rig.load = BUSY
        await rig.run(minutes=1, seconds=50)

        class Slow:
            async def find_service(self, *, id, name):  # noqa: A002 - the port's word
                await rig.run(minutes=2)  # the whole change, up to its end
                return seen

            async def env(self, service_id, names):
                return {}

            async def deploys(self, service_id):
                return ()

            async def failures(self, service_id, since):
                return ()

        await drift.look(rig.managed, Slow(), rig.store, rig.clock)
        assert rig.managed.state.tier == "scaled"


async def test_a_worker_that_was_away_for_the_soak_asks_before_it_judges(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.load = BUSY
        await rig.run(minutes=3)
        (change,) = await rig.changes()
        assert change.state is State.SOAKING
        rig.sim.clock.advance(900)
        await rig.restart()
        for due in await rig.store.due_changes(rig.clock.now()):
            await rig.reconciler.advance(due)  # before its first poll
        await rig.run(seconds=20)
        assert (await rig.changes())[0].state is State.DONE
        assert rig.writes.count("POST deploys") == 1
