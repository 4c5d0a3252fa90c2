"""Killed at any moment of a commit, a process leaves all of its transaction or nothing, and all that it had acknowledged."""

import random
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from autoscaler.adapters.store import open_store
from autoscaler.adapters.store.tables import HEAD
from autoscaler.core.change import State
from autoscaler.core.durations import MINUTE
from tests.store.dying import PRUNED_BEFORE
from tests.store.first_release import ROWS, left_by_the_first_release
from tests.support.checkout import ROOT
from tests.support.stored import SERVICE, a_pass, a_reading

ENDED = {"before": "SIGKILL", "after": "SIGKILL", "within": "SIGALRM", "writing": "SIGXFSZ", "never": "0"}
MOST = 100_000


@pytest.fixture
def die(tmp_path):
    """Let processes do `work` on the database and die, one after the other; what they had acknowledged."""

    def _die(url, work, deaths):
        acknowledged = tmp_path / "acknowledged"
        acknowledged.touch()
        command = [sys.executable, "-m", "tests.store.dying", url, work, str(acknowledged), *deaths]
        ends = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.split()  # noqa: S603 - our own interpreter
        assert ends == [ENDED[death.split()[0]] for death in deaths]
        return acknowledged.read_text().splitlines()

    return _die


def deaths(url, *, commits, times):
    """Around every commit, and within it at moments that are drawn, so many times."""
    drawn = random.Random(7)
    yield from (f"{how} {number}" for number in range(1, commits + 1) for how in ("before", "after"))
    yield from (f"within {drawn.randint(1, commits)} {drawn.randint(1, 2_000)}" for _ in range(times))
    if url.startswith("sqlite"):
        yield from (f"writing {drawn.randint(2, commits)} {drawn.randint(1, 30_000)}" for _ in range(times))


async def test_every_acknowledged_pass_is_there_and_none_is_half_written(migrated_url, reopen, die):
    heard = die(migrated_url, "passes", list(deaths(migrated_url, commits=6, times=8)))
    store = reopen()
    changes = await store.changes(limit=MOST)
    done = {one.id for one in changes if one.state is State.DONE}
    assert {f"chg-{int(line.split()[1]):06}" for line in heard} <= {one.id for one in changes}
    assert {f"chg-{int(line.split()[1]):06}" for line in heard if line.startswith("done")} <= done
    assert len(changes) - len(done) in {0, 1}
    assert len(await store.observations(SERVICE, 0)) == len(await store.verdicts(limit=MOST)) == len(changes) > 20
    assert [len(await store.journal(one.id)) for one in changes] == [one.id in done for one in changes]
    told = [one.event.id for one in await store.undelivered(MOST, MOST)]
    assert sorted(told) == sorted([*(f"{one.id}-a" for one in changes), *(f"{name}-b" for name in done)])
    if store.address.file is not None:
        with closing(sqlite3.connect(store.address.file)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_a_log_that_breaks_off_anywhere_holds_the_passes_before_it(tmp_path, migrated_file):
    """What a machine without power leaves of SQLite's log: a part, and after that nothing, zeros or noise."""
    file, log = tmp_path / "autoscaler.db", tmp_path / "autoscaler.db-wal"
    file.write_bytes(migrated_file.read_bytes())
    store, drawn = open_store(f"sqlite:///{file}"), random.Random(7)
    kept = [0]
    for number in range(6):
        await store.record(
            a_pass(a_reading(number), a_reading(number, settings={"NOISE": drawn.randbytes(4_000).hex()}))
        )
        kept.append(log.stat().st_size)
    database, whole = file.read_bytes(), log.read_bytes()
    await store.close()
    for cut in (*kept, *(drawn.randrange(len(whole)) for _ in range(60))):
        for tail in (b"", bytes(5_000), drawn.randbytes(5_000)):
            file.write_bytes(database)
            log.write_bytes(whole[:cut] + tail)
            with closing(sqlite3.connect(file)) as connection:
                count = connection.execute("SELECT count(*) FROM observations").fetchone()
                assert count == (2 * (sum(size <= cut for size in kept) - 1),)
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_a_migration_that_is_killed_has_not_begun(url, open_another, die):
    await left_by_the_first_release(url)
    drawn, store = random.Random(7), open_another(url)
    is_file = store.address.file is not None
    die(url, "migrate", ["before 1", *(f"writing 1 {drawn.randint(1, 8_000)}" for _ in range(5) if is_file)])
    assert _revision(store) == "0001"
    die(url, "migrate", ["within 1 200"])
    assert _revision(store) in {"0001", HEAD}
    die(url, "migrate", ["never"])
    assert len(await store.observations(SERVICE, 0)) == ROWS.count("INTO observations")


def _revision(store):
    with store.database.engine.connect() as connection:
        return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()


async def test_a_prune_that_is_killed_has_summed_nothing_twice_and_nothing_is_missing(store, migrated_url, die):
    await store.record(a_pass(*(a_reading(number * MINUTE // 2) for number in range(9_600))))
    hours = await store.hours(SERVICE, 0)
    assert (len(hours), hours[0].increases["requests"]) == (80, 120 * 12.0)
    die(migrated_url, "prune", list(deaths(migrated_url, commits=3, times=4)))
    assert await store.hours(SERVICE, 0) == hours
    left = len(await store.observations(SERVICE, 0))
    assert 0 < left < 9_600
    assert await store.prune(PRUNED_BEFORE) == left
    assert await store.hours(SERVICE, 0) == hours
