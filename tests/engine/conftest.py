"""No test here cuts the power: that a commit waits for the disk would only cost time."""

from collections.abc import Iterator
from sqlite3 import Connection

import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool


def _no_waiting(connection: object, *_: object) -> None:
    driver = getattr(connection, "driver_connection", connection)
    if isinstance(driver, Connection):
        driver.execute("PRAGMA synchronous = OFF")


@pytest.fixture(autouse=True)
def nothing_waits_for_the_disk() -> Iterator[None]:
    """While a test runs; the store itself asks for FULL when it connects."""
    event.listen(Pool, "checkout", _no_waiting)
    yield
    event.remove(Pool, "checkout", _no_waiting)
