"""What is older than the time given is kept as one reading an hour, with nothing of its sums and peaks lost."""

import asyncio
import random

from autoscaler.adapters.store import open_store
from autoscaler.adapters.store.retention import summed
from autoscaler.adapters.store.store import PAGE
from autoscaler.core.durations import DAY, HOUR, MINUTE, SECOND
from autoscaler.core.evaluate import decide
from autoscaler.core.observations import Masked, Miss, Missed, Reading, Signal, TierChanged
from autoscaler.engine.managed import load
from autoscaler.engine.worker import KEEP_READINGS
from tests.support.rig import POLICY, running_rig
from tests.support.stored import SERVICE, a_pass, a_reading

OTHER = "srv-another"


async def test_an_hour_is_the_sum_of_its_counters_the_most_of_its_gauges_and_the_last_of_all_else(store):
    first = Reading(
        HOUR, {"memory_usage": 9.0, "loop_lag": 1.0}, {"requests": 2.0, "seconds": 30.0}, instance="a", idle=True
    )
    second = Reading(
        HOUR + 30 * SECOND,
        {"memory_usage": 4.0, "cpu_percent": 7.0},
        {"requests": 3.0, "errors": 1.0, "seconds": 30.0},
        timestamp=77,
        counters={"requests": 5.0},
        instance="b",
        started_at=12,
        stalled=True,
        plan="starter",
        settings={"MAX_CONCURRENT": "8"},
    )
    young = a_reading(2 * HOUR)
    await store.record(a_pass(first, Missed(HOUR + 1, Miss.RESET), second, young))
    assert await store.prune(2 * HOUR) == 3
    assert await store.observations(SERVICE, 0) == [young]
    assert await store.hours(SERVICE, 0) == [
        Reading(
            HOUR + 30 * SECOND,
            {"memory_usage": 9.0, "loop_lag": 1.0, "cpu_percent": 7.0},
            {"requests": 5.0, "errors": 1.0, "seconds": 60.0},
            timestamp=77,
            counters={"requests": 5.0},
            instance="b",
            started_at=12,
            idle=False,
            stalled=True,
            plan="starter",
            settings={"MAX_CONCURRENT": "8"},
        ),
        young,
    ]


def test_in_which_parts_an_hour_is_put_together_makes_no_difference():
    drawn = random.Random(7)
    readings = [
        Reading(
            at,
            {name: float(drawn.randrange(9)) for name in drawn.sample("abc", 2)},
            {name: float(drawn.randrange(9)) for name in drawn.sample("xyz", 2)},
            idle=drawn.random() < 0.5,
            stalled=drawn.random() < 0.1,
        )
        for at in range(6)
    ]
    one, two, *others = readings
    parts = [summed([one, two]), summed([others[0], summed(others[1:])])]
    assert summed(parts) == summed(readings)


async def test_a_prune_changes_nothing_of_what_the_hours_tell(store):
    """Also where an hour is old in part, and added to when the rest of it is."""
    seen = [a_reading(HOUR + number * MINUTE, gauges={"memory_usage": float(number % 37)}) for number in range(150)]
    await store.record(a_pass(*seen))
    told = await store.hours(SERVICE, 0)
    assert [(one.at, one.increases["requests"], one.gauges["memory_usage"]) for one in told] == [
        (HOUR + 59 * MINUTE, 60 * 12.0, 36.0),
        (2 * HOUR + 59 * MINUTE, 60 * 12.0, 36.0),
        (3 * HOUR + 29 * MINUTE, 30 * 12.0, 36.0),
    ]
    for before in (HOUR, HOUR + 20 * MINUTE, HOUR + 20 * MINUTE, HOUR + 21 * MINUTE, 2 * HOUR + 7 * MINUTE, 9 * HOUR):
        await store.prune(before)
        assert [one.at for one in await store.observations(SERVICE, 0)] == [one.at for one in seen if one.at >= before]
        assert await store.hours(SERVICE, 0) == told


