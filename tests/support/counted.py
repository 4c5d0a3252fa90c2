"""Requests as the middleware counts them, without an app."""

from app_core.exchange import Exchange
from app_core.tracker import Tracker


async def _nobody(message=None):
    raise AssertionError("no app is there to say anything")


def begin(tracker: Tracker) -> Exchange:
    """A request that arrives now; its `finish(error=…)` ends it."""
    return Exchange(tracker, False, _nobody, _nobody)  # noqa: FBT003 - as the middleware does


def count(tracker: Tracker, *, took: float = 0.0, error: bool = False) -> None:
    """A request that finishes now, after so many seconds."""
    exchange = begin(tracker)
    exchange.started -= took
    exchange.finish(error=error)


def count_together(tracker: Tracker, number: int) -> None:
    """So many requests at once, all of which finish now."""
    for exchange in [begin(tracker) for _ in range(number)]:
        exchange.finish(error=False)
