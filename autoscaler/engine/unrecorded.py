"""A store that reads and never writes: `check` looks at what the worker has recorded and leaves no trace of its own."""

from collections.abc import Sequence

from autoscaler.core.change import Change, JournalEntry, State
from autoscaler.core.consent import Answer, Snooze
from autoscaler.core.facts import GoneLive, Pause
from autoscaler.core.guards import Verdict
from autoscaler.core.observations import EnvSeen, Observation, Overridden, Signal, TierChanged
from autoscaler.ports import PassRecord, Store


class Unrecorded:
    """The reads of `store`, or of an empty one; every write is forgotten. Only what a pass needs of ports.Store."""

    def __init__(self, store: Store | None) -> None:
        self._store = store

    async def record(self, record: PassRecord) -> None:
        """Forgotten."""

    async def observations(self, service_id: str, since: int) -> list[Observation]:
        """In arrival order, from `since` on."""
        return await self._store.observations(service_id, since) if self._store else []

    async def tier_changes(self, service_id: str) -> list[TierChanged]:
        """All that were ever seen, oldest first."""
        return await self._store.tier_changes(service_id) if self._store else []

    async def kills(self, service_id: str) -> list[Signal]:
        """Every one that was ever heard of."""
        return await self._store.kills(service_id) if self._store else []

    async def env_seen(self, service_id: str) -> EnvSeen | None:
        """What was recorded."""
        return await self._store.env_seen(service_id) if self._store else None

    async def overrides(self, service_id: str) -> list[Overridden]:
        """Oldest first."""
        return await self._store.overrides(service_id) if self._store else []

    async def changes(
        self, service_id: str | None = None, *, states: Sequence[State] | None = None, limit: int = 100
    ) -> list[Change]:
        """Newest first."""
        return await self._store.changes(service_id, states=states, limit=limit) if self._store else []

    async def verdicts(self, service_id: str | None = None, *, limit: int = 100) -> list[Verdict]:
        """Newest first."""
        return await self._store.verdicts(service_id, limit=limit) if self._store else []

    async def journal(self, change_id: str) -> list[JournalEntry]:
        """In order."""
        return await self._store.journal(change_id) if self._store else []

    async def answers(self, change_id: str) -> list[Answer]:
        """In order."""
        return await self._store.answers(change_id) if self._store else []

    async def snoozed(self, change_id: str) -> Snooze | None:
        """The last one."""
        return await self._store.snoozed(change_id) if self._store else None

    async def gone_live(self, service_id: str) -> GoneLive | None:
        """As last written."""
        return await self._store.gone_live(service_id) if self._store else None

    async def delivered_at(self, event_id: str) -> int | None:
        """As noted."""
        return await self._store.delivered_at(event_id) if self._store else None

    async def paused(self, service_id: str) -> Pause | None:
        """As last set."""
        return await self._store.paused(service_id) if self._store else None
