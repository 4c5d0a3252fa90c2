"""A worker that still runs when a newer release has brought the database up to date: no write of it comes through."""

import asyncio

import pytest
from psycopg.errors import LockNotAvailable

from autoscaler.adapters.store.tables import HEAD
from autoscaler.core.change import JournalEntry, State
from autoscaler.core.facts import Pause
from autoscaler.errors import StoreError
from autoscaler.ports import Heartbeat
from tests.store.first_release import ROWS, left_by_the_first_release
from tests.support.rig import BUSY, running_rig
from tests.support.stored import SERVICE, a_change, a_pass, a_reading, a_verdict, an_event

LATER = "9999"
NEWER = rf"written by a newer release .*{LATER}.*Run the newer release"


def set_revision(store, revision):
    with store.database.engine.connect().execution_options(writes=True) as connection, connection.begin():
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")  # noqa: S608 - a test's own words


async def kept(store):
    """All that the writes below could have changed."""
    return (
        await store.observations(SERVICE, 0),
        await store.verdicts(),
        await store.changes(),
        await store.journal("chg-1"),
        [(one.event.id, one.attempts) for one in await store.undelivered(10**15)],
        await store.leases(),
        await store.paused(SERVICE),
        await store.heartbeats(),
        await store.hours(SERVICE, 0),
    )


async def test_no_write_of_any_kind_comes_through_and_all_is_as_before_once_it_may_again(store, reopen):
    await store.record(a_pass(a_reading(), change=a_change(), events=(an_event(),)))
    await store.claim("first", [SERVICE], 3_600.0)
    before = await kept(store)
    set_revision(reopen(), LATER)
    done = a_change(state=State.DONE)
    for write in (
        store.record(a_pass(a_reading(2), verdict=a_verdict(), events=(an_event("evt-2"),))),
        store.save_change(done, journal=[JournalEntry("chg-1", 1, 1, "set plan standard")]),
        store.delivered("evt-1", 2_000, "C1:1.0"),
        store.not_delivered("evt-1", None, "refused"),
        store.tell([an_event("evt-3")]),
        store.claim("first", [SERVICE], 7_200.0),
        store.release("first", [SERVICE]),
        store.pause(Pause(SERVICE, 1, 2, "anna", "a launch"), an_event()),
        store.resume(SERVICE, an_event()),
        store.beat(Heartbeat("first", 1, 2, 1, dry_run=False)),
        store.prune(10**15),
    ):
        with pytest.raises(StoreError, match=NEWER):
            await write
    assert await kept(store) == before
    set_revision(reopen(), HEAD)
    await store.save_change(done)
    assert await store.changes() == [done]


async def test_a_worker_in_the_middle_of_a_change_does_nothing_more_to_render(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.load = BUSY
        for _ in range(60):
            await rig.run(seconds=10)
            if await rig.changes():
                break
        set_revision(rig.store, LATER)
        begun, told = list(rig.writes), len(rig.told.deliveries)
        for _ in range(30):
            rig.sim.clock.advance(10)
            for change in await rig.store.due_changes(rig.clock.now()):
                with pytest.raises(StoreError, match=NEWER):
                    await rig.reconciler.advance(change)
            with pytest.raises(StoreError, match=NEWER):
                await rig.ticker.tick(rig.managed)
        assert rig.writes == begun
        set_revision(rig.store, HEAD)
        await rig.run(minutes=5)
        assert (await rig.changes())[0].state is State.WATCHING
        assert len(rig.told.deliveries) > told


async def _waiting(connection):
    """Until somebody waits for a lock on the table that holds the revision."""
    query = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'autoscaler.alembic_version'::regclass"
    for _ in range(200):
        if connection.execute(query).fetchone() != (0,):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("nobody waits")


async def test_a_migration_waits_for_what_an_older_worker_is_writing(postgres, open_another):
    url = postgres.new_database()
    await left_by_the_first_release(url)
    newer = open_another(url)
    with postgres.admin(url.rpartition("/")[2]) as older:
        with older.transaction():
            assert older.execute("SELECT version_num FROM autoscaler.alembic_version").fetchone() == ("0001",)
            migrating = asyncio.create_task(newer.migrate())
            with postgres.admin(url.rpartition("/")[2]) as other:
                await _waiting(other)
            older.execute("INSERT INTO autoscaler.heartbeats VALUES ('older', 7, '{}')")
        await migrating
        assert older.execute("SELECT at, seen_at FROM autoscaler.heartbeats WHERE worker = 'older'").fetchone() == (
            7,
            0,
        )
    assert len(await newer.observations(SERVICE, 0)) == ROWS.count("INTO observations")


async def test_what_an_older_worker_begins_to_write_meanwhile_finds_the_newer_schema(postgres, open_another):
    url = postgres.new_database()
    older = open_another(url)
    await older.migrate()
    await older.record(a_pass(a_reading()))
    with postgres.admin(url.rpartition("/")[2]) as other, postgres.admin(url.rpartition("/")[2]) as newer:
        with newer.transaction():
            newer.execute("LOCK TABLE autoscaler.alembic_version IN ACCESS EXCLUSIVE MODE")
            writing = asyncio.create_task(older.record(a_pass(a_reading(2))))
            await _waiting(other)
            newer.execute("UPDATE autoscaler.alembic_version SET version_num = '9999'")
        with pytest.raises(StoreError, match=NEWER):
            await writing
    assert await older.observations(SERVICE, 0) == [a_reading()]


async def test_a_write_keeps_the_schema_as_it_is_until_it_has_committed(postgres, open_another):
    url = postgres.new_database()
    store = open_another(url)
    await store.migrate()

    def work(_):
        with postgres.admin(url.rpartition("/")[2]) as newer, newer.transaction():
            newer.execute("LOCK TABLE autoscaler.alembic_version IN ACCESS EXCLUSIVE MODE NOWAIT")

    await store.database.read(work)  # who only reads stands in nobody's way
    with pytest.raises(LockNotAvailable):
        await store.database.write(work)
