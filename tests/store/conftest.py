"""Every test of the contract runs on a SQLite file and on a real Postgres."""

import asyncio
import functools
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from psycopg.sql import SQL, Identifier

from autoscaler.adapters.store import SqlStore, open_store
from autoscaler.adapters.store.tables import HEAD, SCHEMA, metadata
from tests.support.postgres import PostgresServer

OpenStore = Callable[..., SqlStore]


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/data/autoscaler.db"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    """Of an empty database."""
    if request.param == "postgres":
        return request.getfixturevalue("postgres").new_database()
    return request.getfixturevalue("sqlite_url")


@pytest.fixture
async def open_another() -> AsyncIterator[OpenStore]:
    """`open_store` that closes after the test."""
    opened: list[SqlStore] = []

    def _open(url: str, *, read_only: bool = False) -> SqlStore:
        opened.append(open_store(url, read_only=read_only))
        return opened[-1]

    yield _open
    for store in opened:
        await store.close()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrated once, copied by every test."""
    file = tmp_path_factory.mktemp("migrated") / "template.db"
    asyncio.run(_migrate(f"sqlite:///{file}"))
    return file


@pytest.fixture(scope="session")
def migrated_database(postgres: PostgresServer) -> str:
    """Migrated once, emptied before every test: making a new one takes a hundred times as long."""
    url = postgres.new_database()
    asyncio.run(_migrate(url))
    return url


@pytest.fixture(params=["sqlite", "postgres"])
def migrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a database with its tables, and nothing in them."""
    if request.param == "postgres":
        url = request.getfixturevalue("migrated_database")
        with request.getfixturevalue("postgres").admin(url.rpartition("/")[2]) as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(SQL("DELETE FROM {}").format(Identifier(SCHEMA, table.name)))
            connection.execute(
                SQL("UPDATE {} SET version_num = %s").format(Identifier(SCHEMA, "alembic_version")), [HEAD]
            )
        return url
    shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "autoscaler.db")
    return f"sqlite:///{tmp_path}/autoscaler.db"


@pytest.fixture
def reopen(migrated_url: str, open_another: OpenStore) -> OpenStore:
    """Another store on the test's own database, as another process has it."""
    return functools.partial(open_another, migrated_url)


@pytest.fixture
def store(reopen: OpenStore) -> SqlStore:
    """Migrated and empty."""
    return reopen()


async def _migrate(url: str) -> None:
    store = open_store(url)
    await store.migrate()
    await store.close()
