"""The seed's form: ask whether to process, then say how it ended."""

import asyncio

import pytest

from app_core.deduplication import Deduplicator
from tests.support.computation import Counted, Work, begin, outcomes, settle


class Handler:
    """A request handler that processes when told to, and ends as its `end` says: a result, an error, or just so."""

    def __init__(self, dedup, key="key"):
        self.dedup, self.key = dedup, key
        self.processes = False
        self.end = asyncio.get_running_loop().create_future()

    async def __call__(self):
        self.processes, result = await self.dedup.coordinate(self.key)
        if not self.processes:
            return result
        method, *arguments = await self.end
        if method is not None:
            getattr(self.dedup, method)(self.key, *arguments)
        return "processed"


async def handlers(dedup, count):
    made = [Handler(dedup) for _ in range(count)]
    return made, await begin(*(handler() for handler in made))


def processing(made):
    return [number for number, handler in enumerate(made) if handler.processes]


async def test_one_processes_and_the_others_get_its_result():
    dedup = Deduplicator()
    made, calls = await handlers(dedup, 4)
    assert processing(made) == [0]
    made[0].end.set_result(("complete", {"steps": [1]}))
    assert await outcomes(calls) == ["processed", {"steps": [1]}, {"steps": [1]}, {"steps": [1]}]
    assert await dedup.coordinate("key") == (False, {"steps": [1]})
    stats = dedup.stats()
    assert (stats.misses, stats.coalesced, stats.hits, stats.in_progress) == (1, 3, 1, 0)


async def test_it_shares_executions_with_run():
    dedup, work = Deduplicator(), Work()
    (running,) = await begin(dedup.run("key", work))
    made, calls = await handlers(dedup, 1)
    work.begun[0].set_result("result")
    assert await outcomes([running, *calls]) == ["result"] * 2
    await dedup.forget("key")
    made, calls = await handlers(dedup, 1)
    (running,) = await begin(dedup.run("key", work))
    made[0].end.set_result(("complete", "result", 60))
    assert await outcomes([running, *calls]) == ["result", "processed"]


async def test_those_who_wait_get_the_error():
    made, calls = await handlers(Deduplicator(), 3)
    made[0].end.set_result(("fail", OSError("down")))
    assert [type(outcome) for outcome in await outcomes(calls)] == [str, OSError, OSError]


@pytest.mark.parametrize(("on_error", "error"), (("retry", (OSError("down"),)), ("raise", ()), ("retry", ())))
async def test_where_waiters_retry_or_no_error_is_named_the_next_one_processes(on_error, error):
    dedup = Deduplicator(on_error=on_error)
    made, calls = await handlers(dedup, 3)
    made[0].end.set_result(("fail", *error))
    await settle()
    assert processing(made) == [0, 1]
    made[1].end.set_result(("complete", "result"))
    assert await outcomes(calls) == ["processed", "processed", "result"]
    assert dedup.stats().failures == 1


@pytest.mark.parametrize("how", (("complete", "result"), ("fail", OSError()), ("fail",)))
async def test_a_task_that_has_said_how_it_ended_is_watched_no_more(how):
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    made, calls = await handlers(Deduplicator(), 1)
    made[0].end.set_result(how)
    assert await outcomes(calls) == ["processed"]
    await settle()
    assert complaints == []


@pytest.mark.parametrize("cancelled", (False, True))
async def test_when_a_task_ends_without_a_word_the_next_one_processes_at_once(cancelled):
    dedup = Deduplicator()
    made, calls = await handlers(dedup, 3)
    if cancelled:
        calls[0].cancel()
    else:
        made[0].end.set_result((None,))
    await settle()
    assert processing(made) == [0, 1]
    made[1].end.set_result((None,))
    await settle()
    made[2].end.set_result(("complete", "result"))
    await outcomes(calls)
    stats = dedup.stats()
    assert (stats.in_progress, stats.waiting, stats.failures) == (0, 0, 1 if cancelled else 2)


