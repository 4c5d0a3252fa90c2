import asyncio
import sqlite3
from contextlib import closing

from autoscaler.core.change import State
from tests.support.stored import a_change, a_pass, a_reading


async def test_another_process_reads_while_the_worker_writes(store, reopen):
    status = reopen(read_only=True)

    async def look() -> list[int]:
        return [len(await status.changes()) for _ in range(20)]

    async def work() -> None:
        for number in range(20):
            await store.save_change(a_change(f"chg-{number}", state=State.DONE))

    seen, _ = await asyncio.gather(look(), work())
    assert seen == sorted(seen)
    assert len(await status.changes()) == 20


async def test_a_reader_that_takes_long_does_not_hold_up_a_write(tmp_path, open_another):
    store = open_another(f"sqlite:///{tmp_path}/autoscaler.db")
    await store.migrate()
    with closing(sqlite3.connect(tmp_path / "autoscaler.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM observations").fetchone() == (0,)
        await store.record(a_pass(a_reading()))
        assert reader.execute("SELECT count(*) FROM observations").fetchone() == (0,)


async def test_a_sqlite_commit_is_on_the_disk_before_it_is_acknowledged(tmp_path, open_another):
    store = open_another(f"sqlite:///{tmp_path}/autoscaler.db")
    await store.migrate()
    with store.database.engine.connect() as connection:
        found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("synchronous", "foreign_keys")]
    assert found == [2, 1]  # 2 is FULL
