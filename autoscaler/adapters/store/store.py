"""The store: `autoscaler.ports.Store` over SQLite or Postgres."""

from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from sqlalchemy.engine import Connection

from autoscaler.adapters.store import answering, leasing, messages, retention, statements
from autoscaler.adapters.store.address import Address, parse
from autoscaler.adapters.store.database import Database
from autoscaler.adapters.store.words import Words
from autoscaler.core.change import Change, JournalEntry, State
from autoscaler.core.guards import Verdict
from autoscaler.core.observations import EnvSeen, Observation, Overridden, Reading, Signal, TierChanged
from autoscaler.errors import FencedError, StoreError
from autoscaler.ports import Delivery, Event, Fence, Fences, Heartbeat, PassRecord, Word

Result = TypeVar("Result")

PAGE = 500
"""Rows that one transaction of `prune` takes at most: twenty milliseconds of the write lock."""


def open_store(url: str, *, read_only: bool = False) -> "SqlStore":
    """A store that connects when it is first asked. With `read_only` nothing is created or written, as `status` wants it.

    `url` is `sqlite:///folder/file.db` or Render's `postgres://…`. Raises UsageError when it is neither.
    """
    return SqlStore(Database(parse(url), read_only=read_only))


class SqlStore(Words):
    """Each method is one transaction, run in a thread.

    A cancelled await does not stop a thread: what was begun is committed or rolled back as a whole, the caller that was
    cancelled looks at the store again to see which, and `close` waits for it.
    """

    def __init__(self, database: Database, fences: Fences | None = None) -> None:
        """With `fences`, what is written about a service is kept only while its fence stands."""
        super().__init__(database)
        self._fences = fences

    def __repr__(self) -> str:
        return f"<SqlStore {self.address.where}>"

    @property
    def address(self) -> Address:
        """Where it is; without a password."""
        return self.database.address

    def bound(self, fences: Fences) -> "SqlStore":
        """The same database, for one worker."""
        return SqlStore(self.database, fences)

    async def migrate(self) -> None:
        """Create the tables, or bring them up to date."""
        await self.database.migrate()

    async def close(self) -> None:
        """Wait for what is under way and let go of the database. A second call does nothing."""
        await self.database.close()

    async def record(self, record: PassRecord) -> None:
        """One pass, all of it or nothing."""

        def work(connection: Connection) -> None:
            agreed = record.change if record.change is not None and record.change.is_agreed else None
            if record.counted is not None and (asked := agreed or record.moved):
                answering.check_counted(connection, asked, record.counted)
            if record.moved is not None:
                statements.put_change(connection, record.moved)
                statements.put_journal(connection, record.journal)
            # First, for it is the one part that can be refused.
            if agreed is not None:
                statements.put_change(connection, agreed)  # it has its row since people were asked
            elif record.change is not None:
                statements.add_change(connection, record.change)
            statements.add_observations(connection, record.service_id, record.observations)
            if record.verdict is not None:
                statements.put_verdict(connection, record.verdict)
            messages.add_events(connection, record.events)

        await self._write_about(record.service_id, work)

    async def observations(self, service_id: str, since: int) -> list[Observation]:
        """In arrival order."""
        return await self._read(lambda connection: statements.observations_since(connection, service_id, since))

    async def tier_changes(self, service_id: str) -> list[TierChanged]:
        """Oldest first."""
        return await self._read(lambda connection: statements.tier_changes(connection, service_id))

    async def kills(self, service_id: str) -> list[Signal]:
        """In arrival order."""
        return await self._read(lambda connection: statements.kills(connection, service_id))

    async def overrides(self, service_id: str) -> list[Overridden]:
        """Oldest first."""
        return await self._read(lambda connection: statements.overrides(connection, service_id))

    async def env_seen(self, service_id: str) -> EnvSeen | None:
        """The last one."""
        return await self._read(lambda connection: statements.env_seen(connection, service_id))

    async def told(self, after: int) -> tuple[list[Word], int]:
        """In the order in which it was told."""
        return await self._read(lambda connection: statements.told_since(connection, after))

    async def save_change(
        self,
        change: Change,
        *,
        journal: Sequence[JournalEntry] = (),
        events: Sequence[Event] = (),
        observations: Sequence[Observation] = (),
    ) -> None:
        """The change and all that belongs to its step."""

        def work(connection: Connection) -> None:
            statements.put_change(connection, change)
            statements.put_journal(connection, journal)
            statements.add_observations(connection, change.service_id, observations)
            messages.add_events(connection, events)

        await self._write_about(change.service_id, work)

    async def change(self, change_id: str) -> Change | None:
        """As last saved."""
        return await self._read(lambda connection: statements.get_change(connection, change_id))

    async def changes(
        self, service_id: str | None = None, *, states: Sequence[State] | None = None, limit: int = 100
    ) -> list[Change]:
        """Newest first."""
        return await self._read(lambda connection: statements.list_changes(connection, service_id, states, limit))

    async def due_changes(self, now: int) -> list[Change]:
        """The longest due first."""
        return await self._read(lambda connection: statements.due_changes(connection, now))

    async def journal(self, change_id: str) -> list[JournalEntry]:
        """In order."""
        return await self._read(lambda connection: statements.list_journal(connection, change_id))

    async def verdicts(self, service_id: str | None = None, *, limit: int = 100) -> list[Verdict]:
        """Newest first."""
        return await self._read(lambda connection: statements.list_verdicts(connection, service_id, limit))

    async def last_verdicts(self) -> list[Verdict]:
        """One a service."""
        return await self._read(statements.last_verdicts)

    async def undelivered(self, now: int, limit: int = 50) -> list[Delivery]:
        """Oldest first."""
        own = None if self._fences is None else sorted(self._fences.held())
        return await self._read(lambda connection: messages.undelivered(connection, now, limit, own))

    async def delivered(self, event_id: str, at: int, reference: str | None) -> None:
        """It arrived."""
        await self._write_of(event_id, lambda it: messages.mark_delivered(it, event_id, at, reference))

    async def not_delivered(self, event_id: str, retry_at: int | None, error: str) -> None:
        """It did not arrive."""
        await self._write_of(event_id, lambda it: messages.mark_not_delivered(it, event_id, retry_at, error))

    async def tell(self, events: Sequence[Event]) -> None:
        """Each id once."""
        await self._write(lambda connection: messages.add_events(connection, events))

    async def unfinished(self) -> set[str]:
        """What somebody has to carry on."""
        return await self._read(statements.unfinished)

    async def claim(
        self, holder: str, service_ids: Collection[str], ttl: float, *, most: int | None = None
    ) -> tuple[Fence, ...]:
        """On SQLite nothing while another process is the file's worker; whoever succeeds it need not wait for its leases."""
        wanted, sole, is_new = sorted(service_ids), self.database.sole, False

        def work(connection: Connection) -> tuple[Fence, ...]:
            nonlocal is_new
            if sole is not None and (is_new := sole.take()):
                leasing.void_all(connection)
            return leasing.claim(connection, holder, wanted, ttl, most)

        try:
            return await self._write(work)
        except BlockingIOError:
            return ()
        except StoreError:
            if sole is not None and is_new:
                sole.release()  # else the leases of its predecessor would stay
            raise

    async def release(self, holder: str, service_ids: Collection[str] | None = None) -> None:
        """Anybody may take them now."""
        await self._write(lambda connection: leasing.release(connection, holder, service_ids))
        if service_ids is None and self.database.sole is not None:
            self.database.sole.release()

    async def leases(self) -> tuple[Fence, ...]:
        """By service."""
        return await self._read(leasing.standing)

    async def alive(self, within: float) -> list[Heartbeat]:
        """By name."""
        return await self._read(lambda connection: leasing.alive(connection, within))

    async def beat(self, heartbeat: Heartbeat) -> None:
        """A sign of life."""
        await self._write(lambda connection: statements.put_heartbeat(connection, heartbeat))

    async def heartbeats(self) -> list[Heartbeat]:
        """Latest first."""
        return await self._read(statements.list_heartbeats)

    async def hours(self, service_id: str, since: int) -> list[Reading]:
        """One reading an hour, oldest first, whether it is kept so or still in full: for long looks back, never for deciding."""
        return await self._read(lambda connection: retention.hours_since(connection, service_id, since))

    async def prune(self, before: int) -> int:
        """Service by service and page by page, each its own transaction, so that no pass waits long for the lock."""
        total, service_id = 0, await self._read(lambda connection: retention.next_service(connection, ""))
        while service_id is not None:
            gone, service_id = await self._write(_prune_page(service_id, before))
            total += gone
        gone = PAGE
        while gone == PAGE:
            gone = await self._write(lambda connection: retention.prune_events(connection, before, PAGE))
            total += gone
        return total

    async def _write_about(self, service_id: str, work: Callable[[Connection], Result]) -> Result:
        # Taken now, not in the thread: a task that outlived its lease must not write under a later one.
        fence = self._fence(service_id)

        def fenced(connection: Connection) -> Result:
            if fence is not None:
                leasing.check_fence(connection, fence)
            return work(connection)

        return await self._write(fenced)

    async def _write_of(self, event_id: str, work: Callable[[Connection], None]) -> None:
        def fenced(connection: Connection) -> None:
            service_id = None if self._fences is None else messages.service_of(connection, event_id)
            if service_id is not None and (fence := self._fence(service_id)) is not None:
                leasing.check_fence(connection, fence)
            work(connection)

        await self._write(fenced)

    def _fence(self, service_id: str) -> Fence | None:
        if self._fences is None:
            return None
        fence = self._fences.fence(service_id)
        if fence is None:
            raise FencedError(service_id)
        return fence


def _prune_page(service_id: str, before: int) -> Callable[[Connection], tuple[int, str | None]]:
    """How many rows went, and of which service the next page is."""

    def work(connection: Connection) -> tuple[int, str | None]:
        gone = retention.prune_observations(connection, service_id, before, PAGE)
        return gone, service_id if gone == PAGE else retention.next_service(connection, service_id)

    return work
