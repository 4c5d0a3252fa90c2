"""The database, only looked at: whether it can be reached, whose tables it holds, whether we could write. Nothing is written."""

import asyncio
import os
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from autoscaler.adapters.store import schema, statements
from autoscaler.adapters.store.address import Address, parse
from autoscaler.adapters.store.engines import make_engine
from autoscaler.adapters.store.failures import store_error
from autoscaler.adapters.store.tables import HEAD, SCHEMA
from autoscaler.ports import DatabaseSeen

_SHORTEST = 2
"""Seconds: the driver takes less for no limit at all, or for this."""


async def examine(url: str, patience: float) -> DatabaseSeen:
    """One look, within about so many seconds. Raises UsageError for an address that is none, StoreError where nobody answers."""
    address = parse(url)
    return await asyncio.to_thread(_sqlite if address.file else _postgres, address, patience)


def _sqlite(address: Address, _patience: float) -> DatabaseSeen:
    file = address.file
    assert file is not None  # noqa: S101 - or it is a Postgres
    if not file.exists():
        return DatabaseSeen(address.where, is_there=False, revision=None, head=HEAD, obstacle=_obstacle(file))
    # A worker that runs, or was killed, has left this file; without it whoever reads would leave one himself.
    at_rest = not file.with_name(f"{file.name}-wal").exists()
    return _look(address, at_rest=at_rest)


def _obstacle(file: Path) -> str:
    """Why the file can't be written or made. SQLite makes others beside it, so the folder has to let us as well."""
    folder = next(folder for folder in file.parents if folder.exists())
    if not folder.is_dir():
        return f"{folder} is no folder"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"this user may not write in the folder {folder}"
    if file.exists() and not os.access(file, os.W_OK):
        return f"this user may not write the file {file}"
    return ""


def _postgres(address: Address, patience: float) -> DatabaseSeen:
    limits = {"connect_timeout": str(max(_SHORTEST, round(patience))), "tcp_user_timeout": str(round(patience * 1000))}
    url = address.url
    quick = url.update_query_dict({key: value for key, value in limits.items() if key not in url.query})
    return _look(Address(address.where, None, quick), at_rest=False)


def _look(address: Address, *, at_rest: bool) -> DatabaseSeen:
    engine = make_engine(address, read_only=True, at_rest=at_rest)
    try:
        with engine.connect() as connection, connection.begin():
            revision = schema.revision(connection)
            beats = statements.list_heartbeats(connection) if revision == HEAD else []
            return DatabaseSeen(
                address.where,
                is_there=True,
                revision=revision,
                head=HEAD,
                obstacle=_obstacle(address.file) if address.file else _refusal(connection, has_tables=bool(revision)),
                beat=beats[0] if beats else None,
            )
    except SQLAlchemyError as error:
        raise store_error(address, error) from None  # as in database.py
    finally:
        engine.dispose()


def _refusal(connection: Connection, *, has_tables: bool) -> str:
    """Why this role could not write, or make what is not there yet."""

    def yes(expression: str) -> bool:
        return bool(connection.exec_driver_sql(f"SELECT {expression}").scalar())

    if yes("pg_is_in_recovery()"):
        return "this server is a replica, which takes no writes"
    if has_tables:
        allowed = yes(f"has_table_privilege('{SCHEMA}.heartbeats', 'INSERT')")
        return "" if allowed else f"this role may not write the tables of the schema {SCHEMA}"
    if connection.scalar(sa.text("SELECT 1 FROM pg_namespace WHERE nspname = :name"), {"name": SCHEMA}):
        allowed = yes(f"has_schema_privilege('{SCHEMA}', 'CREATE')")
        return "" if allowed else f"this role may not make tables in the schema {SCHEMA}"
    allowed = yes("has_database_privilege(current_database(), 'CREATE')")
    return "" if allowed else f"this role may not make the schema {SCHEMA}"
