import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoscaler.errors import StoreError
from tests.support.stored import SERVICE, a_change, a_pass, a_reading, a_verdict, an_event


@pytest.fixture
def writers_are_held(migrated_url, request):
    """A context in which every transaction that writes waits, as behind another process."""

    @contextlib.contextmanager
    def _held() -> Iterator[None]:
        if migrated_url.startswith("sqlite"):
            with contextlib.closing(sqlite3.connect(Path(migrated_url.removeprefix("sqlite:///")))) as connection:
                connection.execute("BEGIN IMMEDIATE")
                yield
            return
        server = request.getfixturevalue("postgres")
        with server.admin(migrated_url.rpartition("/")[2]) as connection, connection.transaction():
            connection.execute("LOCK TABLE autoscaler.changes, autoscaler.observations IN EXCLUSIVE MODE")
            yield

    return _held


def _full_pass(service):
    return a_pass(
        a_reading(),
        service_id=service,
        verdict=a_verdict(service_id=service),
        change=a_change(f"chg-{service}", service_id=service),
        events=(an_event(f"evt-{service}", thread=None),),
    )


async def test_what_was_asked_for_is_written_whole_and_close_waits_for_it(store, reopen, writers_are_held):
    services = [f"srv-{number}" for number in range(5)]  # more than there are threads: some have not begun
    with writers_are_held():
        tasks = [asyncio.create_task(store.record(_full_pass(service))) for service in services]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
    await store.close()
    again = reopen()
    for service in services:
        assert await again.observations(service, 0) == [a_reading()]
        assert len(await again.verdicts(service)) == len(await again.changes(service)) == 1
    assert len(await again.undelivered(5_000)) == len(services)


async def test_a_cancelled_pass_can_be_repeated_with_its_events_told_once(store, writers_are_held):
    again = a_pass(a_reading(), events=(an_event(),))
    with writers_are_held():
        task = asyncio.create_task(store.record(again))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await store.record(again)
    assert len(await store.undelivered(5_000)) == 1


async def test_a_failure_that_nobody_waits_for_any_more_is_logged(store, writers_are_held, caplog):
    await store.record(a_pass(change=a_change("chg-1")))
    with writers_are_held():
        task = asyncio.create_task(store.record(a_pass(change=a_change("chg-2"))))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await store.close()
    (record,) = caplog.records
    assert "cancelled task" in record.message
    assert "chg-2 was not kept" in record.message


async def test_a_closed_store_says_so(store):
    await store.close()
    await store.close()
    with pytest.raises(StoreError, match="was closed"):
        await store.observations(SERVICE, 0)
