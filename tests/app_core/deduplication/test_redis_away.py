"""Without Redis every instance goes on in its own memory: no caller sees an error, and few wait for a timeout."""

import asyncio
import gc
import logging
import subprocess
import sys

import pytest
from redis.asyncio import Redis

from app_core.deduplication import Deduplicator
from app_core.deduplication.redis import RedisBackend
from tests.support.asgi import Clock
from tests.support.computation import Counted, Work, begin, outcomes
from tests.support.valkey import instances, until, valkey


def said(caplog):
    return [record.getMessage().partition(":")[0] for record in caplog.records if record.levelno == logging.WARNING]


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def mortal():
    """A server of one's own, to be killed, and instances that share it."""
    with valkey() as server:
        async with instances(server.port) as opened:
            opened.server = server
            yield opened


async def test_a_redis_that_refuses_is_asked_once_in_a_while_and_the_outage_is_said_once(mortal, clock, caplog):
    mortal.server.kill()
    dedup, computed = mortal.new(redis={"timeout": 0.2, "retry_after": 5, "clock": clock}), Counted()
    for key in range(5):
        assert await dedup.run(("secret", key), computed) == "result"
    assert await dedup.run(("secret", 0), computed) == "result"
    assert (dedup.stats().misses, dedup.stats().hits, dedup.stats().backend_errors) == (5, 1, 1)
    clock.advance(5)
    await dedup.run(("secret", 5), computed)
    await dedup.run(("secret", 6), computed)
    assert dedup.stats().backend_errors == 2
    mortal.server.start()
    clock.advance(5)
    await dedup.run(("secret", 7), computed)
    await dedup._backend.aclose()
    assert len(await mortal.names("result")) == 1
    assert [text[:12] for text in said(caplog)] == ["Redis is awa", "Redis is bac"]
    assert "secret" not in caplog.text


async def test_while_redis_is_away_only_one_of_many_concurrent_calls_asks_it(mortal, clock):
    mortal.server.kill()
    dedup = mortal.new(redis={"timeout": 0.2, "retry_after": 5, "clock": clock})
    await dedup.run("finds out", Counted())
    clock.advance(5)
    await outcomes(await begin(*(dedup.run(key, Counted()) for key in range(50))))
    assert dedup.stats().backend_errors == 2


async def test_a_redis_that_never_answers_costs_one_call_the_timeout(clock):
    asked = []

    async def silent(reader, writer):
        asked.append(await reader.read())
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    client = Redis(host="127.0.0.1", port=server.sockets[0].getsockname()[1])
    dedup = Deduplicator(backend=RedisBackend(client, timeout=0.1, clock=clock))
    for key in range(10):
        assert await dedup.run(key, Counted()) == "result"
    assert dedup.stats().backend_errors == 1
    await client.aclose()
    await until(lambda: asked)
    assert len(asked) == 1
    server.close()


async def test_redis_that_dies_during_a_computation_harms_nobody(mortal, clock):
    first, second, work, other = (
        *(mortal.new(redis={"timeout": 0.2, "lease": 0.6, "clock": clock}) for _ in range(2)),
        Work(),
        Counted("other"),
    )
    calls = await begin(first.run("key", work), first.run("key", work))
    await until(lambda: work.begun)
    calls += await begin(second.run("key", other))
    mortal.server.kill()
    assert await calls[2] == "other"  # executes by itself, it cannot know
    await until(lambda: first.stats().backend_errors)  # the lease could not be renewed
    work.begun[0].set_result("result")
    assert await outcomes(calls) == ["result", "result", "other"]
    assert await first.run("key", work) == "result"
    mortal.server.start()
    clock.advance(5)
    await first.run("next", Counted("shared again"))
    await first._backend.aclose()
    assert await second.run("next", Counted()) == "shared again"


async def test_redis_that_dies_before_a_failure_or_a_cancellation_harms_nobody(mortal, clock):
    dedup, failing, cancelled = mortal.new(redis={"timeout": 0.2, "clock": clock}), Work(), Work()
    calls = await begin(dedup.run("a", failing), dedup.run("b", cancelled))
    await until(lambda: failing.begun and cancelled.begun)
    mortal.server.kill()
    failing.begun[0].set_exception(OSError())
    calls[1].cancel()
    assert [type(outcome) for outcome in await outcomes(calls)] == [OSError, asyncio.CancelledError]
    assert await dedup.run("a", Counted()) == "result"
    assert dedup.stats().in_progress == 0


async def test_a_redis_that_came_back_empty_takes_no_result_whose_lock_it_has_lost(mortal):
    first, second, work, other = mortal.new(), mortal.new(), Work(), Work()
    (old,) = await begin(first.run("key", work))
    await until(lambda: work.begun)
    mortal.server.kill()
    mortal.server.start()
    (new,) = await begin(second.run("key", other))
    await until(lambda: other.begun)
    work.begun[0].set_result("old")
    assert await old == "old"
    await first._backend.aclose()
    assert await mortal.names("result") == []
    other.begun[0].set_result("new")
    assert await new == "new"
    await second._backend.aclose()
    assert await mortal.new().run("key", Counted()) == "new"


async def test_forgetting_while_redis_is_away_forgets_here(mortal, clock):
    dedup = mortal.new(redis={"timeout": 0.2, "clock": clock})
    await dedup.run("key", Counted("old"))
    mortal.server.kill()
    await dedup.forget("key")
    assert await dedup.run("key", Counted("new")) == "new"


@pytest.mark.parametrize("argument", ("lease", "timeout", "retry_after"))
@pytest.mark.parametrize("seconds", (0, -1, float("nan"), float("inf")))
def test_a_bad_argument_is_refused_by_its_name(argument, seconds):
    with pytest.raises(ValueError, match=f"{argument}="):
        RedisBackend(Redis(), **{argument: seconds})


def test_a_client_that_decodes_is_refused():
    with pytest.raises(ValueError, match="decode_responses=False"):
        RedisBackend(Redis(decode_responses=True))


def test_the_memory_part_needs_no_redis_py_and_the_redis_part_says_how_to_get_it():
    script = """
import sys
sys.modules["redis"] = None
import app_core.deduplication
try:
    import app_core.deduplication.redis
except ImportError as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=30)  # noqa: S603 - our own interpreter
    assert ran.stdout == "redis-py is not installed: pip install 'render-autoscaler-core[redis]'\n"


class OfAnEndedLoop(Redis):
    """What redis-py does with a connection that was made in another asyncio.run."""

    async def eval(self, *arguments):
        raise RuntimeError("Event loop is closed")


async def test_a_client_whose_connections_are_of_a_loop_that_has_ended_counts_as_away():
    dedup = Deduplicator(backend=RedisBackend(OfAnEndedLoop()))
    assert await dedup.run("key", Counted()) == "result"
    assert dedup.stats().backend_errors == 1


def test_one_whose_event_loop_ended_leaves_its_lock_to_expire(valkey_port):
    """Nothing is raised, and no coroutine is left behind that Python would complain about."""

    async def claim():
        client = Redis(host="127.0.0.1", port=valkey_port)
        lease = await RedisBackend(client, "ended:", lease=0.1).claim("key")
        await client.aclose()
        return lease

    lease = asyncio.run(claim())
    lease.release()
    lease.keep("result", 60)
    del lease
    gc.collect()
