"""One execution for any number of identical calls, and its result kept for a while."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from functools import partial
from typing import Any, Literal, Self, TypeVar, cast

from app_core.deduplication import registry
from app_core.deduplication.backend import Backend, Found
from app_core.deduplication.board import Board
from app_core.deduplication.entries import Entries
from app_core.deduplication.flights import Flight
from app_core.deduplication.results import keeper
from app_core.deduplication.stats import Stats
from app_core.profiles import ScalingConfig

T = TypeVar("T")
_Task = asyncio.Task[Any]

_LONGEST_TTL = 1e9  # seconds, thirty years; what a shared store can count


class Deduplicator:
    """Executes once for any number of concurrent calls with the same key, and keeps the result.

    Keys are the same when they are equal, as in a dict. It belongs to one event loop at a time and is not for threads.

    Args:
        ttl: seconds that a result is kept; 0 keeps none, and calls at the same time still share one execution.
        max_entries: results kept at most, the least recently used go first; 0 keeps none in memory.
        on_error: what those get who wait for an execution that fails: "raise" gives all of them its error, "retry" lets
            one after the other execute, so that each gets only an error of its own. An execution that is cancelled is always
            taken over by one of them. Errors are never kept.
        copy: whether results that can be changed are copied by pickling, so that nobody shares one; False hands out
            the same object to everybody, who promise not to change it.
        compress: whether kept results of 1 KB or more are compressed where that pays.
        cleanup_interval: seconds between two sweeps that free what has expired.
        backend: a store shared with other instances, such as `app_core.deduplication.redis.RedisBackend`.
        clock: seconds that never run backwards.

    Raises:
        ValueError: an argument is out of its range.
    """

    __slots__ = (
        "__weakref__",
        "_backend",
        "_board",
        "_by_key",
        "_coalesced",
        "_coordinated",
        "_entries",
        "_failures",
        "_hits",
        "_keep",
        "_misses",
        "_raises",
        "_ttl",
    )

    def __init__(  # noqa: PLR0913 - one keyword for each option
        self,
        ttl: float = 600,
        max_entries: int = 100,
        *,
        on_error: Literal["raise", "retry"] = "raise",
        copy: bool = True,
        compress: bool = False,
        cleanup_interval: float = 300,
        backend: Backend | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if isinstance(max_entries, bool) or not isinstance(max_entries, int) or max_entries < 0:
            raise ValueError(f"max_entries={max_entries!r} is not a whole number of 0 or more")
        if on_error not in {"raise", "retry"}:
            raise ValueError(f"on_error={on_error!r} is neither 'raise' nor 'retry'")
        if not _is_seconds(cleanup_interval) or not cleanup_interval:
            raise ValueError(f"cleanup_interval={cleanup_interval!r} is not a number of seconds above 0")
        self._ttl = _checked_ttl(ttl)
        self._raises = on_error == "raise"
        self._keep = keeper(copy=copy, compress=compress)
        self._backend = backend
        self._entries = Entries(max_entries, cleanup_interval, clock)
        self._by_key = self._entries.by_key
        self._board = Board()
        self._coordinated: dict[tuple[_Task, Hashable], tuple[Flight, Callable[[_Task], None]]] = {}
        self._hits = self._misses = self._coalesced = self._failures = 0
        registry.register(self)

    @classmethod
    def from_config(cls, config: ScalingConfig, backend: Backend | None = None) -> Self:
        """One with the settings in force: REQUEST_CACHE_TTL, MAX_CACHE_ENTRIES, CLEANUP_INTERVAL and RESULT_COMPRESSION."""
        return cls(
            config.request_cache_ttl,
            config.max_cache_entries,
            compress=config.result_compression,
            cleanup_interval=config.cleanup_interval,
            backend=backend,
        )

    async def run(self, key: Hashable, compute: Callable[[], Awaitable[T]], ttl: float | None = None) -> T:
        """The result for this key: kept, or of an execution under way, or of executing `compute` here and now.

        Args:
            key: what makes calls identical, such as `(user, archetype, "analysis")`; a tuple, never a joined string.
            compute: awaited by one caller at a time; its result, if it can be changed, stays that caller's own.
            ttl: seconds to keep the result, other than the Deduplicator's.

        Raises:
            RuntimeError: called by its own `compute` (in the same task; a task that `compute` starts and waits for is not seen),
                or from two event loops.
            TypeError: the result cannot be copied for others.
            ValueError: `ttl` is out of its range.
        """
        entry = self._entries.find(key)
        if entry is not None:
            self._hits += 1
            _, kept, load = entry
            return cast("T", kept if load is None else load(kept))
        lifetime = self._ttl if ttl is None else _checked_ttl(ttl)
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        flight = self._board.start(key, loop, task)
        if flight is None:
            flight, leads = await self._board.join(key, loop, task)
            if not leads:
                self._coalesced += 1
                return cast("T", flight.outcome())
        try:
            found = await self._claim(key, flight, lifetime) if self._backend is not None else None
            if found is not None:
                return cast("T", found.value)
            self._misses += 1
            value = await compute()
            self._land(key, flight, value, lifetime)
        except BaseException as error:
            self._give_up(key, flight, error)
            raise
        return value

    def coordinate(self, key: Hashable) -> Coroutine[Any, Any, tuple[bool, Any]]:
        """Ask, and await, whether the calling task should process this key: the two-step form of `run`.

        Returns:
            `(True, None)`: process, then call `complete` or `fail` in this task. If the task ends without, the next
            one that waits is told to process. `(False, result)`: somebody else did.

        Raises:
            RuntimeError: this task is processing the key already, or the call is not made in a task.
        """
        task = _calling_task()  # asked here, as asyncio.wait_for of Python 3.11 awaits in another task
        if (task, key) in self._coordinated:
            raise RuntimeError("this task is processing that very key: call complete() or fail() before it asks again")
        return self._coordinate(key, task)

    def complete(self, key: Hashable, result: Any, ttl: float | None = None) -> None:
        """Keep the result of what this task was told to process, and give it to those who wait.

        Raises:
            RuntimeError: this task was not told to process the key, or has said before how it ended.
            TypeError: the result cannot be copied for others.
            ValueError: `ttl` is out of its range.
        """
        lifetime = self._ttl if ttl is None else _checked_ttl(ttl)
        flight = self._disembark(key)
        try:
            self._land(key, flight, result, lifetime)
        except BaseException as error:
            self._give_up(key, flight, error)
            raise

    def fail(self, key: Hashable, error: Exception | None = None) -> None:
        """Say that what this task was told to process failed.

        With an error, those who wait get it, or one of them processes (`on_error`); without, one of them processes.

        Raises:
            RuntimeError: this task was not told to process the key, or has said before how it ended.
        """
        self._give_up(key, self._disembark(key), error)

    async def forget(self, key: Hashable) -> None:
        """Drop the result, as it is no longer true. An execution under way answers those who wait for it and nobody after.

        The shared store forgets too; other instances may answer from their memory until the time of their copy has passed.
        """
        if self._backend is not None:
            await self._backend.forget(key)
        self._by_key.pop(key, None)
        self._board.detach(key)

    def clear(self) -> None:
        """Drop every result in memory. Executions under way answer those who wait for them and nobody after."""
        self._by_key.clear()
        self._board.detach_all()

    def stats(self) -> Stats:
        """The numbers now."""
        return Stats(
            hits=self._hits,
            misses=self._misses,
            coalesced=self._coalesced,
            failures=self._failures,
            evictions=self._entries.evictions,
            expired=self._entries.expired,
            entries=len(self._by_key),
            in_progress=self._board.in_progress,
            waiting=self._board.waiting,
            backend_errors=self._backend.errors if self._backend is not None else 0,
        )

    async def _coordinate(self, key: Hashable, task: _Task) -> tuple[bool, Any]:
        entry = self._entries.find(key)
        if entry is not None:
            self._hits += 1
            _, kept, load = entry
            return False, kept if load is None else load(kept)
        loop = asyncio.get_running_loop()
        flight = self._board.start(key, loop, task)
        if flight is None:
            flight, leads = await self._board.join(key, loop, task)
            if not leads:
                self._coalesced += 1
                return False, flight.outcome()
        try:
            found = await self._claim(key, flight, self._ttl) if self._backend is not None else None
            if found is not None:
                return False, found.value
        except BaseException as error:
            self._give_up(key, flight, error)
            raise
        self._misses += 1
        when_it_ends = partial(self._notice_the_end, key)
        self._coordinated[task, key] = flight, when_it_ends
        task.add_done_callback(when_it_ends)
        return True, None

    def _disembark(self, key: Hashable) -> Flight:
        """The flight that the calling task was told to lead by `coordinate`, and leads no more."""
        task = _calling_task()
        flight, when_it_ends = self._coordinated.pop((task, key), (None, None))
        if flight is None or when_it_ends is None:
            raise RuntimeError(
                "this task is not processing that key: only the task to which coordinate() said True may call complete() or"
                " fail(), once, and before it ends"
            )
        task.remove_done_callback(when_it_ends)
        return flight

    def _notice_the_end(self, key: Hashable, task: _Task) -> None:
        """The task ended without `complete` or `fail`."""
        flight, _ = self._coordinated.pop((task, key))
        self._give_up(key, flight, asyncio.CancelledError() if task.cancelled() else None)

    async def _claim(self, key: Hashable, flight: Flight, lifetime: float) -> Found | None:
        """Ask the shared store, when results may be kept at all; land when it has the result."""
        if self._backend is None or not lifetime:
            return None
        claimed = await self._backend.claim(key)
        if not isinstance(claimed, Found):
            flight.lease = claimed
            return None
        self._land(key, flight, claimed.value, min(claimed.ttl, lifetime))
        if claimed.waited:
            self._coalesced += 1
        else:
            self._hits += 1
        return claimed

    def _land(self, key: Hashable, flight: Flight, value: Any, lifetime: float) -> None:
        kept, load = self._keep(value)
        lease = flight.lease
        if self._board.end(key, flight):
            self._entries.put(key, kept, load, lifetime, flight.loop)
            if lease is not None:
                lease.keep(value, lifetime)
        elif lease is not None:
            lease.release()
        flight.land(kept, load)

    def _give_up(self, key: Hashable, flight: Flight, error: BaseException | None) -> None:
        """The execution ended without a result; None stands for an error that nobody has seen."""
        lease, flight.lease = flight.lease, None
        if lease is not None:
            lease.release()
        if error is None or isinstance(error, Exception):
            self._failures += 1
        if self._raises and isinstance(error, Exception):
            self._board.end(key, flight)
            flight.fail(error)
        else:
            self._board.pass_on(key, flight)


def _calling_task() -> _Task:
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError(
            "coordinate(), complete() and fail() are for tasks: a callback has no end that could be noticed"
        )
    return task


def _checked_ttl(ttl: float) -> float:
    if not _is_seconds(ttl) or ttl > _LONGEST_TTL:
        raise ValueError(f"ttl={ttl!r} is not a number of seconds from 0 to {_LONGEST_TTL:.0f}")
    return ttl


def _is_seconds(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf
