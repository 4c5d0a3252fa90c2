"""Several instances share one execution and its result through a real Redis."""

import asyncio
import logging
import sys
from functools import partial

import pytest

from app_core.deduplication.redis import PickleCodec
from tests.support.asgi import Clock
from tests.support.computation import Counted, Work, begin, outcomes, settle
from tests.support.valkey import until


async def test_300_calls_on_three_instances_are_one_execution(shared):
    work = Work()
    dedups = [shared.new() for _ in range(3)]
    calls = [asyncio.create_task(dedup.run(("user", 1), work)) for dedup in dedups for _ in range(100)]
    await until(lambda: work.begun)
    work.begun[0].set_result({"steps": [1]})
    assert await outcomes(calls) == [{"steps": [1]}] * 300
    assert len(work.begun) == 1
    assert sorted(dedup.stats().misses for dedup in dedups) == [0, 0, 1]
    assert sum(dedup.stats().coalesced for dedup in dedups) == 299
    assert await shared.names("lock") == []


async def test_a_result_is_found_by_an_instance_that_comes_later(shared):
    assert await shared.new().run("key", Counted({"a": 1})) == {"a": 1}
    await until(lambda: shared.names("result"))
    late, computed = shared.new(), Counted()
    assert await late.run("key", computed) == {"a": 1}
    assert (computed.executions, late.stats().hits, late.stats().misses) == (0, 1, 0)


async def test_what_one_instance_gave_out_no_caller_of_another_can_change(shared):
    await shared.new().run("key", Counted({"a": [1]}))
    await until(lambda: shared.names("result"))
    late = shared.new()
    (await late.run("key", Counted()))["a"].append(2)
    assert await late.run("key", Counted()) == {"a": [1]}


async def test_a_copy_lives_only_as_long_as_the_result_it_is_of(shared):
    await shared.new(ttl=600).run("key", Counted("old"))
    await until(lambda: shared.names("result"))
    (name,) = await shared.names("result")
    assert 590_000 < await shared.client.pttl(name) <= 600_000
    await shared.client.pexpire(name, 50_000)
    clock = Clock()
    late = shared.new(ttl=600, clock=clock)
    await late.run("key", Counted())
    await shared.client.delete(name)
    clock.advance(40)
    assert await late.run("key", Counted("new")) == "old"
    clock.advance(10)
    assert await late.run("key", Counted("new")) == "new"


async def test_when_the_leader_fails_its_own_callers_get_the_error_and_another_instance_leads_at_once(shared):
    first, second, work, other = shared.new(), shared.new(), Work(), Work()
    failing = await begin(first.run("key", work), first.run("key", work))
    await until(lambda: work.begun)
    (waiting,) = await begin(second.run("key", other))
    work.begun[0].set_exception(OSError("down"))
    await until(lambda: other.begun)  # the lease is 30 s
    other.begun[0].set_result("result")
    assert await waiting == "result"
    assert [type(outcome) for outcome in await outcomes(failing)] == [OSError] * 2


async def test_when_the_leader_is_cancelled_another_instance_leads_at_once(shared):
    first, second, work, other = shared.new(), shared.new(), Work(), Work()
    (leading,) = await begin(first.run("key", work))
    await until(lambda: work.begun)
    (waiting,) = await begin(second.run("key", other))
    leading.cancel()
    await until(lambda: other.begun)
    other.begun[0].set_result("result")
    assert await waiting == "result"


async def test_the_two_steps_are_shared_too(shared):
    first, second, work = shared.new(), shared.new(), Work()

    async def says_nothing():
        await first.coordinate("key")

    await says_nothing_in_a_task(says_nothing)
    assert await second.coordinate("key") == (True, None)  # at once, not after the lease of 30 s
    (waiting,) = await begin(first.run("key", work))
    second.complete("key", "result")
    assert await waiting == "result"
    assert work.begun == []
    assert await shared.new().coordinate("key") == (False, "result")


async def says_nothing_in_a_task(handler):
    await asyncio.create_task(handler())


async def lasts_longer_than(shared, lock, milliseconds):
    return await shared.client.pttl(lock) > milliseconds


