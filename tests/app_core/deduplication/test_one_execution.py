"""Concurrent identical calls share one execution, whatever happens to the caller that makes it."""

import asyncio
import traceback

import pytest

from app_core.deduplication import Deduplicator
from tests.support.computation import Counted, Work, begin, outcomes, settle


@pytest.fixture(params=["raise", "retry"])
def on_error(request):
    return request.param


async def test_10_000_identical_calls_are_one_execution():
    dedup, work = Deduplicator(), Work()
    calls = await begin(*(dedup.run("key", work) for _ in range(10_000)))
    assert (dedup.stats().waiting, dedup.stats().in_progress) == (9_999, 1)
    work.begun[0].set_result("result")
    assert await outcomes(calls) == ["result"] * 10_000
    stats = dedup.stats()
    assert (len(work.begun), stats.misses, stats.coalesced, stats.hits, stats.waiting) == (1, 1, 9_999, 0, 0)


async def test_calls_for_different_keys_run_side_by_side():
    dedup, work = Deduplicator(), Work()
    calls = await begin(dedup.run(1, work), dedup.run(2, work))
    work.begun[1].set_result("two")
    work.begun[0].set_result("one")
    assert await outcomes(calls) == ["one", "two"]


async def test_with_no_cache_concurrent_calls_still_share_one_execution():
    for dedup in (Deduplicator(ttl=0), Deduplicator(max_entries=0)):
        work = Work()
        calls = await begin(*(dedup.run("key", work) for _ in range(3)))
        work.begun[0].set_result("result")
        assert await outcomes(calls) == ["result"] * 3
        calls = await begin(dedup.run("key", work))
        assert len(work.begun) == 2
        work.begun[1].set_result("result")
        await outcomes(calls)
        assert dedup.stats().entries == 0


async def test_a_cancelled_waiter_disturbs_nobody():
    dedup, work = Deduplicator(), Work()
    calls = await begin(*(dedup.run("key", work) for _ in range(4)))
    calls[2].cancel()
    await settle()
    assert dedup.stats().waiting == 2
    work.begun[0].set_result("result")
    ended = await outcomes(calls)
    assert isinstance(ended.pop(2), asyncio.CancelledError)
    assert ended == ["result"] * 3


async def test_when_the_leader_is_cancelled_the_one_that_waited_longest_leads(on_error):
    dedup, first, second, third = Deduplicator(on_error=on_error), Work(), Work(), Work()
    calls = await begin(dedup.run("key", first), dedup.run("key", second), dedup.run("key", third))
    calls[0].cancel()
    await settle()
    assert [len(work.begun) for work in (first, second, third)] == [1, 1, 0]
    second.begun[0].set_result("result")
    cancelled, *served = await outcomes(calls)
    assert isinstance(cancelled, asyncio.CancelledError)
    assert served == ["result"] * 2
    assert (dedup.stats().misses, dedup.stats().coalesced, dedup.stats().failures) == (2, 1, 0)


async def test_a_leader_that_is_cancelled_alone_leaves_nothing_behind(on_error):
    dedup, work = Deduplicator(on_error=on_error), Work()
    (call,) = await begin(dedup.run("key", work))
    call.cancel()
    await outcomes([call])
    assert dedup.stats().in_progress == 0
    assert await dedup.run("key", Counted()) == "result"


async def test_a_waiter_that_is_cancelled_in_the_moment_it_shall_lead_passes_the_lead_on(on_error):
    dedup, work = Deduplicator(on_error=on_error), Work()
    calls = await begin(*(dedup.run("key", work) for _ in range(4)))
    calls[0].cancel()
    await asyncio.sleep(0)  # the leader has gone and has woken the next, which has not run yet
    calls[1].cancel()
    await settle()
    assert len(work.begun) == 2
    work.begun[1].set_result("result")
    ended = await outcomes(calls)
    assert [type(outcome) for outcome in ended[:2]] == [asyncio.CancelledError] * 2
    assert ended[2:] == ["result"] * 2


async def test_when_all_waiters_are_cancelled_with_the_leader_the_key_is_free(on_error):
    dedup, work = Deduplicator(on_error=on_error), Work()
    calls = await begin(*(dedup.run("key", work) for _ in range(4)))
    for call in calls:
        call.cancel()
    await outcomes(calls)
    assert (dedup.stats().in_progress, dedup.stats().waiting) == (0, 0)
    assert await dedup.run("key", Counted()) == "result"


async def test_a_caller_that_comes_while_the_lead_is_on_its_way_waits_too():
    dedup, work = Deduplicator(), Work()
    calls = await begin(dedup.run("key", work), dedup.run("key", work))
    calls[0].cancel()
    await asyncio.sleep(0)
    assert len(work.begun) == 1
    calls += await begin(dedup.run("key", work))
    work.begun[1].set_result("result")
    assert (await outcomes(calls))[1:] == ["result"] * 2
    assert len(work.begun) == 2


async def test_a_failed_leader_may_ask_again_at_once():
    """The lead may be on its way to another task then, so it does not wait for itself."""
    dedup, work = Deduplicator(on_error="retry"), Work()

    async def twice():
        try:
            return await dedup.run("key", work)
        except OSError:
            return await dedup.run("key", work)

    calls = await begin(twice(), dedup.run("key", work))
    work.begun[0].set_exception(OSError())
    await settle()
    work.begun[1].set_result("result")
    assert await outcomes(calls) == ["result"] * 2