async def test_a_reading_that_comes_late_is_added_to_its_hour_and_changes_nothing_else(store):
    await store.record(a_pass(a_reading(HOUR + 30 * MINUTE, plan="standard")))
    await store.prune(2 * HOUR)
    await store.record(a_pass(a_reading(HOUR, gauges={"memory_usage": 9e9})))
    await store.prune(2 * HOUR)
    (hour,) = await store.hours(SERVICE, 0)
    assert (hour.at, hour.plan, hour.increases["requests"]) == (HOUR + 30 * MINUTE, "standard", 24.0)
    assert hour.gauges["memory_usage"] == 9e9


async def test_services_and_hours_are_kept_apart(store):
    for service in (SERVICE, OTHER):
        await store.record(a_pass(*(a_reading(number * HOUR) for number in range(3)), service_id=service))
    assert await store.prune(2 * HOUR) == 4
    assert [one.at for one in await store.hours(SERVICE, 0)] == [0, HOUR, 2 * HOUR]
    assert [one.at for one in await store.hours(SERVICE, HOUR + 1)] == [HOUR, 2 * HOUR]
    assert [one.at for one in await store.hours(OTHER, 3 * HOUR)] == []
    assert [one.at for one in await store.observations(OTHER, 0)] == [2 * HOUR]


async def test_a_thousand_hours_of_several_services_come_out_whole(store):
    """More than a page of each, in an order in which polls arrive: one service after the other."""
    services, each = [f"srv-{number}" for number in range(3)], 2 * PAGE + 7
    for at in range(0, each, 100):
        for service in services:
            polls = range(at, min(each, at + 100))
            await store.record(a_pass(*(a_reading(poll * 10 * MINUTE) for poll in polls), service_id=service))
    assert await store.prune(each * 10 * MINUTE) == 3 * each
    assert await store.prune(10**15) == 0
    for service in services:
        hours = await store.hours(service, 0)
        assert [one.at // HOUR for one in hours] == list(range(len(hours)))
        assert sum(one.increases["requests"] for one in hours) == each * 12


async def test_workers_that_prune_at_once_sum_nothing_twice(store, reopen):
    await store.record(a_pass(*(a_reading(number * MINUTE) for number in range(3_000))))
    gone = await asyncio.gather(*(one.prune(10**12) for one in (store, reopen(), reopen())))
    assert sum(gone) == 3_000
    hours = await store.hours(SERVICE, 0)
    assert (len(hours), sum(one.increases["requests"] for one in hours)) == (50, 36_000)


async def test_only_readings_leave_an_hour(store):
    kept = [Masked(1, 2, "start"), TierChanged(1, "mvp", "starter", 1), Signal(1, "oom_kills")]
    await store.record(a_pass(Missed(2, Miss.RESET), *kept))
    assert await store.prune(HOUR) == 1
    assert await store.hours(SERVICE, 0) == []
    assert await store.observations(SERVICE, 0) == kept


async def test_what_is_kept_by_the_hour_decides_nothing(tmp_path):
    """A restart folds raw observations alone: hours look like readings, and are none that was taken.

    Also under a policy that looks back further than readings are kept.
    """
    policy = POLICY.replace("fit_window: 5m", "fit_window: 60d").replace("200MB for 5m", "200MB for 35d")
    async with running_rig(tmp_path, policy=policy) as rig:
        now = rig.clock.now()
        old = [_of_memory(4e8, now - 40 * DAY + number * MINUTE) for number in range(600)]
        young = [_of_memory(1e8, now - DAY + number * MINUTE) for number in range(600)]
        states = []
        for seen in ((*old, *young), young):
            store = open_store(f"sqlite:///{tmp_path}/{len(seen)}.db")
            await store.migrate()
            await store.record(a_pass(TierChanged(now - 50 * DAY, "scaled", "standard", 1), *seen))
            await store.prune(now - KEEP_READINGS)
            managed = await load(rig.managed.file, rig.managed.seen, store, now)
            assert len(await store.hours(SERVICE, 0)) == len(seen) // 60
            states.append(managed.state)
            await store.close()
        with_hours, without = states
        assert decide(with_hours, now) == decide(without, now)
        mvp = rig.managed.policy.tiers[0]
        assert with_hours.peaks.misfits(mvp, 0.25) == without.peaks.misfits(mvp, 0.25) == ()
        assert with_hours.peaks.note(mvp) == without.peaks.note(mvp)


def _of_memory(used, at):
    return a_reading(at, gauges={"memory_usage": used}, started_at=None)
