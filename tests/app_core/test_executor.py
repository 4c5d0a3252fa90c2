"""ASYNC_WORKER_THREADS: how many threads the event loop's default executor has, with asyncio's own loop and with uvloop."""

import asyncio
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import uvloop

from app_core.executor import size_default_executor


@pytest.fixture(params=(asyncio.new_event_loop, uvloop.new_event_loop), ids=("asyncio", "uvloop"))
def run(request):
    """Runs a coroutine function, given its loop, on each kind of loop."""

    def run(main):
        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(main(runner.get_loop()))

    return run


def name_of_thread():
    return threading.current_thread().name


async def names_of_threads(count):
    """Of so many calls that need a thread each: none ends before all have begun."""
    barrier = threading.Barrier(count, timeout=10)

    def wait():
        barrier.wait()
        return name_of_thread()

    return set(await asyncio.gather(*(asyncio.to_thread(wait) for _ in range(count))))


def test_so_many_calls_run_at_once_and_no_more(run):
    async def main(loop):
        await size_default_executor(loop, 3)
        three = {"app_core_0", "app_core_1", "app_core_2"}
        assert await names_of_threads(3) == three
        release = threading.Event()
        running = [loop.run_in_executor(None, release.wait, 10) for _ in range(3)]
        one_more = loop.run_in_executor(None, name_of_thread)
        release.set()
        assert all(await asyncio.gather(*running))
        assert await one_more in three

    run(main)


def test_0_leaves_the_threads_of_python(run):
    async def main(loop):
        await size_default_executor(loop, 0)
        assert not (await asyncio.to_thread(name_of_thread)).startswith("app_core")

    run(main)


def test_called_again_it_keeps_the_executor_that_it_made(run):
    async def main(loop):
        await size_default_executor(loop, 1)
        await size_default_executor(loop, 2)
        first = await asyncio.to_thread(threading.get_ident)
        await size_default_executor(loop, 1)
        assert await asyncio.to_thread(threading.get_ident) == first

    run(main)


@pytest.mark.parametrize("prefix", ("theirs", ""))
def test_an_executor_that_the_app_has_set_stays(run, prefix):
    async def main(loop):
        loop.set_default_executor(ThreadPoolExecutor(1, thread_name_prefix=prefix))
        theirs = await asyncio.to_thread(threading.get_ident)
        await size_default_executor(loop, 4)
        assert await asyncio.to_thread(threading.get_ident) == theirs

    run(main)


def test_an_executor_that_the_app_sets_later_takes_its_place(run):
    async def main(loop):
        await size_default_executor(loop, 4)
        loop.set_default_executor(ThreadPoolExecutor(1, thread_name_prefix="theirs"))
        await size_default_executor(loop, 4)
        assert await asyncio.to_thread(name_of_thread) == "theirs_0"

    run(main)


def test_work_under_way_is_finished_and_no_thread_of_python_s_stays_idle(run):
    async def main(loop):
        release = threading.Event()
        under_way = loop.run_in_executor(None, lambda: release.wait(10) and threading.current_thread())
        await size_default_executor(loop, 1)
        assert await asyncio.to_thread(name_of_thread) == "app_core_0"
        release.set()
        return await under_way

    before = run(main)
    before.join(10)
    assert not before.is_alive()


def test_its_threads_end_with_the_loop(run):
    async def main(loop):
        await size_default_executor(loop, 1)
        return await asyncio.to_thread(threading.current_thread)

    assert not run(main).is_alive()


@pytest.mark.parametrize("factory", ("asyncio.new_event_loop", "uvloop.new_event_loop"))
def test_its_threads_do_not_keep_a_process_from_ending(factory):
    script = f"""
import asyncio, uvloop
from app_core.executor import size_default_executor
loop = {factory}()
loop.run_until_complete(size_default_executor(loop, 2))
loop.run_until_complete(loop.run_in_executor(None, print, "done"))
"""  # the loop is neither closed nor told to end its executor
    ran = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=30)  # noqa: S603 - our own interpreter
    assert ran.stdout == "done\n"