async def test_when_waiters_retry_each_gets_only_its_own_error():
    dedup, work = Deduplicator(on_error="retry"), Work()
    calls = await begin(*(dedup.run("key", work) for _ in range(5)))
    for number in range(5):
        work.begun[number].set_exception(OSError(number))
        await settle()
    assert [str(outcome) for outcome in await outcomes(calls)] == list("01234")
    assert (dedup.stats().failures, dedup.stats().coalesced, dedup.stats().in_progress) == (5, 0, 0)


async def test_errors_are_never_kept(on_error):
    dedup, work = Deduplicator(on_error=on_error), Work()
    calls = await begin(dedup.run("key", work))
    work.begun[0].set_exception(OSError())
    await outcomes(calls)
    assert dedup.stats().entries == 0
    assert await dedup.run("key", Counted()) == "result"


async def test_an_error_that_many_raise_keeps_one_traceback_of_one_length():
    dedup, work = Deduplicator(), Work()
    calls = await begin(*(dedup.run("key", work) for _ in range(100)))
    work.begun[0].set_exception(OSError("down"))
    _, *lengths = [len(traceback.extract_tb(outcome.__traceback__)) for outcome in await outcomes(calls)]
    assert max(lengths) < 10


@pytest.mark.parametrize("ending", (KeyboardInterrupt, SystemExit, GeneratorExit))
async def test_one_that_ends_the_process_or_the_coroutine_leaves_nobody_waiting(ending, on_error):
    dedup = Deduplicator(on_error=on_error)
    leading = dedup.run("key", Work())
    leading.send(None)
    (waiting,) = await begin(dedup.run("key", Counted()))
    with pytest.raises(ending):
        leading.throw(ending())
    assert await waiting == "result"


async def test_a_waiter_whose_coroutine_is_closed_leaves_the_queue():
    dedup, work = Deduplicator(), Work()
    calls = await begin(dedup.run("key", work))
    waiting = dedup.run("key", work)
    waiting.send(None)
    assert dedup.stats().waiting == 1
    waiting.close()
    assert dedup.stats().waiting == 0
    work.begun[0].set_result("result")
    assert await outcomes(calls) == ["result"]


async def test_a_computation_that_asks_for_its_own_key_is_told_at_once():
    dedup = Deduplicator()

    async def recursive():
        return await dedup.run(("user", "secret"), recursive)

    with pytest.raises(RuntimeError, match="wait for itself") as caught:
        await dedup.run(("user", "secret"), recursive)
    assert "secret" not in str(caught.value)
    assert dedup.stats().in_progress == 0


async def test_one_that_took_the_lead_over_is_told_so_too():
    dedup = Deduplicator()

    async def recursive():
        return await dedup.run("key", recursive)

    calls = await begin(dedup.run("key", Work()), dedup.run("key", recursive))
    calls[0].cancel()
    assert [type(outcome) for outcome in await outcomes(calls)] == [asyncio.CancelledError, RuntimeError]


async def test_those_who_gave_up_waiting_for_a_long_execution_are_not_remembered():
    dedup, work = Deduplicator(), Work()
    calls = await begin(dedup.run("key", work))
    impatient = await begin(*(dedup.run("key", work) for _ in range(1000)))
    for call in impatient:
        call.cancel()
    await outcomes(impatient)
    (flight,) = dedup._board._flights.values()
    assert not flight._turns
    work.begun[0].set_result("result")
    await outcomes(calls)


async def test_a_computation_may_ask_for_other_keys():
    dedup = Deduplicator()

    async def outer():
        return "outer " + await dedup.run("inner", Counted("inner"))

    assert await dedup.run("outer", outer) == "outer inner"


async def test_stop_iteration_is_an_error_like_any_other_to_everybody():
    """It can neither be raised into a future nor out of a coroutine."""
    dedup = Deduplicator()

    async def compute():
        await settle()
        raise StopIteration("value")

    def not_even_a_coroutine():
        raise StopIteration("value")

    for computing in (compute, not_even_a_coroutine):
        ended = await outcomes(await begin(*(dedup.run("key", computing) for _ in range(3))))
        assert [type(outcome) for outcome in ended] == [RuntimeError] * 3
    assert dedup.stats().in_progress == 0


def test_one_whose_event_loop_was_closed_under_it_holds_nobody_up_in_the_next_loop():
    dedup = Deduplicator()
    dead = asyncio.new_event_loop()
    leading = dead.create_task(dedup.run("key", Work()))
    waiting = dead.create_task(dedup.run("key", Work()))
    dead.run_until_complete(settle())
    leading._log_destroy_pending = waiting._log_destroy_pending = False
    dead.close()
    assert asyncio.run(dedup.run("key", Counted())) == "result"
    del leading, waiting


def test_two_living_event_loops_are_told_apart():
    dedup, other = Deduplicator(), asyncio.new_event_loop()
    leading = other.create_task(dedup.run("key", Work()))
    other.run_until_complete(settle())
    with pytest.raises(RuntimeError, match="one for each loop"):
        asyncio.run(dedup.run("key", Counted()))
    leading.cancel()
    other.run_until_complete(asyncio.gather(leading, return_exceptions=True))
    other.close()