async def test_a_leader_that_takes_longer_than_its_lease_keeps_it(shared):
    first, second, work, other = (*(shared.new(redis={"lease": 1.5}) for _ in range(2)), Work(), Work())
    calls = await begin(first.run("key", work))
    await until(lambda: work.begun)
    calls += await begin(second.run("key", other))
    (lock,) = await shared.names("lock")
    for _ in range(2):  # renewed after a third of it, and again: a busy machine has the rest to be late
        await shared.client.pexpire(lock, 1200)
        await until(partial(lasts_longer_than, shared, lock, 1200))
    assert other.begun == []
    (flight,) = first._board._flights.values()
    work.begun[0].set_result("result")
    assert await outcomes(calls) == ["result"] * 2
    await settle()
    assert flight.lease._renewal.cancelled()


async def test_a_claim_whose_answer_was_lost_and_that_is_sent_again_is_not_locked_out_by_itself(shared):
    backend = shared.new()._backend
    keys = backend._keys("key")
    assert await backend._ask_for_the_lock(keys, "token") == 1
    assert await backend._ask_for_the_lock(keys, "token") == 1
    assert await backend._ask_for_the_lock(keys, "another") == 0


@pytest.mark.parametrize("fails", (False, True))
async def test_a_leader_that_was_paused_and_replaced_can_neither_overwrite_the_newer_result_nor_free_the_lock(
    shared, fails
):
    first, second, work, other = (*(shared.new(redis={"lease": lease}) for lease in (0.2, 30)), Work(), Work())
    (paused,) = await begin(first.run("key", work))
    await until(lambda: work.begun)
    (flight,) = first._board._flights.values()
    flight.lease._renewal.cancel()  # as if its process had stood still
    (waiting,) = await begin(second.run("key", other))
    await until(lambda: other.begun)
    if fails:
        work.begun[0].set_exception(OSError())
    else:
        work.begun[0].set_result("old")
    assert [type(outcome) for outcome in await outcomes([paused])] == [OSError if fails else str]
    await first._backend.aclose()
    assert await shared.names("result") == []
    assert len(await shared.names("lock")) == 1
    other.begun[0].set_result("new")
    assert await waiting == "new"
    assert await shared.new().run("key", Counted()) == "new"


LEADER = """
import asyncio, sys
from redis.asyncio import Redis
from app_core.deduplication import Deduplicator
from app_core.deduplication.redis import RedisBackend

async def compute():
    print("leading", flush=True)
    await asyncio.sleep(60)

async def main():
    client = Redis(host="127.0.0.1", port=int(sys.argv[1]))
    await Deduplicator(backend=RedisBackend(client, sys.argv[2], lease=1)).run(("user", 1, None), compute)

asyncio.run(main())
"""


async def test_a_leader_in_another_process_that_is_killed_holds_nobody_up_for_longer_than_its_lease(shared):
    command = [sys.executable, "-c", LEADER, str(shared.port), shared.prefix]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert await asyncio.wait_for(process.stdout.readline(), 30) == b"leading\n"
        computed = Counted()
        (waiting,) = await begin(shared.new().run(("user", 1, None), computed))
        (lock,) = await shared.names("lock")
        assert 0 < await shared.client.pttl(lock) <= 1000  # the leader's lease
        assert computed.executions == 0
    finally:
        process.kill()
        await process.communicate()
    assert (
        await asyncio.wait_for(waiting, 10) == "result"
    )  # it would have taken a minute, and a lease of our own half of one


async def test_a_call_that_is_cancelled_anywhere_leaves_no_lock_behind(shared):
    """The lease is 30 s, so a lock that is gone was given back."""
    dedup, work = shared.new(), Work()
    for number in range(400):
        call = asyncio.create_task(dedup.run(("key", number), work))
        await settle(number % 40)
        call.cancel()
        await outcomes([call])
    await dedup._backend.aclose()
    assert await shared.names("lock") == []
    assert (dedup.stats().in_progress, dedup.stats().backend_errors) == (0, 0)


async def test_when_the_one_that_looks_after_another_instance_is_cancelled_the_next_goes_on(shared):
    first, second, work, other = shared.new(), shared.new(), Work(), Work()
    (leading,) = await begin(first.run("key", work))
    await until(lambda: work.begun)
    calls = await begin(second.run("key", other), second.run("key", other))
    calls[0].cancel()
    await settle()
    work.begun[0].set_result("result")
    assert await outcomes([leading, calls[1]]) == ["result"] * 2
    assert other.begun == []


