"""The schema: whether it is ours, and bringing it up to date."""

import logging
import threading
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from autoscaler.adapters.store.address import Address
from autoscaler.adapters.store.tables import HEAD, SCHEMA
from autoscaler.errors import StoreError

MIGRATIONS = Path(__file__).parent / "migrations"

_LOCK_KEY = 0x52415343
"""Of Postgres' advisory lock: any number, the same in every release (`RASC`)."""

_one_at_a_time = threading.Lock()
"""Alembic keeps the migration under way in module globals."""


def check(connection: Connection, address: Address) -> None:
    """Raises StoreError unless the schema is this release's own."""
    _judge(revision(connection), address)


def check_again(connection: Connection, address: Address) -> None:
    """The same before each write, at the cost of one look: a newer release may have come since. It stays so until the commit.

    On Postgres this look locks the table against the lock that `migrate` takes; SQLite has one writer.
    """
    _judge(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one_or_none(), address)


def _judge(found: str | None, address: Address) -> None:
    if found is None:
        raise StoreError(f"{address.where} holds no data of this program yet. `autoscaler run` creates its tables.")
    if found > HEAD:
        raise _newer(address, found)
    if found < HEAD:
        raise StoreError(
            f"{address.where} has the older schema {found}, this release needs {HEAD}. `autoscaler run` brings it up to date."
        )


def migrate(connection: Connection, address: Address) -> None:
    """Bring the schema up to date within the transaction of `connection`. Raises StoreError when it is newer than this release."""
    if connection.dialect.name == "postgresql":
        # Held until the commit: of two workers that start at once, the second waits and then finds nothing to do.
        # However long it takes: a large table may have to be gone through, and a backup may be running.
        connection.execute(sa.text("SET LOCAL lock_timeout TO 0"))
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK_KEY)))
        # Looked at first: IF NOT EXISTS asks for the right to create even when there is nothing to create.
        if not connection.scalar(sa.text("SELECT 1 FROM pg_namespace WHERE nspname = :name"), {"name": SCHEMA}):
            connection.execute(sa.schema.CreateSchema(SCHEMA))
    found = revision(connection)
    if found == HEAD:
        return
    if found is not None and found > HEAD:
        raise _newer(address, found)
    if found is not None and connection.dialect.name == "postgresql":
        # What workers of the older release are writing comes first, what they begin to write finds that they are the older one.
        connection.execute(sa.text("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE"))
    _upgrade(connection, address)


def revision(connection: Connection) -> str | None:
    """The schema's revision; None when there are no tables."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.scalar(sa.select(sa.column("version_num", sa.Text)).select_from(sa.table("alembic_version")))


def _upgrade(connection: Connection, address: Address) -> None:
    # Imported only where a migration is due: 12 MB that a worker which only restarts does not need.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    try:
        with _one_at_a_time:
            command.upgrade(config, "head")
    except CommandError as error:
        raise StoreError(f"{address.where} can't be brought up to date: {error}. Restore a backup of it.") from error


def _newer(address: Address, found: str) -> StoreError:
    return StoreError(
        f"{address.where} was written by a newer release (its schema is {found}, this release knows up to {HEAD}). "
        "Run the newer release, or point DATABASE_URL at another database."
    )
