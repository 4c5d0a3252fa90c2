"""A file system without room: the write fails by name, nothing is half written, and once there is room all goes on.

Two ways to have one: a limit on the size of a process's files, which needs no rights and cuts a write off in its middle, and a
small file system of memory, which only root can mount.
"""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from psycopg.sql import SQL, Identifier, Literal

from autoscaler.adapters.store import open_store
from autoscaler.adapters.store.tables import HEAD
from autoscaler.core.change import State
from autoscaler.errors import StoreError
from tests.store.first_release import ROWS, left_by_the_first_release
from tests.support.checkout import ROOT
from tests.support.rig import BUSY, running_rig
from tests.support.stored import SERVICE, a_change, a_pass, a_reading, a_verdict, an_event

LIMITED = textwrap.dedent(
    """
    import asyncio, json, resource, sys
    from autoscaler.adapters.store import open_store
    from autoscaler.errors import StoreError
    from tests.support.stored import a_change, a_pass, a_reading, a_verdict, an_event
    from autoscaler.core.change import State

    def limit(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    async def main():
        store = open_store(sys.argv[1])
        await store.migrate()
        log = store.address.file.with_name(store.address.file.name + "-wal")
        for number, room in enumerate(map(int, sys.argv[2:])):
            record = a_pass(
                a_reading(number), change=a_change(f"chg-{number}", state=State.DONE),
                verdict=a_verdict(number, tier=str(number)), events=(an_event(f"evt-{number}", thread=None),),
            )
            limit(log.stat().st_size + room)
            words = []
            for _ in range(2):
                try:
                    await store.record(record)
                except StoreError as error:
                    words.append(str(error))
            seen = len(await store.observations(record.service_id, 0))
            limit(resource.RLIM_INFINITY)
            if words:
                await store.record(record)
            print(json.dumps([words, seen]))
        await store.close()

    asyncio.run(main())
    """
)
ROOM = (0, 1, 31, 500, 4_000, 4_096, 4_120, 9_000, 15_000, 20_000, 25_000)
"""Bytes that may still be written to SQLite's log: a pass takes about thirty thousand."""


def write_with(room, url):
    """By a process of its own: of each pass the words of its failures, and how many passes could be read then."""
    command = [sys.executable, "-c", LIMITED, url, *map(str, room)]
    return subprocess.check_output(command, cwd=ROOT, text=True).splitlines()  # noqa: S603 - our own interpreter


