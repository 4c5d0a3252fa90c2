"""Processes that die while they commit, one after the other on one database. A program of its own: it forks, and so has no threads.

python -m tests.store.dying URL WORK ACKNOWLEDGED DEATH...

WORK: `passes` (records changes for ever; each commit that returned is written into the file ACKNOWLEDGED), `prune`, `migrate`.
DEATH: `before N` (SIGKILL when the process is about to send its Nth COMMIT), `after N` (when that has returned and nobody has
heard of it yet), `within N MICROSECONDS` (so long after it was sent), `writing N BYTES` (SQLite: when the COMMIT has written so
much to its log, in the middle of the call), `never`. Writes out how each process ended.
"""

import asyncio
import itertools
import os
import resource
import signal
import sys
from pathlib import Path

from alembic import command  # noqa: F401 - imported once, for all that migrate
from sqlalchemy import event

from autoscaler.adapters.store import SqlStore, open_store
from autoscaler.core.change import JournalEntry, State
from autoscaler.core.why import Why
from tests.support.stored import a_change, a_pass, a_reading, a_verdict, an_event

LONGEST = 60
"""Seconds after which a process that does not die is ended."""
PRUNED_BEFORE = 10**15


async def passes(store: SqlStore, acknowledged: Path) -> None:
    """Go on where the last process died."""
    changes = await store.changes(limit=100_000)
    for change in changes:
        if change.state is not State.DONE:
            await _finish(store, change.id, change.created_at)
    with acknowledged.open("ab", buffering=0) as file:
        for number in itertools.count(len(changes)):
            name = f"chg-{number:06}"
            verdict = a_verdict(number, why=(Why.STEADY, Why.COOLDOWN)[number % 2])
            change = a_change(name, created_at=number)
            told = (an_event(f"{name}-a", thread=None),)
            await store.record(a_pass(a_reading(number), verdict=verdict, change=change, events=told))
            file.write(f"begun {number}\n".encode())
            await _finish(store, name, number)
            file.write(f"done {number}\n".encode())


async def _finish(store: SqlStore, name: str, number: int) -> None:
    done = a_change(name, created_at=number, state=State.DONE)
    step = JournalEntry(name, 1, number, "set plan standard")
    await store.save_change(done, journal=[step], events=[an_event(f"{name}-b", thread=None)])


async def prune(store: SqlStore, _: Path) -> None:
    """All that there is."""
    await store.prune(PRUNED_BEFORE)


async def migrate(store: SqlStore, _: Path) -> None:
    """To the newest schema."""
    await store.migrate()


def die(store: SqlStore, how: str, number: int = 0, more: int = 0) -> None:
    """Listen for the commit at which it is to happen."""
    left = itertools.count(number - 1, -1)

    def commit(*_: object) -> None:
        if next(left) == 0:
            _die_at(store, how, more)

    if how == "after":  # a connection comes back to its pool when its transaction has ended
        event.listen(store.database.engine, "checkin", commit)
    elif how != "never":
        event.listen(store.database.engine, "commit", commit)


def _die_at(store: SqlStore, how: str, more: int) -> None:
    if how == "within":
        signal.setitimer(signal.ITIMER_REAL, more / 1_000_000)
    elif how == "writing":
        file = store.address.file
        assert file is not None
        log = file.with_name(f"{file.name}-wal")
        resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size + more, resource.RLIM_INFINITY))
    else:
        os.kill(os.getpid(), signal.SIGKILL)


def _live(url: str, work: str, acknowledged: Path, death: str) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it
    signal.alarm(LONGEST)
    how, *numbers = death.split()

    async def live() -> None:
        store = open_store(url)
        die(store, how, *map(int, numbers))
        await {"passes": passes, "prune": prune, "migrate": migrate}[work](store, acknowledged)
        await store.close()

    asyncio.run(live())


def main(url: str, work: str, acknowledged: str, *deaths: str) -> None:
    """One process after the other."""
    for death in deaths:
        child = os.fork()
        if not child:
            try:
                _live(url, work, Path(acknowledged), death)
            except BaseException as error:  # noqa: BLE001 - it must not return into the code of its parent
                os.write(2, repr(error).encode())
                os._exit(1)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.write(1, f"{signal.Signals(-code).name if code < 0 else code}\n".encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
