"""The store: `autoscaler.ports.Store` over SQLite or Postgres."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from autoscaler.adapters.store import schema, statements
from autoscaler.adapters.store.address import Address, parse
from autoscaler.adapters.store.engines import POSTGRES_CONNECTIONS, make_engine
from autoscaler.adapters.store.failures import store_error
from autoscaler.core.change import Change, JournalEntry, State
from autoscaler.core.facts import Pause
from autoscaler.core.guards import Verdict
from autoscaler.core.observations import Observation, Signal, TierChanged
from autoscaler.errors import StoreError
from autoscaler.ports import Delivery, Event, Heartbeat, PassRecord, Word

Result = TypeVar("Result")

_log = logging.getLogger(__name__)

PAGE = 500
"""Rows that one transaction of `prune` looks at: about a millisecond of the write lock."""


def open_store(url: str, *, read_only: bool = False) -> "SqlStore":
    """A store that connects when it is first asked. With `read_only` nothing is created or written, as `status` wants it.

    `url` is `sqlite:///folder/file.db` or Render's `postgres://…`. Raises UsageError when it is neither.
    """
    return SqlStore(parse(url), read_only=read_only)


class SqlStore:
    """Runs its SQL in threads: one for SQLite, which has one writer, three for Postgres.

    A cancelled await does not stop a thread: what was begun is committed or rolled back as a whole, the caller that was
    cancelled looks at the store again to see which, and `close` waits for it.
    """

    def __init__(self, address: Address, *, read_only: bool) -> None:
        self.address = address
        self._read_only = read_only
        self._engine = make_engine(address, read_only=read_only)
        self._threads = ThreadPoolExecutor(1 if address.file else POSTGRES_CONNECTIONS, thread_name_prefix="store")
        self._checked = False
        self._closed = False

    def __repr__(self) -> str:
        return f"<SqlStore {self.address.where}>"

    async def migrate(self) -> None:
        """Create the tables, or bring them up to date."""
        await self._run(self._migrate)

    async def close(self) -> None:
        """Wait for what is under way and let go of the database. A second call does nothing."""
        self._closed = True
        await asyncio.shield(asyncio.to_thread(self._shut))

    async def record(self, record: PassRecord) -> None:
        """One pass, all of it or nothing."""

        def work(connection: Connection) -> None:
            if record.moved is not None:
                statements.put_change(connection, record.moved)
                statements.put_journal(connection, record.journal)
            # First, for it is the one part that can be refused.
            if record.change is not None:
                statements.add_change(connection, record.change)
            statements.add_observations(connection, record.service_id, record.observations)
            if record.verdict is not None:
                statements.put_verdict(connection, record.verdict)
            statements.add_events(connection, record.events)

        await self._write(work)

    async def observations(self, service_id: str, since: int) -> list[Observation]:
        """In arrival order."""
        return await self._read(lambda connection: statements.observations_since(connection, service_id, since))

    async def tier_changes(self, service_id: str) -> list[TierChanged]:
        """Oldest first."""
        return await self._read(lambda connection: statements.tier_changes(connection, service_id))

    async def kills(self, service_id: str) -> list[Signal]:
        """In arrival order."""
        return await self._read(lambda connection: statements.kills(connection, service_id))

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
            statements.add_events(connection, events)

        await self._write(work)

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
        return await self._read(lambda connection: statements.undelivered(connection, now, limit))

    async def delivered(self, event_id: str, at: int, reference: str | None) -> None:
        """It arrived."""
        await self._write(lambda connection: statements.mark_delivered(connection, event_id, at, reference))

    async def not_delivered(self, event_id: str, retry_at: int | None, error: str) -> None:
        """It did not arrive."""
        await self._write(lambda connection: statements.mark_not_delivered(connection, event_id, retry_at, error))

    async def pause(self, pause: Pause) -> None:
        """One a service."""
        await self._write(lambda connection: statements.put_pause(connection, pause))

    async def resume(self, service_id: str) -> None:
        """Nothing holds it any more."""
        await self._write(lambda connection: statements.delete_pause(connection, service_id))

    async def paused(self, service_id: str) -> Pause | None:
        """As last set."""
        return await self._read(lambda connection: statements.get_pause(connection, service_id))

    async def beat(self, heartbeat: Heartbeat) -> None:
        """A sign of life."""
        await self._write(lambda connection: statements.put_heartbeat(connection, heartbeat))

    async def heartbeats(self) -> list[Heartbeat]:
        """Latest first."""
        return await self._read(statements.list_heartbeats)

    async def prune(self, before: int) -> int:
        """Page by page, each its own transaction, so that no pass waits long for the lock."""
        total = 0
        after: int | None = 0
        while after is not None:
            gone, after = await self._write(_prune_page(before, after))
            total += gone
        gone = PAGE
        while gone == PAGE:
            gone = await self._write(lambda connection: statements.prune_events(connection, before, PAGE))
            total += gone
        return total

    async def _read(self, work: Callable[[Connection], Result]) -> Result:
        return await self._run(lambda: self._transaction(work, writes=False))

    async def _write(self, work: Callable[[Connection], Result]) -> Result:
        return await self._run(lambda: self._transaction(work, writes=True))

    async def _run(self, work: Callable[[], Result]) -> Result:
        if self._closed:
            raise StoreError(f"{self.address.where} was closed; this is a mistake in the program, please report it.")
        under_way = asyncio.wrap_future(self._threads.submit(work))
        try:
            # Shielded: what was seen is kept, also when it still waits its turn.
            return await asyncio.shield(under_way)
        except asyncio.CancelledError:
            under_way.add_done_callback(_look_at)
            raise

    def _transaction(self, work: Callable[[Connection], Result], *, writes: bool) -> Result:
        try:
            with self._engine.connect().execution_options(writes=writes) as connection, connection.begin():
                if not self._checked:
                    schema.check(connection, self.address)
                    self._checked = True
                return work(connection)
        except SQLAlchemyError as error:
            # Without its cause: a driver's exception may hold the URL or the values of a row.
            raise store_error(self.address, error) from None

    def _migrate(self) -> None:
        if self.address.file is not None:
            try:
                self.address.file.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreError(
                    f"{self.address.where}: its folder can't be created ({error.strerror}). "
                    "Create it for this user, or point DATABASE_URL elsewhere."
                ) from None
        try:
            with self._engine.connect().execution_options(writes=True) as connection, connection.begin():
                schema.migrate(connection, self.address)
        except SQLAlchemyError as error:
            raise store_error(self.address, error) from None
        self._checked = True

    def _shut(self) -> None:
        self._threads.shutdown(wait=True)
        self._engine.dispose()


def _look_at(abandoned: "asyncio.Future[Result]") -> None:
    """Nobody else will hear of it any more."""
    if error := abandoned.exception():
        _log.warning("What a cancelled task asked the store for failed: %s", error)


def _prune_page(before: int, after: int) -> Callable[[Connection], tuple[int, int | None]]:
    return lambda connection: statements.prune_observations(connection, before, after, PAGE)
