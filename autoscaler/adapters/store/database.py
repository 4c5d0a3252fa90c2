"""One database and the threads that ask it: one for SQLite, which has one writer, three for Postgres."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from autoscaler.adapters.store import schema
from autoscaler.adapters.store.address import Address
from autoscaler.adapters.store.engines import POSTGRES_CONNECTIONS, make_engine
from autoscaler.adapters.store.failures import store_error
from autoscaler.adapters.store.sole import SoleWorker
from autoscaler.errors import StoreError

Result = TypeVar("Result")

_log = logging.getLogger(__name__)


class Database:
    """Transactions that a cancelled await does not stop: what was begun is committed or rolled back as a whole."""

    def __init__(self, address: Address, *, read_only: bool) -> None:
        self.address = address
        self.engine = make_engine(address, read_only=read_only)
        self.sole = SoleWorker(address.file) if address.file else None
        """On SQLite: whether this is the one worker of the file."""
        self._threads = ThreadPoolExecutor(1 if address.file else POSTGRES_CONNECTIONS, thread_name_prefix="store")
        self._checked = False
        self._closed = False

    async def migrate(self) -> None:
        """Create the tables, or bring them up to date."""
        await self._run(self._migrate)

    async def close(self) -> None:
        """Wait for what is under way and let go of the database. A second call does nothing."""
        self._closed = True
        await asyncio.shield(asyncio.to_thread(self._shut))

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        """In a transaction that takes no lock which a writer would wait for."""
        return await self._run(lambda: self._transaction(work, writes=False))

    async def write(self, work: Callable[[Connection], Result]) -> Result:
        """In a transaction that may write."""
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
            with self.engine.connect().execution_options(writes=writes) as connection, connection.begin():
                if not self._checked:
                    schema.check(connection, self.address)
                    self._checked = True
                elif writes:
                    schema.check_again(connection, self.address)
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
            with self.engine.connect().execution_options(writes=True) as connection, connection.begin():
                schema.migrate(connection, self.address)
        except SQLAlchemyError as error:
            raise store_error(self.address, error) from None
        self._checked = True

    def _shut(self) -> None:
        self._threads.shutdown(wait=True)
        self.engine.dispose()
        if self.sole:
            self.sole.release()


def _look_at(abandoned: "asyncio.Future[Result]") -> None:
    """Nobody else will hear of it any more."""
    if error := abandoned.exception():
        _log.warning("What a cancelled task asked the store for failed: %s", error)
