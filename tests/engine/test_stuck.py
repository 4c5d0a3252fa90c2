"""A change that Render does not let go on: it is tried less and less often, told once, and undone where that is all there is."""

from dataclasses import replace

import pytest

from autoscaler.core.change import State
from autoscaler.engine.reconciler import LEAST_TENURE
from render_client.sim import Fault, Match
from tests.support.rig import BUSY, MVP_ENV, SCALED_ENV, running_rig

OURS = {"SECRET_KEY": "not-ours"}
VARIABLES = Match(method="PUT", path="/services/*/env-vars/*")


def stuck(rig):
    return [title for title in rig.told.titles if "no step forward" in title]


async def test_a_write_that_fails_for_hours_is_told_once_and_goes_on_when_it_can(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.sim.faults.add(Fault(kind="status", status=500, times=0, match=VARIABLES))
        rig.load = BUSY
        await rig.run(minutes=120)
        (change,) = await rig.changes()
        assert change.state is State.APPLYING
        assert stuck(rig) == ["holisticos-api: no step forward for 10m"]
        assert len(await rig.store.journal(change.id)) < 140, "about one a minute"
        rig.sim.faults.clear()
        await rig.run(minutes=5)
        assert rig.running == ("standard", SCALED_ENV | OURS)
        assert (await rig.changes())[0].stuck_since is None


async def test_a_state_that_does_not_allow_a_write_is_waited_out_for_half_an_hour_and_then_it_is_undone(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.sim.faults.add(Fault(kind="status", status=409, times=0, match=VARIABLES))
        rig.load = BUSY
        await rig.run(minutes=25)
        assert (await rig.changes())[0].state is State.APPLYING
        await rig.run(minutes=15)
        change = (await rig.changes())[0]
        assert change.state is State.UNDONE
        assert change.outcome.startswith("Render refused: The resource's present state does not allow this")
        assert rig.configured == rig.running == ("starter", MVP_ENV | OURS)


async def test_a_render_that_is_away_for_hours_is_told_once_and_the_change_is_kept(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.load = BUSY
        rig.sim.hooks.after_write(
            lambda call: rig.sim.faults.add(Fault(kind="down")) if call.method == "PATCH" else None
        )
        await rig.run(minutes=90)
        assert len(stuck(rig)) == 1
        rig.sim.faults.clear()
        await rig.run(minutes=6)
        assert rig.running == ("standard", SCALED_ENV | OURS)


class Tenure:
    def __init__(self, seconds):
        self.seconds = seconds

    def left(self, service_id):
        return self.seconds


@pytest.mark.parametrize(("left", "writes"), ((LEAST_TENURE - 0.1, False), (LEAST_TENURE, True)))
async def test_without_time_enough_on_its_lease_a_worker_makes_no_call_and_what_is_due_stays_due(
    tmp_path, left, writes
):
    async with running_rig(tmp_path) as rig:
        rig.reconciler._tenure = tenure = Tenure(left)
        rig.load = BUSY
        await rig.run(minutes=4)
        assert bool(rig.writes) == writes
        tenure.seconds = 60
        await rig.run(minutes=1)
        assert rig.configured[0] == "standard"


@pytest.mark.parametrize("answers", ((1,), (LEAST_TENURE, 1)), ids=("before it is written down", "after that"))
async def test_what_lacks_the_time_is_due_by_the_clock_of_the_worker_that_has_it_now(tmp_path, answers):
    """Another worker, whose clock was two hours ahead, had put it off."""
    async with running_rig(tmp_path) as rig:
        rig.load = BUSY
        while not (changes := await rig.changes()):
            rig.sim.clock.advance(10)
            await rig.ticker.tick(rig.managed)
        rig.reconciler._tenure = tenure = Tenure(1)
        begun, now = await rig.reconciler.advance(changes[0]), rig.clock.now()
        await rig.store.save_change(replace(begun, due_at=now + 7_200_000))
        left = iter(answers)
        tenure.left = lambda service_id: next(left, 1)
        await rig.reconciler.advance(begun)
        assert rig.writes == []
        assert [one.id for one in await rig.store.due_changes(now)] == [changes[0].id]


async def test_a_call_for_which_too_little_is_left_once_it_is_written_down_is_not_made(tmp_path):
    """The database was slow: the entry says so, and the next look makes the call."""
    async with running_rig(tmp_path) as rig:
        rig.load = BUSY
        while not (changes := await rig.changes()):
            rig.sim.clock.advance(10)
            await rig.ticker.tick(rig.managed)
        left = iter([LEAST_TENURE, LEAST_TENURE - 0.1])
        rig.reconciler._tenure = tenure = Tenure(LEAST_TENURE)
        tenure.left = lambda service_id: next(left, LEAST_TENURE)
        await rig.reconciler.advance(changes[0])
        assert rig.writes == []
        (entry,) = [one for one in await rig.store.journal(changes[0].id) if one.step.startswith("set plan")]
        assert entry.outcome == "not sent: too little of the lease was left"
        await rig.run(minutes=4)
        assert [change.state for change in await rig.changes()] == [State.WATCHING]
        assert rig.writes.count("POST deploys") == 1
