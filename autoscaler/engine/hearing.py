"""What people tell from outside (`autoscaler signal`, `autoscaler metric set`) reaches the running worker through the store."""

import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import replace

from autoscaler.core.durations import MINUTE
from autoscaler.engine.managed import Managed
from autoscaler.ports import Clock, Store, Word

log = logging.getLogger(__name__)

KEPT = 10 * MINUTE
"""How long a word for a service that nobody here looks after is kept: its policy may just be on its way in."""


class Hearing:
    """One question to the store for the whole fleet, and each word is folded once."""

    def __init__(self, store: Store, managed: Mapping[str, Managed], clock: Clock) -> None:
        """`managed`: by service id, as the worker fills it."""
        self._store = store
        self._managed = managed
        self._clock = clock
        self._after: int | None = None
        self._unheard: deque[Word] = deque()

    async def hear(self) -> None:
        """Fold what is new. What was told before the first call is among what each service was built from. Raises StoreError."""
        if self._after is None:
            _, self._after = await self._store.told(2**62)
            return
        words, self._after = await self._store.told(self._after)
        self._unheard.extend(words)
        now, early = self._clock.now(), []
        while self._unheard:
            word = self._unheard[0]
            managed = self._managed.get(word.service_id)
            if managed is not None:
                await self._fold(managed, word, now)
            elif now - word.told.at < KEPT:
                early.append(word)
            self._unheard.popleft()
        self._unheard.extend(early)

    async def _fold(self, managed: Managed, word: Word, now: int) -> None:
        told = word.told
        async with managed.in_step(self._store, now):
            if told.id in managed.heard:  # the state was built anew in between
                return
            managed.fold(replace(told, at=min(told.at, now)))  # the clock of who told it may be ahead of ours
        log.info("%s: told %s %g%s", managed.seen.name, told.name, told.value, f" by {told.who}" if told.who else "")
