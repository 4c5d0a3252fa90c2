"""Results stay for their time, a bounded number of them, and are freed without holding up the event loop."""

import asyncio
import gc
import weakref

import pytest

from app_core import ScalingConfig
from app_core.deduplication import Deduplicator, entries, registry
from tests.support.asgi import Clock
from tests.support.computation import Counted, Work, begin, outcomes, settle


@pytest.fixture
def clock():
    return Clock()


async def test_a_call_may_have_a_time_to_live_of_its_own(clock):
    dedup, computed = Deduplicator(ttl=600, clock=clock), Counted()
    await dedup.run("behaviour", computed, ttl=3600)
    await dedup.run("request", computed)
    await dedup.run("never kept", computed, ttl=0)
    clock.advance(600)
    await dedup.run("behaviour", computed)
    assert (computed.executions, dedup.stats().entries) == (3, 2)
    await dedup.run("request", computed)
    assert (computed.executions, dedup.stats().expired) == (4, 1)


async def test_the_time_to_live_begins_when_the_result_is_there(clock):
    dedup, work = Deduplicator(ttl=10, clock=clock), Work()
    calls = await begin(dedup.run("key", work))
    clock.advance(100)
    work.begun[0].set_result("result")
    await outcomes(calls)
    clock.advance(9)
    assert await dedup.run("key", Counted("other")) == "result"


async def test_the_least_recently_used_goes_first():
    dedup, computed = Deduplicator(max_entries=2), Counted()
    await dedup.run("a", computed)
    await dedup.run("b", computed)
    await dedup.run("a", computed)
    await dedup.run("c", computed)
    await dedup.run("a", computed)
    assert computed.executions == 3
    await dedup.run("b", computed)
    assert (computed.executions, dedup.stats().evictions) == (4, 2)


class Timers:
    """As much of an event loop as the entries see; a timer goes off when told."""

    def __init__(self):
        self.delays, self.due = [], []

    def call_later(self, delay, callback, *arguments):
        self.delays.append(delay)
        self.due.append((callback, arguments))

    def fire(self):
        callback, arguments = self.due.pop()
        callback(*arguments)


def test_what_has_expired_is_freed_by_a_timer_that_is_set_only_while_there_is_something_to_free(clock):
    timers, kept = Timers(), entries.Entries(100, 300, clock)
    assert timers.delays == []
    kept.put("short", "result", None, 600, timers)
    kept.put("long", "result", None, 1000, timers)
    assert timers.delays == [300]
    clock.advance(600)
    timers.fire()
    assert (list(kept.by_key), kept.expired) == (["long"], 1)
    assert timers.delays == [300, 300]
    clock.advance(400)
    timers.fire()
    assert (list(kept.by_key), kept.expired) == ([], 2)
    assert (timers.delays, timers.due) == ([300, 300], [])
    kept.put("short", "result", None, 600, timers)
    assert timers.delays == [300, 300, 300]


async def test_sweeping_100_000_entries_gives_the_loop_a_turn_after_every_thousand(clock):
    kept = entries.Entries(100_000, 300, clock)
    loop, turns = asyncio.get_running_loop(), 0
    for number in range(100_000):
        kept.put(("user", number), "result", None, 10 if number % 2 else 1000, loop)
    clock.advance(10)
    kept.sweep(loop, list(kept.by_key))
    while len(kept.by_key) > 50_000 and turns < 200:
        before = len(kept.by_key)
        await asyncio.sleep(0)
        turns += 1
        assert before - len(kept.by_key) <= 1000
    assert (len(kept.by_key), kept.expired) == (50_000, 50_000)
    assert turns >= 99


async def test_a_sweep_minds_what_has_changed_since_it_began(clock):
    kept = entries.Entries(5000, 300, clock)
    loop = asyncio.get_running_loop()
    for number in range(3000):
        kept.put(number, "result", None, 10, loop)
    clock.advance(10)
    kept.sweep(loop, list(kept.by_key))
    kept.by_key.pop(2500)
    kept.put(2600, "new", None, 10, loop)
    for _ in range(5):
        await asyncio.sleep(0)
    assert list(kept.by_key) == [2600]


