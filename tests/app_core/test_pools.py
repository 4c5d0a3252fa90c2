"""A database's connection pool in the report: real SQLAlchemy over SQLite files and Postgres."""

import importlib.util
import json
import subprocess
import sys

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker
from sqlalchemy.pool import AssertionPool, NullPool, SingletonThreadPool, StaticPool

from app_core import ScalingMiddleware
from app_core.pools import sqlalchemy_pool
from tests.support.asgi import Puppet, fetch


@pytest.fixture
def sqlite(tmp_path):
    return f"sqlite:///{tmp_path}/app.db"


@pytest.fixture
def engine(sqlite):
    engine = create_engine(sqlite, pool_size=2, max_overflow=1)
    yield engine
    engine.dispose()


def test_connections_in_use_are_those_checked_out_of_all_that_there_can_be(engine):
    read = sqlalchemy_pool(engine)
    assert read() == (0, 3)
    with engine.connect():
        assert read() == (1, 3)
        with engine.connect(), engine.connect():
            assert read() == (3, 3)
        assert read() == (1, 3)
    assert read() == (0, 3)


async def test_the_report_tells_it(engine):
    measured = ScalingMiddleware(Puppet())
    measured.instruments.gauges.pool("database", sqlalchemy_pool(engine))
    with engine.connect():
        report = json.loads((await fetch(measured, "/api/health/scaling")).body)
    assert report["pools"]["database"] == {"in_use": 1, "size": 3}


def test_a_connection_that_broke_is_not_in_use_and_its_place_is_not_lost(engine):
    read = sqlalchemy_pool(engine)
    with engine.connect() as connection:
        connection.invalidate()
        assert read() == (0, 3)
        with engine.connect(), engine.connect(), engine.connect():
            assert read() == (3, 3)
    assert read() == (0, 3)


def test_a_pool_that_was_disposed_of_is_followed_by_the_next(engine):
    read = sqlalchemy_pool(engine)
    with engine.connect():
        engine.dispose()
        assert read() == (0, 3)
        with engine.connect(), engine.connect():
            assert read() == (2, 3)
    assert read() == (0, 3)


def test_an_engine_with_execution_options_has_the_pool_of_the_first(engine):
    read = sqlalchemy_pool(engine.execution_options(isolation_level="AUTOCOMMIT"))
    engine.dispose()
    with engine.connect():
        assert read() == (1, 3)


@pytest.mark.parametrize("pool", (NullPool, StaticPool, SingletonThreadPool, AssertionPool))
def test_a_pool_without_a_size_that_runs_out_is_refused_when_it_is_registered(sqlite, pool):
    engine = create_engine(sqlite, poolclass=pool)
    with pytest.raises(TypeError, match=f"^a {pool.__name__} has no size"):
        sqlalchemy_pool(engine)
    engine.dispose()


def test_a_database_in_memory_is_refused():
    with pytest.raises(TypeError, match=r"^a \w+ has no size"):
        sqlalchemy_pool(create_engine("sqlite://"))


@pytest.mark.parametrize("options", ({"max_overflow": -1}, {"pool_size": 0}, {"pool_size": 0, "max_overflow": 5}))
def test_a_pool_without_limit_is_refused_with_the_way_to_give_it_one(sqlite, options):
    with pytest.raises(TypeError, match="give create_engine a pool_size above 0 and a max_overflow"):
        sqlalchemy_pool(create_engine(sqlite, **options))


def test_what_is_no_engine_is_refused(engine):
    with pytest.raises(TypeError, match=r"^sessionmaker has no connection pool: give the engine"):
        sqlalchemy_pool(sessionmaker(engine))


@pytest.mark.skipif(
    importlib.util.find_spec("greenlet") is None,
    reason="SQLAlchemy's asyncio side needs the package greenlet, which is not installed here",
)
async def test_an_async_engine_is_read_alike(postgres):
    from sqlalchemy.ext.asyncio import create_async_engine

    url = postgres.new_database().replace("postgres://", "postgresql+psycopg://")
    engine = create_async_engine(url, pool_size=1, max_overflow=1)
    read = sqlalchemy_pool(engine)
    assert read() == (0, 2)
    async with engine.connect():
        async with engine.connect():
            assert read() == (2, 2)
        assert read() == (1, 2)
    await engine.dispose()
    async with engine.connect():
        assert read() == (1, 2)
    await engine.dispose()
    with pytest.raises(TypeError, match=r"^a NullPool has no size"):
        sqlalchemy_pool(create_async_engine(url, poolclass=NullPool))


def test_sqlalchemy_is_not_imported_for_it():
    script = "import sys, app_core.pools; assert 'sqlalchemy' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)  # noqa: S603 - our own interpreter
