"""Numbers that only the app knows: its connection pools, its caches, its business, what its users tell it."""

import logging
import math
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakKeyDictionary

from app_core.ledger import NAMES_OF_A_KIND, OTHER, Kind
from app_core.tracker import Tracker

if TYPE_CHECKING:
    from app_core.deduplication import Deduplicator

R = TypeVar("R")
V = TypeVar("V")
_Totals = tuple[float, float]

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
        self._cache_totals: dict[str, _Totals] = {}  # as they were read last
        self._deduplicator_totals: WeakKeyDictionary[Deduplicator, _Totals] = WeakKeyDictionary()
        self._failing: set[str] = set()

    def pool(self, name: str, read: Callable[[], tuple[int, int]]) -> None:
        """Report a pool; `read` gives how many of its places are in use, and how many there are.

        Raises:
            ValueError: ten others are reported already.
        """
        self._pools[_admitted(name, self._pools)] = read

    def cache(self, name: str, read: Callable[[], tuple[int, int]]) -> None:
        """Report a cache; `read` gives its hits and misses so far. Deduplicators are reported by themselves.

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
        """Count something that happened, such as a customer's complaint; may be called by any thread.

        Raises:
            ValueError: the count is below 0 or no number.
        """
        if not 0 <= count < math.inf:
            raise ValueError(f"a signal counts what happened, so its count can't be {count}")
        ledger = self._tracker.ledger
        ledger.add(ledger.place_of(Kind.SIGNAL, name), count)

    def read_business(self) -> dict[str, float]:
        """Value by metric."""
        return self._read("business metric", self._business, _finite)

    def write_down(self) -> None:
        """Put pools and caches where the sibling processes read them."""
        ledger = self._tracker.ledger
        pools = self._read("pool", self._pools, _two)
        for name in self._pools:
            ledger.put(ledger.place_of(Kind.POOL, name), *pools.get(name, (0, 0)))  # not what it was before it failed
        for name, (hits, misses) in self._read("cache", self._caches, _two).items():
            totals = hits, hits + misses
            ledger.add(ledger.place_of(Kind.CACHE, name), *_rise(self._cache_totals.get(name), totals))
            self._cache_totals[name] = totals
        registry = sys.modules.get("app_core.deduplication.registry")
        live = [] if registry is None else registry.live()
        if live or DEDUPLICATION in ledger.names_of(Kind.CACHE):
            self._write_down_deduplicators(live)

    def _write_down_deduplicators(self, live: "list[Deduplicator]") -> None:
        """Their totals go on when one of them is dropped, so what is added is how much each rose."""
        ledger = self._tracker.ledger
        place = ledger.place_of(Kind.CACHE, DEDUPLICATION)
        now = [0, 0, 0]
        for each in live:
            stats = each.stats()
            answered = stats.hits + stats.coalesced
            totals = answered, answered + stats.misses
            ledger.add(place, *_rise(self._deduplicator_totals.get(each), totals))
            self._deduplicator_totals[each] = totals
            now = [now[0] + stats.entries, now[1] + stats.in_progress, now[2] + stats.waiting]
        ledger.put(place + 2, *now)

    def _read(self, kind: str, readers: Mapping[str, Callable[[], R]], convert: Callable[[R], V]) -> dict[str, V]:
        """Ask every reader; one that fails is left out, since one broken gauge must not hide all the other numbers."""
        values = {}
        for name, read in list(readers.items()):
            gauge = f"{kind} {name!r}"
            try:
                values[name] = convert(read())
            except Exception:
                if gauge not in self._failing:  # once, not every second
                    logger.exception("the %s could not be read and is left out of the report", gauge)
                self._failing.add(gauge)
            else:
                self._failing.discard(gauge)
        return values


def _rise(before: "_Totals | None", totals: "_Totals") -> "_Totals":
    """By how much two totals rose; one that fell has begun again at 0, as a cache's does that is cleared."""
    if before is None or before[0] > totals[0] or before[1] > totals[1]:
        return totals
    return totals[0] - before[0], totals[1] - before[1]


def _admitted(name: str, known: Mapping[str, object]) -> str:
    most = NAMES_OF_A_KIND - 2  # one place is the deduplicators', one for "other"
    if name not in known and len(known) >= most:
        raise ValueError(f"{most} are reported already, so there is no place for {name!r}")
    if name in (OTHER, DEDUPLICATION):
        raise ValueError(f"the name {name!r} is taken, choose another one")
    return name


def _two(reading: tuple[int, int]) -> "_Totals":
    first, second = reading
    if first < 0 or second < 0:
        raise ValueError(f"{first} of {second}: neither can be below 0")
    return float(int(first)), float(int(second))


def _finite(reading: float) -> float:
    value = float(reading)
    if not math.isfinite(value):
        raise ValueError(f"{value} is no number that JSON has")
    return value