async def test_a_write_that_is_cut_off_leaves_nothing_and_can_be_repeated(tmp_path):
    file = tmp_path / "autoscaler.db"
    answers = write_with(ROOM, f"sqlite:///{file}")
    for number, (words, seen) in enumerate(map(json.loads, answers)):
        refused = f"SQLite file {file}: disk I/O error. The disk refused: check that it is mounted and has room."
        assert words == [refused] * 2
        assert seen == number, "the passes before it"
    store = open_store(f"sqlite:///{file}")
    assert [one.at for one in await store.observations(SERVICE, 0)] == list(range(len(ROOM)))
    assert len(await store.changes()) == len(await store.verdicts()) == len(ROOM)
    assert [one.event.id for one in await store.undelivered(10**15)] == [f"evt-{number}" for number in range(len(ROOM))]
    await store.close()
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@contextmanager
def small_disk(folder, size):
    """A file system of its own; and what can be taken away from it again to make room."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, text=True, check=False)  # fmt: skip # noqa: S603, S607
    if mounted.returncode:
        pytest.skip(f"no right to mount a small file system: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)  # noqa: S603, S607


def fill(folder):
    """To the last byte."""
    ballast = folder / "ballast"
    with ballast.open("ab", buffering=0) as file, pytest.raises(OSError, match="No space left on device"):
        _write_for_ever(file)
    return ballast


def _write_for_ever(file):
    while True:
        file.write(bytes(4_096))


FULL = "database or disk is full. The disk is full: make room, nothing of this pass was kept."


async def test_a_full_file_system_keeps_nothing_of_the_pass(tmp_path):
    with small_disk(tmp_path / "small", "1m") as folder:
        store = open_store(f"sqlite:///{folder}/autoscaler.db")
        await store.migrate()
        await store.record(a_pass(a_reading(1)))
        ballast = fill(folder)
        record = a_pass(a_reading(2), verdict=a_verdict(), change=a_change(), events=(an_event(),))
        for _ in range(3):
            with pytest.raises(StoreError) as caught:
                await store.record(record)
            assert str(caught.value) == f"{store.address.where}: {FULL}"
            assert await store.observations(SERVICE, 0) == [a_reading(1)]
            assert await store.changes() == await store.undelivered(10**15) == await store.verdicts() == []
        ballast.unlink()
        await store.record(record)
        assert await store.observations(SERVICE, 0) == [a_reading(1), a_reading(2)]
        assert len(await store.changes()) == len(await store.undelivered(10**15)) == len(await store.verdicts()) == 1
        await store.close()
        with closing(sqlite3.connect(folder / "autoscaler.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_a_worker_whose_disk_is_full_in_the_middle_of_a_change_goes_on_with_it(tmp_path):
    with small_disk(tmp_path / "small", "8m") as folder:
        async with running_rig(folder) as rig:
            rig.load = BUSY
            for _ in range(60):
                await rig.run(seconds=10)
                if await rig.changes():
                    break
            ballast, begun = fill(folder), list(rig.writes)
            for _ in range(6):
                rig.sim.clock.advance(10)
                with pytest.raises(StoreError, match="The disk is full: make room"):
                    await rig.ticker.tick(rig.managed)
                for change in await rig.store.due_changes(rig.clock.now()):
                    with pytest.raises(StoreError, match="The disk is full: make room"):
                        await rig.reconciler.advance(change)
            assert rig.writes == begun, "what could not be written down was not done"
            ballast.unlink()
            await rig.run(minutes=5)
            (change,) = await rig.changes()
            assert (change.state, rig.running[0]) == (State.WATCHING, "standard")
            assert rig.writes.count("POST deploys") == 1
            assert rig.told.titles[0] == "Scaling up holisticos-api: mvp → scaled"


async def test_a_migration_without_room_leaves_what_was_there(tmp_path):
    with small_disk(tmp_path / "small", "1m") as folder:
        url = f"sqlite:///{folder}/autoscaler.db"
        await left_by_the_first_release(url)
        store = open_store(url)
        assert _revision(store) == "0001"
        ballast = fill(folder)
        for _ in range(2):
            with pytest.raises(StoreError, match="The disk is full: make room"):
                await store.migrate()
            assert _revision(store) == "0001"
        ballast.unlink()
        await store.migrate()
        assert _revision(store) == HEAD
        assert len(await store.observations(SERVICE, 0)) == ROWS.count("INTO observations")
        await store.close()


def _revision(store):
    with store.database.engine.connect() as connection:
        return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()


async def test_a_postgres_whose_disk_is_full_keeps_nothing_of_the_pass(postgres):
    """Its tables lie on the small file system, by a tablespace; its log does not."""
    with (
        TemporaryDirectory(prefix="autoscaler-small-") as top,
        small_disk(Path(top) / "disk", "16m") as folder,
        postgres.admin() as admin,
    ):
        place, name = folder / "tables", f"full_{os.getpid()}"
        place.mkdir()
        for path in (place, folder, Path(top)):
            path.chmod(0o755)
        shutil.chown(place, 65534, 65534)  # whom the server runs as
        admin.execute(SQL("CREATE TABLESPACE {} LOCATION {}").format(Identifier(name), Literal(str(place))))
        admin.execute(SQL("CREATE DATABASE {} TABLESPACE {} STRATEGY file_copy").format(*[Identifier(name)] * 2))
        store = open_store(postgres.url(name))
        await store.migrate()
        await store.record(a_pass(a_reading(1)))
        ballast = fill(folder)
        record = a_pass(*(a_reading(number) for number in range(2, 2_000)), events=(an_event(),))
        for _ in range(2):
            with pytest.raises(StoreError, match=r"No space left on device\. The database's disk is full: make room"):
                await store.record(record)
            assert await store.observations(SERVICE, 0) == [a_reading(1)]
            assert await store.undelivered(10**15) == []
        ballast.unlink()
        await store.record(record)
        assert len(await store.observations(SERVICE, 0)) == 1_999
        assert len(await store.undelivered(10**15)) == 1
        await store.close()
        admin.execute(SQL("DROP DATABASE {}").format(Identifier(name)))
        admin.execute(SQL("DROP TABLESPACE {}").format(Identifier(name)))
