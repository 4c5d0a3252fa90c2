"""Ends requests that take longer than REQUEST_TIMEOUT."""

import asyncio
import logging

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
        self._answers: dict[Exchange, asyncio.Task[None]] = {}

    def open(self, exchange: Exchange) -> None:
        """Watch a request that the task of now serves."""
        self._open[exchange] = asyncio.current_task()

    async def close(self, exchange: Exchange) -> None:
        """The app is done with the request; what was answered in its stead is sent before the server hears of that."""
        self._open.pop(exchange, None)
        answer = self._answers.pop(exchange, None)
        if answer is not None:
            exchange.give_place_back()
            await answer

    def end_overdue(self, now: float) -> None:
        """End every request that began too long before `now`; each app is told by cancellation, and keeps its place until it obeys."""
        overdue = []
        for exchange in self._open:
            if now - exchange.started < self._seconds:
                break
            overdue.append(exchange)
        for exchange in overdue:
            task = self._open.pop(exchange)
            answer = exchange.expire()
            if answer is not None:
                self._answers[exchange] = answer
                logger.warning("a request was ended after REQUEST_TIMEOUT=%g s", self._seconds)
                if task is not None:
                    task.cancel()
