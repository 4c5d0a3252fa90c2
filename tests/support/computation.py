"""Computations for a Deduplicator that end when they are told to, and calls of them."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Work:
    """Each execution waits for its own entry in `begun` to be given a result or an error."""

    def __init__(self) -> None:
        self.begun: list[asyncio.Future[Any]] = []

    async def __call__(self) -> Any:
        end: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.begun.append(end)
        return await end


class Counted:
    """Ends at once with the same result, and counts how often it was asked."""

    def __init__(self, result: Any = "result") -> None:
        self.result = result
        self.executions = 0

    async def __call__(self) -> Any:
        self.executions += 1
        return self.result


async def begin(*calls: Coroutine[Any, Any, Any]) -> "list[asyncio.Task[Any]]":
    """Start each in a task of its own, in order, and let them get as far as they can."""
    tasks = [asyncio.create_task(call) for call in calls]
    await settle()
    return tasks


async def outcomes(tasks: "list[asyncio.Task[Any]]") -> list[Any]:
    """Results, or errors as values; who still waits after a while waits for ever."""
    async with asyncio.timeout(20):
        return await asyncio.gather(*tasks, return_exceptions=True)


async def settle(turns: int = 20) -> None:
    """Let everything that can run do so; no time passes."""
    for _ in range(turns):
        await asyncio.sleep(0)
