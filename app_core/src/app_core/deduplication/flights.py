"""One execution that is under way, and those who wait for it.

    led ── land, fail ──────────────────────────────> over: every waiter has the outcome
     │
     └──── pass_on ─┬─ somebody waits ──> offered ──> led, by whoever waited longest
                    └─ nobody does ─────────────────> over

A waiter has a future of its own, so that cancelling one disturbs no other. The future only says what to do next: True, lead;
False, look at the outcome. One that is cancelled in the moment when it was told to lead has to pass the lead on (`leave`).
"""

import asyncio
from types import TracebackType
from typing import Any

from app_core.deduplication.backend import Lease
from app_core.deduplication.results import Load

Turn = asyncio.Future[bool]


class Flight:
    """One execution.

    Attributes:
        leader: the task that executes; None while the lead is on its way to the next one.
        lease: the right to execute that a shared store gave, if there is one.
    """

    __slots__ = ("_error", "_kept", "_load", "_traceback", "_turns", "leader", "lease", "loop")

    def __init__(self, leader: "asyncio.Task[Any] | None", loop: asyncio.AbstractEventLoop) -> None:
        self.leader = leader
        self.loop = loop
        self.lease: Lease | None = None
        self._turns: dict[Turn, None] | None = None  # in order of arrival; made for the first who waits
        self._kept: Any = None
        self._load: Load | None = None
        self._error: Exception | None = None
        self._traceback: TracebackType | None = None

    def queue(self) -> Turn:
        """A place among those who wait."""
        turn: Turn = self.loop.create_future()
        if self._turns is None:
            self._turns = {}
        self._turns[turn] = None
        return turn

    def leave(self, turn: Turn) -> bool:
        """Wait no longer; True when the lead had just come and has to be passed on."""
        if self._turns is not None:
            self._turns.pop(turn, None)
        return turn.done() and not turn.cancelled() and turn.result()

    def land(self, kept: Any, load: Load | None) -> None:
        """Give every waiter the result."""
        if self._turns:
            self._kept, self._load = kept, load
            self._wake_all()

    def fail(self, error: Exception) -> None:
        """Give every waiter the error."""
        if self._turns:
            self._error, self._traceback = error, error.__traceback__
            self._wake_all()

    def pass_on(self) -> bool:
        """Let the one that waited longest lead; False when nobody waits."""
        self.leader = None
        if self._turns is None or self.loop.is_closed():
            return False
        while self._turns:
            turn = next(iter(self._turns))
            del self._turns[turn]
            if not turn.done():  # else cancelled, and about to leave
                turn.set_result(True)
                return True
        return False

    def outcome(self) -> Any:
        """What a waiter gets: an object of its own, or the leader's error.

        The error is one object for all, as its type may not allow copies; as in asyncio's futures its traceback
        starts anew at the leader's, and does not grow with each waiter.
        """
        if self._error is not None:
            raise self._error.with_traceback(self._traceback)
        return self._kept if self._load is None else self._load(self._kept)

    def _wake_all(self) -> None:
        for turn in self._turns or ():
            if not turn.done():
                turn.set_result(False)
