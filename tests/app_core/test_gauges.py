"""What the app registers: caches, pools, business metrics, signals; and the deduplicators that are found by themselves."""

import asyncio
import gc
import sys
import threading

import pytest

from app_core import Deduplicator, ScalingMiddleware
from app_core.gauges import DEDUPLICATION
from app_core.instruments import Instruments
from app_core.ledger import Kind
from tests.support.asgi import Clock, cgroup_v2, fresh_report, reply, settle


@pytest.fixture(autouse=True)
def no_deduplicators_of_other_tests():
    gc.collect()


@pytest.fixture
def measured(tmp_path):
    async def app(scope, receive, send):
        await reply(send)

    return ScalingMiddleware(app, clock=Clock(), cgroup_root=cgroup_v2(tmp_path))


@pytest.fixture
def gauges(measured):
    return measured.instruments.gauges


async def cache(measured, name):
    return (await fresh_report(measured))["cache"]["caches"][name]


async def test_a_cache_is_told_by_its_hits_and_look_ups_and_in_the_sum(measured, gauges):
    gauges.cache("pages", lambda: (30, 10))
    gauges.cache("users", lambda: (5, 0))
    for _ in range(3):  # asking does not count anything again
        told_now = (await fresh_report(measured))["cache"]
    assert told_now["caches"]["pages"] == {"hits_total": 30, "lookups_total": 40, "entries": 0}
    assert (told_now["hits_total"], told_now["lookups_total"]) == (35, 45)


async def test_totals_of_a_cache_that_is_cleared_do_not_fall(measured, gauges):
    reading = [8, 2]
    gauges.cache("pages", lambda: tuple(reading))
    await fresh_report(measured)
    reading[:] = 1, 2  # cleared, and used since
    assert (await cache(measured, "pages"))["lookups_total"] == 13
    reading[:] = 1, 1  # cleared again: as many hits as before, fewer misses
    assert (await cache(measured, "pages"))["lookups_total"] == 15
    reading[:] = 4, 3
    assert await cache(measured, "pages") == {"hits_total": 13, "lookups_total": 20, "entries": 0}


async def test_a_cache_that_cannot_be_read_keeps_its_totals(measured, gauges):
    reading, seen = [], []
    gauges.cache("pages", lambda: tuple(reading))
    for reading[:] in ((3, 1), (), (5, 1)):
        seen.append((await cache(measured, "pages"))["hits_total"])
    assert seen == [3, 3, 5]


async def test_a_deduplicator_is_found_by_itself(measured):
    assert (await fresh_report(measured))["cache"]["caches"] == {}
    dedup = Deduplicator(ttl=60, max_entries=10)
    go_on = asyncio.Event()

    async def compute():
        await go_on.wait()
        return "result"

    calls = [asyncio.ensure_future(dedup.run(("key",), compute)) for _ in range(4)]
    await settle()
    stats = (await fresh_report(measured))["service_stats"]
    assert (stats["active_requests"], stats["in_progress"], stats["cached_results"]) == (4, 1, 0)
    go_on.set()
    await asyncio.gather(*calls)
    await dedup.run(("key",), compute)
    report = await fresh_report(measured)
    stats = report["service_stats"]
    assert (stats["active_requests"], stats["in_progress"], stats["cached_results"]) == (0, 0, 1)
    assert report["cache"]["caches"][DEDUPLICATION] == {"hits_total": 4, "lookups_total": 5, "entries": 1}


async def test_totals_do_not_fall_when_a_deduplicator_is_dropped_and_what_it_held_is_gone(measured):
    async def compute():
        return "result"

    async def use():
        dedup = Deduplicator(ttl=60, max_entries=10)
        for _ in range(3):
            await dedup.run(("key",), compute)
        await fresh_report(measured)
        return dedup

    first, second = await use(), await use()
    assert await cache(measured, DEDUPLICATION) == {"hits_total": 4, "lookups_total": 6, "entries": 2}
    del first
    gc.collect()
    assert await cache(measured, DEDUPLICATION) == {"hits_total": 4, "lookups_total": 6, "entries": 1}
    del second
    gc.collect()
    assert await cache(measured, DEDUPLICATION) == {"hits_total": 4, "lookups_total": 6, "entries": 0}
    assert (await fresh_report(measured))["service_stats"]["cached_results"] == 0
    third = await use()
    assert await cache(measured, DEDUPLICATION) == {"hits_total": 6, "lookups_total": 9, "entries": 1}
    del third


