"""The event loop's default executor: the threads behind `asyncio.to_thread` and `loop.run_in_executor(None, …)`."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

_BUILT_IN = ("asyncio_", "uvloop_")  # how the threads that a loop makes for itself are called


async def size_default_executor(loop: asyncio.AbstractEventLoop, threads: int) -> None:
    """Give the running loop so many threads of its own, named `app_core_0` and on; 0 leaves those that Python would make.

    An executor that the app has set stays, and one that it sets later takes the place of this one; called again, it does nothing.
    Threads start when they are needed, and end with the loop or the process as Python's do.
    """
    if threads and await _has_built_in(loop):
        loop.set_default_executor(ThreadPoolExecutor(threads, thread_name_prefix="app_core"))


async def _has_built_in(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether nobody has set another executor. No loop tells, and uvloop's cannot be looked into, so one of its threads is asked."""
    name = await loop.run_in_executor(None, _name_of_thread)
    return name.startswith(_BUILT_IN)


def _name_of_thread() -> str:
    return threading.current_thread().name