async def test_a_deduplicator_that_nobody_holds_is_gone_although_its_timer_is_set():
    dedup = Deduplicator()
    await dedup.run("key", Counted())
    assert dedup in registry.live()
    watched = [weakref.ref(dedup), weakref.ref(dedup._entries)]
    del dedup
    gc.collect()
    assert [reference() for reference in watched] == [None, None]


def test_entries_of_a_loop_that_has_ended_are_swept_by_the_next(clock):
    dedup = Deduplicator(ttl=10, cleanup_interval=0.001, clock=clock)
    asyncio.run(dedup.run("key", Counted()))
    clock.advance(10)

    async def next_loop():
        await dedup.run("other", Counted())
        for _ in range(1000):
            if dedup.stats().expired:
                return
            await asyncio.sleep(0.001)

    asyncio.run(next_loop())
    assert (dedup.stats().entries, dedup.stats().expired) == (1, 1)


async def test_a_forgotten_result_is_computed_anew():
    dedup, computed = Deduplicator(), Counted()
    await dedup.run("key", computed)
    await dedup.forget("key")
    await dedup.forget("never there")
    await dedup.run("key", computed)
    assert computed.executions == 2


@pytest.mark.parametrize("first", ("old", "new"))
@pytest.mark.parametrize("how", ("forget", "clear"))
async def test_an_execution_that_began_before_its_key_was_forgotten_answers_nobody_who_came_after(how, first):
    dedup, old, new = Deduplicator(), Work(), Work()
    before = await begin(dedup.run("key", old), dedup.run("key", old))
    if how == "forget":
        await dedup.forget("key")
    else:
        dedup.clear()
    after = await begin(dedup.run("key", new), dedup.run("key", new))
    assert (len(old.begun), len(new.begun), dedup.stats().in_progress) == (1, 1, 2)
    for work, result in [(old, "old"), (new, "new")] if first == "old" else [(new, "new"), (old, "old")]:
        work.begun[0].set_result(result)
        await settle()
        assert dedup.stats().in_progress == (result == first)
    assert await outcomes(before) == ["old"] * 2
    assert await outcomes(after) == ["new"] * 2
    assert await dedup.run("key", new) == "new"
    assert dedup.stats().in_progress == 0


async def test_the_waiters_of_a_forgotten_execution_still_take_over_from_a_cancelled_leader():
    dedup, old = Deduplicator(), Work()
    calls = await begin(dedup.run("key", old), dedup.run("key", old))
    await dedup.forget("key")
    calls[0].cancel()
    await begin()
    old.begun[1].set_result("old")
    assert await calls[1] == "old"
    assert (dedup.stats().entries, dedup.stats().in_progress) == (0, 0)


@pytest.mark.parametrize(
    ("arguments", "named"),
    (
        ({"ttl": -1}, "ttl=-1"),
        ({"ttl": "600"}, "ttl='600'"),
        ({"ttl": float("nan")}, "ttl=nan"),
        ({"ttl": float("inf")}, "ttl=inf"),
        ({"ttl": True}, "ttl=True"),
        ({"max_entries": -1}, "max_entries=-1"),
        ({"max_entries": 1.5}, "max_entries=1.5"),
        ({"max_entries": True}, "max_entries=True"),
        ({"on_error": "ignore"}, "on_error='ignore'"),
        ({"cleanup_interval": 0}, "cleanup_interval=0"),
    ),
)
def test_a_bad_argument_is_refused_by_its_name(arguments, named):
    with pytest.raises(ValueError, match=named):
        Deduplicator(**arguments)


async def test_a_bad_time_to_live_of_a_call_is_refused_before_anything_runs():
    dedup, computed = Deduplicator(), Counted()
    with pytest.raises(ValueError, match="ttl=-1"):
        await dedup.run("key", computed, ttl=-1)
    assert computed.executions == 0


async def test_the_settings_in_force_are_taken_from_the_config(clock):
    environ = {"REQUEST_CACHE_TTL": "7", "MAX_CACHE_ENTRIES": "2", "CLEANUP_INTERVAL": "11", "RESULT_COMPRESSION": "1"}
    dedup = Deduplicator.from_config(ScalingConfig.from_environment(None, environ))
    for key in range(3):
        await dedup.run(key, Counted("a" * 2000))
    assert dedup.stats().entries == 2
    assert [len(kept) < 100 for _, kept, _ in dedup._entries.by_key.values()] == [True, True]
    assert (dedup._ttl, dedup._entries._interval) == (7, 11)