async def test_a_pool_that_fails_later_is_told_no_more_until_it_can_be_read_again(measured, gauges, caplog):
    reading, seen = [], []
    gauges.pool("database", lambda: tuple(reading))
    for reading[:] in ((1, 3), (), (), (2, 3)):
        seen.append((await fresh_report(measured))["pools"])
    assert seen == [{"database": {"in_use": 1, "size": 3}}, {}, {}, {"database": {"in_use": 2, "size": 3}}]
    assert len(caplog.records) == 1  # and not at every reading


@pytest.mark.parametrize("reading", ((-1, 3), (1, -3), (float("inf"), 3), (10**400, 3), (float("nan"), 1)))
async def test_a_reading_that_no_pool_can_have_is_left_out(measured, gauges, caplog, reading):
    gauges.pool("database", lambda: reading)
    gauges.cache("pages", lambda: reading)
    report = await fresh_report(measured)
    assert (report["pools"], report["cache"]["caches"]) == ({}, {})
    assert "'database'" in caplog.text
    assert "'pages'" in caplog.text


@pytest.mark.parametrize("register", ("pool", "cache"))
def test_the_eleventh_is_refused_by_name_and_the_tenth_can_be_replaced(gauges, register):
    register = getattr(gauges, register)
    for number in range(10):
        register(f"number {number}", lambda: (0, 1))
    with pytest.raises(ValueError, match="no place for 'one more'"):
        register("one more", lambda: (0, 1))
    register("number 9", lambda: (1, 1))


@pytest.mark.parametrize("name", ("other", DEDUPLICATION))
@pytest.mark.parametrize("register", ("pool", "cache"))
def test_names_that_mean_something_else_are_refused(gauges, register, name):
    with pytest.raises(ValueError, match=f"'{name}' is taken"):
        getattr(gauges, register)(name, lambda: (0, 1))


async def test_ten_caches_and_the_deduplicators_are_all_told_by_name(measured, gauges):
    for number in range(10):
        gauges.cache(f"number {number}", lambda: (1, 0))
    dedup = Deduplicator(ttl=60, max_entries=10)
    caches = (await fresh_report(measured))["cache"]["caches"]
    assert len(caches) == 11
    assert "other" not in caches
    del dedup


@pytest.mark.parametrize("count", (-1, float("nan"), float("inf")))
def test_a_signal_counts_what_happened(gauges, count):
    with pytest.raises(ValueError, match="can't be"):
        gauges.signal("complaints", count)


async def test_signals_beyond_the_eleventh_name_are_other(measured, gauges):
    for number in range(14):
        gauges.signal(f"number {number:02}", 2)
    signals = (await fresh_report(measured))["signals"]
    assert signals == {**{f"number {number:02}": 2 for number in range(11)}, "other": 6}


@pytest.fixture
def restless_threads():
    """Threads that take turns all the time, so that a race shows."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_eight_threads_lose_no_signal_also_while_names_are_claimed_and_slices_begin(tmp_path, restless_threads):
    clock = Clock()
    instruments = Instruments(clock=clock, cgroup_root=cgroup_v2(tmp_path))

    def hammer(own):
        for number in range(1000):
            instruments.gauges.signal("shared")
            instruments.gauges.signal(f"{own}-{number % 3}")

    threads = [threading.Thread(target=hammer, args=(f"thread-{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            clock.advance(1)
            instruments.view()
            thread.join(0.01)  # not at full speed: it would keep the threads from running
    seen = instruments.view().named(Kind.SIGNAL)
    assert seen["shared"][0] == 8_000
    assert len(seen) == 12
    assert sum(row[0] for row in seen.values()) == 16_000
