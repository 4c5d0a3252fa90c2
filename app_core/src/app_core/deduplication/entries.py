"""The kept results: a bounded number, least recently used first out, each for its time to live."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any
from weakref import ref

from app_core.deduplication.results import Load

Entry = tuple[float, Any, Load | None]
"""The clock's time from which it is no longer good; what is kept; how to make a caller's own object of that."""

_CHUNK = 1000  # entries looked at in one turn of the event loop, about 0.2 ms


class Entries:
    """Results by key.

    Args:
        max_entries: how many are kept; 0 keeps none.
        cleanup_interval: seconds between two sweeps that free what has expired.
        clock: seconds that never run backwards.
    """

    __slots__ = ("__weakref__", "_clock", "_interval", "_max_entries", "_swept_by", "by_key", "evictions", "expired")

    def __init__(self, max_entries: int, cleanup_interval: float, clock: Callable[[], float]) -> None:
        self.by_key: OrderedDict[Hashable, Entry] = OrderedDict()
        self.evictions = 0
        self.expired = 0
        self._max_entries = max_entries
        self._interval = cleanup_interval
        self._clock = clock
        self._swept_by: asyncio.AbstractEventLoop | None = None  # the loop that holds the timer, if one is set

    def put(self, key: Hashable, kept: Any, load: Load | None, ttl: float, loop: asyncio.AbstractEventLoop) -> None:
        """Keep a result for so many seconds."""
        if not self._max_entries or not ttl:
            return
        by_key = self.by_key
        by_key[key] = (self._clock() + ttl, kept, load)
        if len(by_key) > self._max_entries:
            by_key.popitem(last=False)
            self.evictions += 1
        if self._swept_by is not loop:  # none set, or by a loop that has ended
            self._set_timer(loop)

    def find(self, key: Hashable) -> Entry | None:
        """A result whose time has not passed; it counts as used."""
        entry = self.by_key.get(key)
        if entry is None:
            return None
        if self._clock() < entry[0]:
            self.by_key.move_to_end(key)
            return entry
        self._drop_expired(key)
        return None

    def _drop_expired(self, key: Hashable) -> None:
        """Free a result whose time has passed."""
        del self.by_key[key]
        self.expired += 1

    def sweep(self, loop: asyncio.AbstractEventLoop, keys: list[Hashable], start: int = 0) -> None:
        """Free what has expired among the next of the keys; the loop gets a turn before the others are looked at."""
        if self._swept_by is not loop:
            return
        now, end = self._clock(), start + _CHUNK
        for key in keys[start:end]:
            entry = self.by_key.get(key)
            if entry is not None and entry[0] <= now:
                self._drop_expired(key)
        if end < len(keys):
            loop.call_soon(_sweep, ref(self), loop, keys, end)
        elif self.by_key:
            self._set_timer(loop)
        else:
            self._swept_by = None

    def _set_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        self._swept_by = loop
        loop.call_later(self._interval, _sweep, ref(self), loop)


def _sweep(
    reference: "ref[Entries]", loop: asyncio.AbstractEventLoop, keys: list[Hashable] | None = None, start: int = 0
) -> None:
    """What the timer calls: by weak reference, so that it keeps no deduplicator alive that everybody else has dropped."""
    entries = reference()
    if entries is not None:
        # dict.keys, as the OrderedDict's own iterator hashes each key: 13 times slower at 100,000 entries
        entries.sweep(loop, list(dict.keys(entries.by_key)) if keys is None else keys, start)
