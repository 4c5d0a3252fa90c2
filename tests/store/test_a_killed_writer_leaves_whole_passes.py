import signal
import sqlite3
import subprocess
import sys
import textwrap

import pytest

from autoscaler.adapters.store import open_store
from autoscaler.core.change import State
from tests.support.stored import SERVICE

WRITER = textwrap.dedent(
    """
    import asyncio, itertools, sys
    from autoscaler.adapters.store import open_store
    from autoscaler.core.change import JournalEntry, State
    from autoscaler.core.guards import Why
    from tests.support.stored import a_change, a_pass, a_reading, a_verdict, an_event

    async def write():
        store = open_store(sys.argv[1])
        await store.migrate()
        for number in itertools.count():
            name = f"chg-{number:06}"
            change = a_change(name, created_at=number)
            verdict = a_verdict(number, why=(Why.STEADY, Why.COOLDOWN)[number % 2])
            await store.record(a_pass(a_reading(number), verdict=verdict, change=change, events=(an_event(f"{name}-a"),)))
            done = a_change(name, created_at=number, state=State.DONE)
            step = JournalEntry(name, 1, number, "set plan standard")
            await store.save_change(done, journal=[step], events=[an_event(f"{name}-b")])
            print(number, flush=True)

    asyncio.run(write())
    """
)


def _write_and_be_killed(url: str, acknowledged: int) -> int:
    """The number of the last pass that the writer said was kept."""
    command = [sys.executable, "-c", WRITER, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:  # noqa: S603 - our own interpreter
        lines = [writer.stdout.readline() for _ in range(acknowledged)]
        writer.send_signal(signal.SIGKILL)
        lines += writer.stdout.readlines()  # what it said between the last line that we read and its end
    assert writer.returncode == -signal.SIGKILL
    return int([line for line in lines if line.endswith("\n")][-1])


@pytest.mark.parametrize("acknowledged", (1, 20))
async def test_after_kill_9_every_acknowledged_pass_is_there_and_none_is_half_written(tmp_path, acknowledged):
    file = tmp_path / "autoscaler.db"
    url = f"sqlite:///{file}"
    last = _write_and_be_killed(url, acknowledged)

    store = open_store(url)
    changes = await store.changes(limit=100_000)
    done = [one for one in changes if one.state is State.DONE]
    assert len(done) > last
    assert len(changes) - len(done) in {0, 1}
    assert len(await store.observations(SERVICE, 0)) == len(await store.verdicts(limit=100_000)) == len(changes)
    assert [len(await store.journal(one.id)) for one in changes] == [one.state is State.DONE for one in changes]
    await store.close()
    connection = sqlite3.connect(file)
    assert connection.execute("SELECT count(*) FROM events").fetchone() == (len(changes) + len(done),)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