async def test_a_forgotten_key_is_forgotten_for_all_and_cannot_be_stored_by_who_began_before(shared):
    first, second, work = shared.new(), shared.new(), Work()
    await first.run("kept", Counted("old"))
    await until(lambda: shared.names("result"))
    await first.forget("kept")
    assert await second.run("kept", Counted("new")) == "new"
    (leading,) = await begin(first.run("key", work))
    await until(lambda: work.begun)
    await second.forget("key")
    work.begun[0].set_result("stale")
    assert await leading == "stale"
    await first._backend.aclose()
    assert await second.run("key", Counted("new")) == "new"
    (leading,) = await begin(first.run("own", work))
    await until(lambda: work.begun[1:])
    await first.forget("own")
    work.begun[1].set_result("stale")
    await leading
    assert await second.run("own", Counted("new")) == "new"


async def test_an_execution_from_before_a_clear_gives_its_lock_back_and_stores_nothing(shared):
    dedup, work = shared.new(), Work()
    (leading,) = await begin(dedup.run("key", work))
    await until(lambda: work.begun)
    dedup.clear()
    work.begun[0].set_result("old")
    assert await leading == "old"
    assert await shared.new().run("key", Counted("new")) == "new"  # at once: the lease is 30 s


async def test_where_nothing_is_kept_redis_is_not_asked_and_with_no_entries_in_memory_it_is_asked_always(shared):
    unkept = shared.new(ttl=0)
    await unkept.run("key", Counted())
    assert await shared.names("*") == []
    remote, computed = shared.new(max_entries=0), Counted()
    for _ in range(3):
        await remote.run("key", computed)
        await remote._backend.aclose()
    assert (computed.executions, remote.stats().hits, remote.stats().entries) == (1, 2, 0)


@pytest.mark.parametrize("value", ((1, 2), {1: "a"}, {"a": {1, 2}}, b"bytes"))
async def test_what_json_would_change_stays_in_its_process_and_is_said_once(shared, caplog, value):
    first, second, computed = shared.new(), shared.new(), Counted(value)
    for key in ("secret key", "another"):
        assert await first.run(key, computed) == value
        assert await first.run(key, computed) == value
        assert await second.run(key, computed) == value
    assert computed.executions == 4
    await first._backend.aclose()
    assert first.stats().backend_errors == 2
    assert await shared.names("*") == []
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(said) == 2  # one for each instance
    assert f"a result of type {type(value).__name__} " in said[0]
    assert "another codec" in said[0]
    assert "secret" not in caplog.text


async def test_with_the_pickle_codec_python_objects_are_shared(shared):
    first, second = (shared.new(redis={"codec": PickleCodec()}) for _ in range(2))
    await first.run("key", Counted({(1, 2): {3}}))
    await first._backend.aclose()
    assert await second.run("key", Counted()) == {(1, 2): {3}}
    assert await shared.new().run("key", Counted("json")) == "json"  # another codec's bytes are never read


async def test_bytes_that_the_codec_did_not_write_are_dropped(shared, caplog):
    first = shared.new()
    await first.run("key", Counted("result"))
    await first._backend.aclose()
    (name,) = await shared.names("result")
    for broken in (b"", b"p{secret", b"z123", b"p\xff"):
        await shared.client.set(name, broken)
        late = shared.new()
        assert await late.run("key", Counted("new")) == "new"
        assert late.stats().backend_errors == 1
        await late._backend.aclose()
        assert await shared.new().run("key", Counted()) == "new"
    assert "dropped and computed anew" in caplog.text
    assert "secret" not in caplog.text


async def test_long_results_are_stored_compressed(shared):
    value = {"text": "the same words again and again " * 1000}
    first = shared.new()
    await first.run("key", Counted(value))
    await first._backend.aclose()
    (name,) = await shared.names("result")
    assert await shared.client.strlen(name) < 1000
    assert await shared.new().run("key", Counted()) == value


async def test_keys_that_redis_cannot_tell_apart_are_refused(shared):
    dedup = shared.new()
    with pytest.raises(TypeError, match=r"holds a builtins\.frozenset") as caught:
        await dedup.run(("secret", frozenset({1})), Counted())
    assert "secret" not in str(caught.value)
    assert dedup.stats().in_progress == 0


async def test_nobody_reads_a_key_off_the_names_in_redis(shared):
    await shared.new().run(("ann@example.com", "analysis"), Counted())
    await until(lambda: shared.names("result"))
    assert b"ann" not in b"".join(await shared.names("*"))
