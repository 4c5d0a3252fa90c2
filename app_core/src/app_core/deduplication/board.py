"""Which executions are under way, by key."""

import asyncio
from collections.abc import Hashable
from typing import Any

from app_core.deduplication.flights import Flight


class Board:
    """The flights that a new caller would join, and a count of those detached: they go on although their key was forgotten."""

    __slots__ = ("_detached", "_flights", "waiting")

    def __init__(self) -> None:
        self.waiting = 0  # callers
        self._flights: dict[Hashable, Flight] = {}
        self._detached = 0

    @property
    def in_progress(self) -> int:
        """Executions now."""
        return len(self._flights) + self._detached

    def start(self, key: Hashable, loop: asyncio.AbstractEventLoop, task: "asyncio.Task[Any] | None") -> Flight | None:
        """A new flight for the caller to lead; None when there is one to join."""
        flights = self._flights
        if key in flights:
            return None
        flight = flights[key] = Flight(task, loop)
        return flight

    async def join(
        self, key: Hashable, loop: asyncio.AbstractEventLoop, task: "asyncio.Task[Any] | None"
    ) -> tuple[Flight, bool]:
        """The flight under way, or a new one where that was stranded, and whether the caller shall lead it; if not, its outcome is there.

        Raises:
            RuntimeError: the task leads that flight already, or the flight belongs to another event loop.
        """
        flight = self._flights[key]
        if self._is_stranded(flight, loop):
            self._detached += 1
            self._flights[key] = flight = Flight(task, loop)
            return flight, True
        if flight.leader is task and task is not None:
            raise RuntimeError("this task is computing that very key, and would wait for itself for ever")
        turn = flight.queue()
        self.waiting += 1
        try:
            leads = await turn
        except BaseException:
            if flight.leave(turn):
                self.pass_on(key, flight)
            raise
        finally:
            self.waiting -= 1
        if leads:
            flight.leader = task
        return flight, leads

    def pass_on(self, key: Hashable, flight: Flight) -> None:
        """Let somebody else lead, if anybody waits."""
        if not flight.pass_on():
            self.end(key, flight)

    def end(self, key: Hashable, flight: Flight) -> bool:
        """Nobody can join it from now on; False when that was so already, as it was detached."""
        if self._flights.get(key) is flight:
            del self._flights[key]
            return True
        self._detached -= 1
        return False

    def detach(self, key: Hashable) -> None:
        """Let the key's flight go on for those who wait for it, and for nobody after."""
        if self._flights.pop(key, None) is not None:
            self._detached += 1

    def detach_all(self) -> None:
        """Detach every flight."""
        self._detached += len(self._flights)
        self._flights.clear()

    @staticmethod
    def _is_stranded(flight: Flight, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether the event loop was closed under it."""
        if flight.loop is not loop and not flight.loop.is_closed():
            raise RuntimeError("two event loops call this Deduplicator for the same key: make one for each loop")
        return flight.loop is not loop
