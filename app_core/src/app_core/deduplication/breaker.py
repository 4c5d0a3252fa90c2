"""Remembers that a store is away, so that not every call pays for finding out."""

import logging
from collections.abc import Callable

logger = logging.getLogger("app_core")


class Breaker:
    """Lets one question in every `retry_after` seconds through while the store is away; says once when it goes and when it is back.

    Args:
        retry_after: seconds.
        clock: seconds that never run backwards.
    """

    def __init__(self, retry_after: float, clock: Callable[[], float]) -> None:
        self.failures = 0
        self._retry_after = retry_after
        self._clock = clock
        self._ask_again_at: float | None = None  # None while the store answers

    def may_ask(self) -> bool:
        """Whether to ask the store now; whoever is let through while it is away asks for all."""
        if self._ask_again_at is None:
            return True
        now = self._clock()
        if now < self._ask_again_at:
            return False
        self._ask_again_at = now + self._retry_after
        return True

    def failed(self, error: Exception) -> None:
        """The store did not answer, or not with an answer."""
        self.failures += 1
        if self._ask_again_at is None:
            logger.warning(
                "Redis is away (%s): the deduplicator goes on in this process's memory and asks again every %g s; check that"
                " Redis runs, its address, and the client's password",
                type(error).__name__,  # no text, in which a client may quote what it sent or got
                self._retry_after,
            )
        self._ask_again_at = self._clock() + self._retry_after

    def answered(self) -> None:
        """The store answered."""
        if self._ask_again_at is not None:
            self._ask_again_at = None
            logger.warning("Redis is back: the deduplicator shares executions and results again")
