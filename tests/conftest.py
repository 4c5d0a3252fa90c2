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
    """The longest first: else one of several test processes would still be at them when the others are done."""
    items.sort(key=lambda item: item.path.stem not in LONG)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server; each test asks it for a database of its own."""
    try:
        with postgres_server() as server:
            yield server
    except NoPostgresError as error:
        pytest.skip(str(error))
