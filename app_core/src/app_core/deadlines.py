"""Ends requests that take longer than REQUEST_TIMEOUT."""

import asyncio
import logging
import sys
from dataclasses import dataclass
from types import CodeType
from typing import Any

from app_core.exchange import Exchange

logger = logging.getLogger("app_core")


class Deadlines:
    """The requests under way, the oldest first. One look at the oldest now and then costs less than a timer for each.

    Args:
        seconds: how long a request may take until its response begins.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._open: dict[Exchange, asyncio.Task[object] | None] = {}
        self._ended: dict[Exchange, _Ended] = {}

    def open(self, exchange: Exchange) -> None:
        """Watch a request that the task of now serves."""
        try:  # noqa: SIM105 - each request pays for it
            self._open[exchange] = asyncio.current_task()
        except RuntimeError:  # a server without asyncio: nobody could end it
            pass

    def close(self, exchange: Exchange) -> None:
        """The app is done with the request."""
        self._open.pop(exchange, None)

    async def answered(self, exchange: Exchange) -> None:
        """Wait until what was answered in the app's stead is sent: the server must not hear before that the app is done."""
        exchange.give_place_back()
        ended = self._ended.pop(exchange, None)
        if ended is not None:
            await ended.answer

    def end_overdue(self, now: float) -> None:
        """End every request that began too long before `now`; each app is told by cancellation, and keeps its place until it obeys."""
        for ended in self._ended.values():
            ended.tell()
        overdue = []
        for exchange in self._open:
            if now - exchange.started < self._seconds:
                break
            overdue.append(exchange)
        before = len(self._ended)
        for exchange in overdue:
            task = self._open.pop(exchange)
            answer = exchange.expire()
            if answer is not None:
                self._ended[exchange] = ended = _Ended(task, answer)
                ended.tell()
        if len(self._ended) > before:
            logger.warning("requests ended after REQUEST_TIMEOUT=%g s: %d", self._seconds, len(self._ended) - before)

    def cancelled(self, exchange: Exchange) -> bool:
        """Whether the request's task was cancelled from here and by nobody else; that cancellation is taken back."""
        ended = self._ended.get(exchange)
        return ended is not None and ended.told and ended.task is not None and ended.task.uncancel() == 0


@dataclass(slots=True)
class _Ended:
    """A request that was answered in the app's stead."""

    task: asyncio.Task[object] | None
    answer: asyncio.Task[None]
    told: bool = False

    def tell(self) -> None:
        """Cancel what the app does, unless it waits for a thread: nothing stops that, and it needs its place until it is done."""
        if not self.told and self.task is not None and not _waits_for_thread(self.task):
            self.told = True
            self.task.cancel()


def _waits_for_thread(task: asyncio.Task[object]) -> bool:
    """Whether the innermost of what the task awaits is a thread of asyncio or of anyio, as Starlette's plain `def` endpoints are."""
    awaited: Any = task.get_coro()
    codes: list[CodeType] = []
    while (code := getattr(awaited, "cr_code", None)) is not None:
        codes.append(code)
        awaited = awaited.cr_await
    # anyio's calls one more coroutine, which awaits the thread; were there another one, it would still wait for its turn.
    return bool(_codes_of_threads().intersection(codes[-2:]))


def _codes_of_threads() -> set[CodeType]:
    anyio = sys.modules.get("anyio.to_thread")
    return {asyncio.to_thread.__code__} | (set() if anyio is None else {anyio.run_sync.__code__})
