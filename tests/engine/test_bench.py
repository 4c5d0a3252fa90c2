"""Work that is cut off: by a stop it is no failure, by anything else it is cancelled as any task."""

import asyncio

import pytest

from autoscaler.adapters.clock import SystemClock
from autoscaler.engine.bench import Bench


async def nothing():
    """Nobody renews here."""


@pytest.fixture
async def at_work():
    begun = asyncio.Event()

    async def work():
        begun.set()
        await asyncio.Event().wait()

    bench = Bench(SystemClock(), nothing)
    task = asyncio.create_task(bench.guarded("work", work))
    await begun.wait()
    return bench, task


async def test_what_a_stop_cuts_off_ends_as_if_it_were_done(at_work):
    bench, task = at_work
    bench.stop()
    task.cancel()
    await task


async def test_what_is_cancelled_while_the_worker_goes_on_is_cancelled(at_work):
    _, task = at_work
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_was_cancelled_before_it_began_can_be_started_again():
    begun = asyncio.Event()

    async def work():
        begun.set()

    bench = Bench(SystemClock(), nothing)
    bench.start("poll", work, "srv-1")
    (task,) = bench.on("srv-1")
    task.cancel()
    await asyncio.wait({task})
    assert not begun.is_set()
    bench.start("poll", work, "srv-1")
    await asyncio.wait(bench.in_flight)
    assert begun.is_set()
