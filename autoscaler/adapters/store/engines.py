"""SQLAlchemy engines, set up for one worker beside a few readers."""

import sqlite3
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry
from tenacity import retry, retry_if_exception, stop_after_delay, wait_random

from autoscaler.adapters.store.address import Address
from autoscaler.adapters.store.tables import SCHEMA

POSTGRES_CONNECTIONS = 3
"""At most, so that the app's own small database can be shared (design, "Where state lives")."""

FROZEN_MS = 10_000
"""How long a transaction may stand still: well below a lease's time."""
BUSY_MS = 5_000
"""How long a statement waits for another process's lock before it fails: a worker says what stops it, and tries again."""

_POSTGRES_DEFAULTS = {
    "connect_timeout": "10",
    "application_name": "render-autoscaler",
    # A connection that a firewall dropped must not hang a worker for the two hours of TCP's own defaults.
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}


def make_engine(address: Address, *, read_only: bool, at_rest: bool = False) -> Engine:
    """An engine that has not connected yet. It shows no parameters in its errors: they hold what the app's users see.

    `at_rest`: nobody writes to the SQLite file now. It is read without a lock, and so without the files that SQLite makes beside it.
    """
    if address.file is None:
        return _postgres(address, read_only=read_only)
    return _sqlite(address, read_only=read_only, at_rest=at_rest)


def _sqlite(address: Address, *, read_only: bool, at_rest: bool) -> Engine:
    url = address.url
    if read_only:
        query = {"mode": "ro", "uri": "true"} | ({"immutable": "1"} if at_rest else {})
        url = URL.create("sqlite", database=f"file:{_uri_path(str(address.file))}", query=query)
    engine = sa.create_engine(
        url,
        pool_size=1,
        max_overflow=0,
        hide_parameters=True,
        # None: the driver begins no transaction of its own accord, `_begin` does.
        connect_args={"timeout": BUSY_MS / 1000, "isolation_level": None, "check_same_thread": False},
    )

    def _connect(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        _run(connection, "PRAGMA foreign_keys = ON")
        if not read_only:
            # WAL lets `status` read while the worker writes. FULL and not NORMAL: NORMAL may lose the last commits when
            # the machine stops, and a step is journalled before it is done so that a deploy is never asked for twice.
            _use_wal(connection)
            _run(connection, "PRAGMA synchronous = FULL")

    def _begin(connection: Connection) -> None:
        # IMMEDIATE takes the write lock at once, under busy_timeout; upgrading a read lock later would fail without a wait.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")

    event.listen(engine, "connect", _connect)
    event.listen(engine, "begin", _begin)
    return engine


def _postgres(address: Address, *, read_only: bool) -> Engine:
    query = address.url.query
    options = {key: value for key, value in _POSTGRES_DEFAULTS.items() if key not in query}
    # SQLAlchemy hides only the password before the @, not those among the options.
    secrets = {key: value for key, value in query.items() if "password" in key}
    engine = sa.create_engine(
        address.url.difference_update_query(secrets),
        pool_size=POSTGRES_CONNECTIONS,
        max_overflow=0,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args=options | secrets,
    )

    def _connect(connection: Any, _: ConnectionPoolEntry) -> None:
        # Outside a transaction: a rollback would take the settings back.
        connection.autocommit = True
        _run(connection, f"SET search_path TO {SCHEMA}")
        _run(connection, f"SET lock_timeout TO {BUSY_MS}")
        # A worker that is frozen in the middle of a transaction has the row of its lease: nobody could take over.
        _run(connection, f"SET idle_in_transaction_session_timeout TO {FROZEN_MS}")
        if read_only:
            _run(connection, "SET default_transaction_read_only TO on")
        connection.autocommit = False

    # First, for SQLAlchemy's own look at a new connection asks for the current schema.
    event.listen(engine, "connect", _connect, insert=True)
    return engine


def _run(connection: DBAPIConnection, statement: str) -> None:
    cursor = connection.cursor()
    try:
        cursor.execute(statement)
    finally:
        cursor.close()


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


@retry(
    retry=retry_if_exception(_is_busy),
    stop=stop_after_delay(BUSY_MS / 1000),
    wait=wait_random(0, 0.05),
    reraise=True,
)
def _use_wal(connection: DBAPIConnection) -> None:
    # Of two that turn WAL on in a new file at once, SQLite refuses one without its busy timeout: both hold a read lock.
    _run(connection, "PRAGMA journal_mode = WAL")


def _uri_path(path: str) -> str:
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
