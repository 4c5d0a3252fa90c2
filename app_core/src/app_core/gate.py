"""Lets so many requests in at once, keeps a bounded number waiting in order of arrival, and turns the rest away."""

import asyncio
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress


class Gate:
    """Admission to the app.

    Args:
        limit: requests that may run at once; 0 lets everything in.
        max_waiting: requests that may wait for their turn; beyond that they are turned away.
        note_waiting: told how many wait whenever that changes.
    """

    __slots__ = ("_max_waiting", "_note_waiting", "limit", "running", "turns")

    def __init__(
        self, limit: int, max_waiting: int, note_waiting: Callable[[int], object] = lambda _waiting: None
    ) -> None:
        self._note_waiting = note_waiting
        self.running = 0
        self.turns: deque[asyncio.Future[None]] = deque()
        self.resize(limit, max_waiting)

    def resize(self, limit: int, max_waiting: int) -> None:
        """Change both bounds; who runs or waits already goes on."""
        self.limit = limit or sys.maxsize
        self._max_waiting = max_waiting
        while self.turns and self.running < self.limit:
            self.running += 1
            self.leave()

    async def enter(self) -> bool:
        """Wait for a place; False when the queue is full. A place once had must be given back by `leave`."""
        if self.running < self.limit:
            self.running += 1
            return True
        if len(self.turns) >= self._max_waiting:
            return False
        turn = asyncio.get_running_loop().create_future()
        self.turns.append(turn)
        self._note_waiting(len(self.turns))
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():  # the place came in the moment of giving up
                self.leave()
            with suppress(ValueError):
                self.turns.remove(turn)
                self._note_waiting(len(self.turns))
            raise
        return True

    def leave(self) -> None:
        """Give the place to whoever waited longest, else free it."""
        while self.turns and self.running <= self.limit:
            turn = self.turns.popleft()
            self._note_waiting(len(self.turns))
            if not turn.done():
                turn.set_result(None)
                return
        self.running -= 1
