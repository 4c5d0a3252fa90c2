"""Numbers that only the app knows: its connection pools, its caches, its business, what its users tell it."""

import logging
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakKeyDictionary

from app_core.ledger import NAMES_OF_A_KIND, OTHER, Kind
from app_core.tracker import Tracker

if TYPE_CHECKING:
    from app_core.deduplication import Deduplicator

R = TypeVar("R")
V = TypeVar("V")

DEDUPLICATION = "deduplication"

logger = logging.getLogger("app_core")


class Gauges:
    """What the app registered. Readers are called once a second and by the health endpoint, in the event loop, so they must be quick.

    Args:
        tracker: writes down what the sibling processes must know too.
    """

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self._pools: dict[str, Callable[[], tuple[int, int]]] = {}
        self._caches: dict[str, Callable[[], tuple[int, int]]] = {}
        self._business: dict[str, Callable[[], float]] = {}
        self._counted: WeakKeyDictionary[Deduplicator, tuple[int, int]] = WeakKeyDictionary()

    def pool(self, name: str, read: Callable[[], tuple[int, int]]) -> None:
        """Report a pool; `read` gives how many of its places are in use, and how many there are.

        Raises:
            ValueError: ten others are reported already.
        """
        self._pools[_admitted(name, self._pools)] = read

    def cache(self, name: str, read: Callable[[], tuple[int, int]]) -> None:
        """Report a cache; `read` gives its hits and misses since the start. Deduplicators are reported by themselves.

        Raises:
            ValueError: ten others are reported already.
        """
        self._caches[_admitted(name, self._caches)] = read

    def business(self, name: str, read: Callable[[], float]) -> None:
        """Report a business metric such as `daily_active_users` or `monthly_revenue`.

        It is the process that is asked which reads it, so it must be the same in all of them.
        """
        self._business[name] = read

    def signal(self, name: str, count: int = 1) -> None:
        """Count something that happened, such as a customer's complaint; may be called by any thread."""
        ledger = self._tracker.ledger
        ledger.add(ledger.place_of(Kind.SIGNAL, name), count)

    def read_business(self) -> dict[str, float]:
        """Value by metric."""
        return dict(_read_all("business metric", self._business, _finite))

    def write_down(self) -> None:
        """Put pools and caches where the sibling processes read them."""
        ledger = self._tracker.ledger
        for name, (in_use, size) in _read_all("pool", self._pools, _two):
            ledger.put(ledger.place_of(Kind.POOL, name), in_use, size)
        for name, (hits, misses) in _read_all("cache", self._caches, _two):
            ledger.put(ledger.place_of(Kind.CACHE, name), hits, hits + misses)
        registry = sys.modules.get("app_core.deduplication.registry")
        if registry is not None and (live := registry.live()):
            self._write_down_deduplicators(live)

    def _write_down_deduplicators(self, live: "list[Deduplicator]") -> None:
        """Their totals go on when one of them is dropped, so what is added is how much each rose."""
        ledger = self._tracker.ledger
        place = ledger.place_of(Kind.CACHE, DEDUPLICATION)
        now = [0, 0, 0]
        for each in live:
            stats = each.stats()
            answered = stats.hits + stats.coalesced
            hits, lookups = self._counted.get(each, (0, 0))
            self._counted[each] = answered, answered + stats.misses
            ledger.add(place, answered - hits, answered + stats.misses - lookups)
            now = [now[0] + stats.entries, now[1] + stats.in_progress, now[2] + stats.waiting]
        ledger.put(place + 2, *now)


def _admitted(name: str, known: Mapping[str, object]) -> str:
    most = NAMES_OF_A_KIND - 2  # one place is the deduplicators', one for "other"
    if name not in known and len(known) >= most:
        raise ValueError(f"{most} are reported already, so there is no place for {name!r}")
    if name in (OTHER, DEDUPLICATION):
        raise ValueError(f"the name {name!r} is taken, choose another one")
    return name


def _two(reading: tuple[int, int]) -> tuple[int, int]:
    first, second = reading
    return int(first), int(second)


def _finite(reading: float) -> float:
    value = float(reading)
    if not math.isfinite(value):
        raise ValueError(f"{value} is no number that JSON has")
    return value


def _read_all(kind: str, readers: Mapping[str, Callable[[], R]], convert: Callable[[R], V]) -> Iterator[tuple[str, V]]:
    """Ask every reader; one that fails is left out, since one broken gauge must not hide all the other numbers."""
    for name, read in list(readers.items()):
        try:
            value = convert(read())
        except Exception:
            logger.exception("the %s %r could not be read and is left out of the report", kind, name)
        else:
            yield name, value
