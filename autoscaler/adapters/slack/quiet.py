"""The SDK logs each failed attempt to connect, every few seconds and with a traceback: here it is one line now and then."""

import logging
import time

SAME = 300.0
"""Seconds in which the same line is not repeated."""


class _OnceInAWhile(logging.Filter):
    def __init__(self) -> None:
        super().__init__()
        self._told: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Without its traceback, and once within the time."""
        record.exc_info = None
        now = time.monotonic()
        kind = record.getMessage().partition("(")[0]
        if now - self._told.get(kind, -SAME) < SAME:
            return False
        self._told[kind] = now
        return True


def quiet_logger(parent: logging.Logger) -> logging.Logger:
    """A logger for the SDK's socket client. It never tells what came over the socket, as the SDK does at DEBUG."""
    logger = parent.getChild("socket")
    logger.setLevel(logging.WARNING)
    if not logger.filters:
        logger.addFilter(_OnceInAWhile())
    return logger