async def test_a_task_that_raises_without_a_word_is_noticed_too():
    dedup = Deduplicator()
    made, calls = await handlers(dedup, 2)
    made[0].end.set_exception(OSError())
    await settle()
    assert processing(made) == [0, 1]
    made[1].end.set_result(("complete", "result"))
    assert [type(outcome) for outcome in await outcomes(calls)] == [OSError, str]


async def test_only_the_task_that_processes_may_say_how_it_ended():
    dedup = Deduplicator()
    made, calls = await handlers(dedup, 2)
    for say in (dedup.complete, dedup.fail):
        with pytest.raises(RuntimeError, match="not processing that key"):
            say("key", None)
        with pytest.raises(RuntimeError, match="not processing that key"):
            say("never asked for", None)
    made[0].end.set_result(("complete", "result"))
    assert await outcomes(calls) == ["processed", "result"]


async def test_it_is_said_once():
    dedup = Deduplicator()
    assert await dedup.coordinate("key") == (True, None)
    dedup.complete("key", "result")
    with pytest.raises(RuntimeError, match="once"):
        dedup.complete("key", "result")
    with pytest.raises(RuntimeError, match="once"):
        dedup.fail("key")


async def test_an_execution_of_run_cannot_be_completed_from_outside():
    dedup = Deduplicator()

    async def compute():
        dedup.complete("key", "other")

    with pytest.raises(RuntimeError, match="not processing that key"):
        await dedup.run("key", compute)


async def test_a_task_that_processes_may_not_ask_for_the_same_key():
    dedup = Deduplicator()
    await dedup.coordinate("key")
    with pytest.raises(RuntimeError, match="that very key"):
        await dedup.coordinate("key")
    with pytest.raises(RuntimeError, match="that very key"):
        await dedup.run("key", Counted())
    await dedup.forget("key")
    with pytest.raises(RuntimeError, match="that very key"):
        await dedup.coordinate("key")
    dedup.complete("key", "stale")
    assert await dedup.run("key", Counted()) == "result"


async def test_asking_with_a_timeout_keeps_the_asking_task_in_charge():
    """asyncio.wait_for of Python 3.11 awaits in a task of its own, which ends right away."""
    dedup = Deduplicator()
    assert await asyncio.wait_for(dedup.coordinate("key"), 5) == (True, None)
    (waiting,) = await begin(dedup.run("key", Work()))
    dedup.complete("key", "result")
    assert await waiting == "result"


async def test_one_that_stops_waiting_leaves_the_queue():
    dedup = Deduplicator()
    made, calls = await handlers(dedup, 1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(dedup.coordinate("key"), 0)
    waiting = asyncio.create_task(dedup.coordinate("key"))
    await settle()
    assert dedup.stats().waiting == 1
    waiting.cancel()
    await settle()
    assert dedup.stats().waiting == 0
    made[0].end.set_result(("complete", "result"))
    await outcomes(calls)


async def test_a_result_that_cannot_be_copied_is_told_to_everybody():
    dedup = Deduplicator()
    made, calls = await handlers(dedup, 2)
    made[0].end.set_result(("complete", (part for part in "generator")))
    assert [type(outcome) for outcome in await outcomes(calls)] == [TypeError] * 2
    assert dedup.stats().in_progress == 0


async def test_a_bad_time_to_live_leaves_the_execution_open():
    dedup = Deduplicator()
    await dedup.coordinate("key")
    with pytest.raises(ValueError, match="ttl=-1"):
        dedup.complete("key", "result", ttl=-1)
    dedup.complete("key", "result", ttl=1)
    assert await dedup.coordinate("key") == (False, "result")


async def test_outside_a_task_nobody_can_be_told_to_process():
    told = asyncio.get_running_loop().create_future()

    def callback():
        try:
            Deduplicator().coordinate("key")
        except RuntimeError as error:
            told.set_result(str(error))

    asyncio.get_running_loop().call_soon(callback)
    assert "for tasks" in await told
