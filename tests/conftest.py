"""For every test: hypothesis measures no time, and in CI it plays the same examples each run; one Postgres for those that want one."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support.postgres import NoPostgresError, PostgresServer, postgres_server

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

LONG = {"test_several_workers", "test_demo", "test_secrets", "test_kills"}
"""They mostly wait for processes of their own."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each test process (a share of the list, one after the other) begins with one of the longest, so that they run side by side."""
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    long = [item for item in items if item.path.stem in LONG]
    rest = [item for item in items if item.path.stem not in LONG]
    share = -(-len(rest) // processes)
    items[:] = [item for n in range(processes) for item in (*long[n::processes], *rest[n * share : (n + 1) * share])]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server; each test asks it for a database of its own."""
    try:
        with postgres_server() as server:
            yield server
    except NoPostgresError as error:
        pytest.skip(str(error))
