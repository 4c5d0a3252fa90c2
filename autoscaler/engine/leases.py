"""Which services this worker alone acts on: claimed in the store for a short time, and again and again.

Live workers share the services evenly. A lease that is not renewed runs out by the database's clock; what this worker has left of
one it counts on its own monotonic clock, from before the claim was sent, so that it never believes to have more than it has.
"""

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import AsyncIterator, Collection
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager, suppress

from autoscaler.errors import StoreError
from autoscaler.ports import Clock, Fence, Heartbeat, Store

log = logging.getLogger(__name__)

TTL = 25.0
"""Seconds: a death is taken over within 30."""
ROUND = 3.0
"""Seconds between two claims: a lease that was just renewed has more left than a call's hard timeout and ten more."""
NOBODYS = ""
"""The service of messages that are about none; it is leased like the others, so that one worker delivers them."""


class Leases:
    """One worker's: ports.Fences and ports.Tenure."""

    def __init__(self, store: Store, clock: Clock, *, name: str | None = None, ttl: float = TTL) -> None:
        """`name`: of this worker's life; another life, also of the same process id on the same host, is another worker."""
        self.name = name or f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(2)}"
        self._store = store
        self._clock = clock
        self._ttl = ttl
        self._fences: dict[str, Fence] = {}
        self._until = 0.0
        self._most: int | None = None
        self._one_at_a_time = asyncio.Lock()

    def fence(self, service_id: str) -> Fence | None:
        """None where another worker acts, or nobody does."""
        return self._fences.get(service_id)

    def held(self) -> AbstractSet[str]:
        """The ids of the services that are this worker's."""
        return self._fences.keys()

    def left(self, service_id: str) -> float:
        """For how many seconds nobody else can act on it."""
        return max(0.0, self._until - self._clock.monotonic()) if service_id in self._fences else 0.0

    async def renew(self, wanted: AbstractSet[str], beat: Heartbeat, *, shared: bool = True) -> frozenset[str]:
        """Claim again; which services were lost to others since the last time. Raises StoreError.

        With `shared`, no more is taken than this worker's part of what is wanted.
        """
        async with self._one_at_a_time:
            await self._store.beat(beat)
            self._most = await self._part(len(wanted), beat) if shared else None
            began = self._clock.monotonic()
            claimed = await self._store.claim(self.name, wanted, self._ttl, most=self._most)
            return self._take({fence.service_id: fence for fence in claimed}, began + self._ttl)

    def _take(self, fences: dict[str, Fence], until: float) -> frozenset[str]:
        lost = frozenset(name for name, fence in self._fences.items() if fences.get(name) != fence)
        self._fences, self._until = fences, until
        return lost

    def run_out(self) -> frozenset[str]:
        """Forget those that could not be renewed in time: which they were."""
        return self._take({}, 0.0) if self._until <= self._clock.monotonic() else frozenset()

    def too_many(self, busy: AbstractSet[str]) -> tuple[str, ...]:
        """What is above this worker's part; those on which nothing is under way first."""
        if self._most is None:
            return ()
        return tuple(sorted(self._fences, key=lambda name: (name in busy, name)))[
            : max(0, len(self._fences) - self._most)
        ]

    async def give_up(self, service_ids: Collection[str]) -> None:
        """Let others have them at once: to be called when nothing of this worker runs on them any more. Raises StoreError."""
        for service_id in service_ids:
            self._fences.pop(service_id, None)
        await self._store.release(self.name, service_ids)

    async def end(self) -> None:
        """Let others have all, for good. What can't be released runs out."""
        self._fences = {}
        with suppress(StoreError):
            await self._store.release(self.name)

    async def _part(self, services: int, beat: Heartbeat) -> int:
        """How many of them: all workers that act have as many. A dry run has none where one acts."""
        others = [one for one in await self._store.alive(self._ttl) if one.worker != self.name]
        acting = [one for one in others if not one.dry_run]
        if beat.dry_run and acting:
            return 0
        workers = 1 + len(others if beat.dry_run else acting)
        return -(-services // workers)


@asynccontextmanager
async def kept(leases: Leases, wanted: AbstractSet[str], beat: Heartbeat) -> AsyncIterator[None]:
    """Hold what is free of these services for as long as a pass takes, and give it back then. Raises StoreError."""
    await leases.renew(wanted, beat, shared=False)

    async def renew_again() -> None:
        while True:
            await asyncio.sleep(ROUND)
            with suppress(StoreError):  # what runs out then is fenced
                await leases.renew(wanted, beat, shared=False)

    renewing = asyncio.create_task(renew_again())
    try:
        yield
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
        await leases.end()
