"""Numbers that only the app knows: its connection pools, its business, what its users tell it."""

import logging
import math
from collections.abc import Callable, Mapping
from threading import Lock
from typing import TypeVar

R = TypeVar("R")
V = TypeVar("V")

logger = logging.getLogger("app_core")


class Gauges:
    """What the app registered. Readers are called when the health endpoint is asked, in the event loop, so they must be quick."""

    def __init__(self) -> None:
        self._pools: dict[str, Callable[[], tuple[int, int]]] = {}
        self._business: dict[str, Callable[[], float]] = {}
        self._signals: dict[str, int] = {}
        self._lock = Lock()  # signals may come from worker threads

    def pool(self, name: str, read: Callable[[], tuple[int, int]]) -> None:
        """Report a pool; `read` gives how many of its places are in use, and how many there are."""
        self._pools[name] = read

    def business(self, name: str, read: Callable[[], float]) -> None:
        """Report a business metric such as `daily_active_users` or `monthly_revenue`."""
        self._business[name] = read

    def signal(self, name: str, count: int = 1) -> None:
        """Count something that happened, such as a customer's complaint."""
        with self._lock:
            self._signals[name] = self._signals.get(name, 0) + count

    def read_pools(self) -> dict[str, dict[str, int]]:
        """Use and size by pool."""
        return _read_all("pool", self._pools, _pool)

    def read_business(self) -> dict[str, float]:
        """Value by metric."""
        return _read_all("business metric", self._business, _finite)

    def read_signals(self) -> dict[str, int]:
        """Times each signal came since the start."""
        with self._lock:
            return dict(self._signals)


def _pool(reading: tuple[int, int]) -> dict[str, int]:
    in_use, size = reading
    return {"in_use": int(in_use), "size": int(size)}


def _finite(reading: float) -> float:
    value = float(reading)
    if not math.isfinite(value):
        raise ValueError(f"{value} is no number that JSON has")
    return value


def _read_all(kind: str, readers: Mapping[str, Callable[[], R]], convert: Callable[[R], V]) -> dict[str, V]:
    """Ask every reader; one that fails is left out, since one broken gauge must not hide all the other numbers."""
    values: dict[str, V] = {}
    for name, read in readers.items():
        try:
            values[name] = convert(read())
        except Exception:
            logger.exception("the %s %r could not be read and is left out of the report", kind, name)
    return values
