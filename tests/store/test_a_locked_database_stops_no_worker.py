"""Another process holds the lock for longer than is waited for: that is said, nothing is half written, and afterwards all goes on."""

import asyncio
import contextlib
import subprocess
import sys

import pytest
from sqlalchemy import event

from autoscaler.core.change import State
from autoscaler.errors import StoreError
from tests.support.rig import BUSY, running_rig
from tests.support.stored import SERVICE, a_change, a_pass, a_reading, a_verdict, an_event

HOLDER = """
import sys
url = sys.argv[1]
if url.startswith("sqlite"):
    import sqlite3
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
else:
    import psycopg
    connection = psycopg.connect(url)
    connection.execute("LOCK TABLE autoscaler.observations IN EXCLUSIVE MODE")
print("held", flush=True)
sys.stdin.read()
connection.close()
"""
WORDS = {
    "sqlite": "database is locked. Another process holds its lock for long: is a second worker or a backup running?",
    "postgres": "due to lock timeout. Another session holds a lock for long: is a migration or a VACUUM FULL running?",
}


@contextlib.contextmanager
def held(url):
    """By a process of its own, until the end of the context."""
    command = [sys.executable, "-c", HOLDER, url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:  # noqa: S603 - our own interpreter
        assert holder.stdout.readline() == "held\n"
        yield
    assert holder.returncode == 0


def wait_for(store, milliseconds):
    """Have new connections of the store wait so long for a lock."""
    is_file = store.address.file is not None
    statement = f"PRAGMA busy_timeout = {milliseconds}" if is_file else f"SET lock_timeout TO {milliseconds}"

    def connect(connection, _):
        connection.execute(statement)
        connection.commit()

    event.listen(store.database.engine, "connect", connect)


async def test_the_pass_fails_by_name_and_can_be_repeated(store, migrated_url):
    wait_for(store, 50)
    record = a_pass(a_reading(), verdict=a_verdict(), change=a_change(), events=(an_event(),))
    with held(migrated_url):
        for _ in range(3):
            with pytest.raises(StoreError) as caught:
                await store.record(record)
            assert WORDS[migrated_url.split(":")[0].removesuffix("ql")] in str(caught.value)
            assert str(caught.value).endswith("A worker tries again on its next pass.")
            assert await store.observations(SERVICE, 0) == await store.changes() == []  # reading goes on
            assert await store.undelivered(10**15) == []
    await store.record(record)
    assert len(await store.observations(SERVICE, 0)) == len(await store.changes()) == len(await store.verdicts()) == 1
    assert [one.event.id for one in await store.undelivered(10**15)] == ["evt-1"]


async def test_a_lock_that_is_let_go_in_time_is_waited_for(store, migrated_url):
    with held(migrated_url):
        writing = asyncio.create_task(store.record(a_pass(a_reading())))
        await asyncio.wait([writing], timeout=0.3)
        assert not writing.done()
    await writing
    assert await store.observations(SERVICE, 0) == [a_reading()]


async def test_it_waits_for_five_seconds(store):
    await store.record(a_pass(a_reading()))
    with store.database.engine.connect() as connection:
        is_file = store.address.file is not None
        found = connection.exec_driver_sql("PRAGMA busy_timeout" if is_file else "SHOW lock_timeout").scalar_one()
    assert found == (5_000 if is_file else "5s")


async def test_a_worker_in_the_middle_of_a_change_goes_on_with_it(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.load = BUSY
        for _ in range(60):
            await rig.run(seconds=10)
            if await rig.changes():
                break
        with rig.store.database.engine.connect() as connection:  # the one that it has
            connection.exec_driver_sql("PRAGMA busy_timeout = 20")
        begun = list(rig.writes)
        with held(rig.url):
            for _ in range(6):
                rig.sim.clock.advance(10)
                with pytest.raises(StoreError, match="database is locked"):
                    await rig.ticker.tick(rig.managed)
                for change in await rig.store.due_changes(rig.clock.now()):
                    with pytest.raises(StoreError, match="database is locked"):
                        await rig.reconciler.advance(change)
        assert rig.writes == begun, "what could not be written down was not done"
        await rig.run(minutes=5)
        (change,) = await rig.changes()
        assert (change.state, rig.running[0]) == (State.WATCHING, "standard")
        assert rig.writes.count("POST deploys") == 1
