"""What people tell (`autoscaler signal`, `autoscaler metric set`) reaches a running worker through the store."""

import asyncio

from autoscaler.core.durations import DAY, HOUR, MINUTE
from autoscaler.core.observations import Told
from autoscaler.engine.hearing import Hearing
from autoscaler.engine.leases import Leases
from autoscaler.engine.worker import Parts, Worker
from autoscaler.policyfile import load_text
from autoscaler.ports import PassRecord
from tests.support.rig import POLICY, SERVICE, running_rig

FLOOR = POLICY.replace("do: prepare_for_scaling", "do: {at_least: scaled}").replace(
    "daily_active_users >= 100", "monthly_revenue >= 50"
)


def complaints(rig) -> float | None:
    """How many the last verdict counts."""
    return next(one.value for one in rig.managed.verdict.progress if one.metric == "complaints")


class People:
    """They tell of it as another process would: straight into the store."""

    def __init__(self, rig):
        self.rig = rig
        self.words = 0

    async def tell(self, name, value=1.0, *, who=None, ago=0, service=SERVICE):
        self.words += 1
        at = self.rig.clock.now() - ago
        told = Told(at, name, value, who, id=f"told-{self.words}")
        await self.rig.store.record(PassRecord(service, (told,)))


async def test_three_complaints_of_three_people_send_it_up_with_the_next_pass(tmp_path):
    async with running_rig(tmp_path) as rig:
        people = People(rig)
        await people.tell("complaints", who="anna")
        await people.tell("complaints", who="ben")
        await rig.run(seconds=10)
        assert await rig.changes() == []
        await people.tell("complaints", who="carla")
        await rig.run(seconds=10)
        (change,) = await rig.changes()
        assert change.reason == "complaints 3 >= 3 within 24h"


async def test_one_person_who_complains_three_times_is_one(tmp_path):
    async with running_rig(tmp_path) as rig:
        people = People(rig)
        for _ in range(3):
            await people.tell("complaints", who="anna")
        await people.tell("complaints")
        await rig.run(seconds=20)
        assert await rig.changes() == []
        await people.tell("complaints")  # nobody knows whose it is: it counts for itself
        await rig.run(seconds=10)
        assert len(await rig.changes()) == 1


async def test_a_person_counts_from_the_last_time_they_complained(tmp_path):
    async with running_rig(tmp_path) as rig:
        people = People(rig)
        await people.tell("complaints", who="anna", ago=23 * HOUR)
        await people.tell("complaints", who="anna")
        await people.tell("complaints", who="ben", ago=25 * HOUR)
        await people.tell("complaints", who="carla")
        await rig.run(seconds=10)
        assert await rig.changes() == []
        assert complaints(rig) == 2


async def test_revenue_that_is_told_raises_the_floor(tmp_path):
    async with running_rig(tmp_path, policy=FLOOR) as rig:
        await People(rig).tell("monthly_revenue", 62)
        await rig.run(seconds=10)
        (change,) = await rig.changes()
        assert change.target.tier == "scaled"


async def test_revenue_of_three_days_ago_moves_nothing(tmp_path):
    async with running_rig(tmp_path, policy=FLOOR) as rig:
        await People(rig).tell("monthly_revenue", 62, ago=2 * DAY + MINUTE)
        await rig.run(minutes=1)
        await rig.restart()
        await rig.run(minutes=1)
        assert await rig.changes() == []


async def test_an_older_value_that_arrives_later_replaces_nothing(tmp_path):
    async with running_rig(tmp_path, policy=FLOOR) as rig:
        people = People(rig)
        await people.tell("monthly_revenue", 10)
        await people.tell("monthly_revenue", 62, ago=HOUR)
        await rig.run(seconds=20)
        assert await rig.changes() == []


async def test_what_was_told_while_no_worker_ran_is_heard_at_its_start_and_once(tmp_path):
    async with running_rig(tmp_path) as rig:
        people = People(rig)
        await people.tell("complaints")
        await people.tell("complaints")
        await rig.restart()
        await rig.run(seconds=20)
        assert complaints(rig) == 2
        assert await rig.changes() == []


async def test_a_state_that_is_built_anew_does_not_hear_twice(tmp_path):
    async with running_rig(tmp_path) as rig:
        people = People(rig)
        await people.tell("complaints")
        await people.tell("complaints")
        rig.managed.stale = True  # as after a commit that failed
        await rig.run(seconds=20)
        assert complaints(rig) == 2


async def test_a_clock_ahead_of_ours_does_not_date_it_into_the_future(tmp_path):
    async with running_rig(tmp_path) as rig:
        await People(rig).tell("complaints", ago=-5 * MINUTE)
        await rig.run(seconds=20)
        assert rig.managed.state.newest <= rig.clock.now()
        assert complaints(rig) == 1
        await rig.restart()
        await rig.run(seconds=10)
        assert complaints(rig) == 1


async def test_a_word_for_a_service_that_is_adopted_a_little_later_waits_for_it(tmp_path):
    async with running_rig(tmp_path) as rig:
        fleet = {}
        hearing = Hearing(rig.store, fleet, rig.clock)
        await hearing.hear()
        people = People(rig)
        await people.tell("complaints")
        await people.tell("complaints", service="srv-nobodys")
        await hearing.hear()
        rig.managed.state.__init__(rig.managed.policy, rig.managed.state.every)
        fleet[SERVICE] = rig.managed
        await hearing.hear()
        assert rig.managed.heard == {"told-1"}
        rig.sim.clock.advance(700)
        await hearing.hear()
        fleet["srv-nobodys"] = None  # would fail if that word were still kept
        await hearing.hear()


async def test_the_worker_hears_while_it_runs(tmp_path):
    async with running_rig(tmp_path) as rig:
        fleet = {}
        heard = asyncio.Event()

        def on_pass(result, seconds):
            if any(one.metric == "complaints" and one.value for one in result.verdict.progress):
                heard.set()

        parts = Parts(
            store=rig.store,
            leases=Leases(rig.store, rig.clock),
            render=rig.render,
            notifier=rig.told,
            clock=rig.clock,
            ticker=rig.ticker,
            reconciler=rig.reconciler,
            dry_run=False,
            on_pass=on_pass,
        )
        worker = Worker(parts, [load_text(POLICY, "rig.yaml")], fleet)
        running = asyncio.create_task(worker.run())
        await People(rig).tell("complaints", who="anna")
        turning = asyncio.create_task(turn(rig))
        await asyncio.wait_for(heard.wait(), 15)
        turning.cancel()
        worker.stop()
        await asyncio.wait_for(running, 10)


async def turn(rig):
    """The rig's clock goes on, ten times as fast as ours."""
    for _ in range(1000):
        await asyncio.sleep(0.05)
        rig.sim.clock.advance(0.5)
