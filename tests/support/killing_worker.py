"""The worker that is killed: `autoscaler run` itself in a forked process, hurried, and watched at each of its commits.

Hurried: its clock and the intervals of its jobs run PACE times as fast as outside, and so do Render's clock and the app's; and
when the change is put off until later, it is later at once. Monotonic time does not leap. Leases, which run out by the database's
own clock, and the timeouts of HTTP are as always.
"""

import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from mmap import PAGESIZE, mmap
from pathlib import Path
from sqlite3 import Connection, OperationalError
from typing import Any
from zlib import crc32

import sqlalchemy as sa
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from sqlalchemy import event

from autoscaler import bootstrap
from autoscaler.adapters.clock import SystemClock
from autoscaler.cli import run
from autoscaler.core.change import State
from autoscaler.engine import worker
from autoscaler.engine.leases import Leases
from render_client.sim.clock import MANUAL_START

PACE = 8
ENOUGH = 1
"""Polls that a worker makes at least, also when it finds everything done: it must leave that alone."""

_WRITES = re.compile(r"(INSERT INTO|UPDATE|DELETE FROM|CREATE|ALTER)\s+(\w+)")
_OF_ITS_TIME = re.compile(r"\d{13}|(?<=dep-)[0-9a-z]{20}|(?<=chg-)[0-9a-f]+")
_NUMBER = re.compile(r"\d+(\.\d+)?")


class QuickClock:
    """ports.Clock and the simulator's, shared by the processes of one run."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._leapt = memoryview(mmap(-1, PAGESIZE)).cast("q")

    def now(self) -> int:
        return MANUAL_START + self._leapt[0] + round(self.monotonic() * 1000)

    def monotonic(self) -> float:
        return (time.monotonic() - self._began) * PACE

    def leap(self, until: int) -> None:
        self._leapt[0] += max(0, until - self.now())


class QuickScheduler(AsyncIOScheduler):
    """The worker's own, by that clock."""

    def add_job(self, *args: Any, seconds: float, **named: Any) -> Any:
        return super().add_job(*args, seconds=seconds / PACE, **named)


class Running:
    """Which worker runs, shared by the processes of one run."""

    def __init__(self) -> None:
        self._shared = memoryview(mmap(-1, PAGESIZE)).cast("q")

    @property
    def number(self) -> int:
        """From 0 on."""
        return self._shared[0]

    @property
    def process(self) -> int:
        return self._shared[1]

    def is_me(self, number: int) -> None:
        """Said by each worker before anything else."""
        self._shared[0], self._shared[1] = number, os.getpid()


@dataclass(frozen=True, slots=True)
class Point:
    """Where a worker is killed."""

    kind: str
    """`write`: of a value to Render, where the simulator kills it. `commit`, `record`: see Commits, where it kills itself."""
    what: str
    when: str = ""
    """`before` or `after`."""

    def __str__(self) -> str:
        return f"{self.when} the {self.kind} of {self.what}"


class Commits:
    """Every commit of this process, and the one at which it is killed. Ends the worker when all is over.

    A `commit` is known by the rows that it adds or alters of changes, journal, events and tier changes, but for the times and
    numbers in their texts: each of them is another one, but for waits, which only alter the time to look again. These, polls,
    masks, leases and signs of life are `records`, known by the tables that they write and the state of the change.
    """

    def __init__(self, tell: Callable[[Point], None], kill: Point | None, clock: QuickClock) -> None:
        self._tell, self._kill, self._clock = tell, kill, clock
        self._tables: set[str] = set()
        """Which the transaction under way writes."""
        self._rows: frozenset[str] | None = None
        """What matters, as last committed."""
        self._put_off_until = 0
        self._is_doomed = False
        self._polls = 0

    def listen(self) -> None:
        """To any engine from now on."""
        event.listen(sa.Engine, "begin", self._begun)
        event.listen(sa.Engine, "before_cursor_execute", self._executed)
        event.listen(sa.Engine, "commit", self._committing)
        event.listen(sa.Pool, "checkin", self._committed)

    def _begun(self, connection: sa.Connection) -> None:
        self._tables.clear()
        if self._rows is None:
            self._rows = frozenset(_rows(connection))

    def _executed(self, connection: sa.Connection, cursor: object, statement: str, *_: object) -> None:
        if found := _WRITES.match(statement):
            self._tables.add("the schema" if found[1] in {"CREATE", "ALTER"} else found[2])

    def _committing(self, connection: sa.Connection) -> None:
        """COMMIT is about to be sent."""
        if not self._tables:
            return
        rows = frozenset(_rows(connection))
        point = self._point(rows)
        self._rows = rows
        self._polls += {"observations", "verdicts"} <= self._tables
        if self._tables == {"changes"}:
            (self._put_off_until,) = _raw(connection).execute("SELECT max(due_at) FROM changes").fetchone()
        self._tell(point)
        if self._kill is not None and (point.kind, point.what) == (self._kill.kind, self._kill.what):
            if self._kill.when == "before":
                _die()
            self._is_doomed = True

    def _point(self, rows: frozenset[str]) -> Point:
        if "the schema" in self._tables:
            return Point("commit", "the schema")
        if new := rows - (self._rows or frozenset()):
            return Point("commit", "; ".join(sorted(new)))
        states = ", ".join(sorted(row.split()[1] for row in rows if row.startswith("change "))) or "there is no change"
        return Point("record", f"{', '.join(sorted(self._tables))} while {states}")

    def _committed(self, *_: object) -> None:
        """COMMIT has returned: the connection goes back into the pool, and the caller does not know yet."""
        if self._is_doomed:
            _die()
        self._clock.leap(self._put_off_until)
        if self._polls >= ENOUGH and _is_over(self._rows or frozenset()):
            self._polls = -sys.maxsize
            os.kill(os.getpid(), signal.SIGTERM)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _raw(connection: sa.Connection) -> Connection:
    raw = connection.connection.dbapi_connection
    assert isinstance(raw, Connection)
    return raw


def _rows(connection: sa.Connection) -> Iterator[str]:
    """What matters of the database as this transaction sees it."""
    raw = _raw(connection)
    try:
        for state, body in raw.execute("SELECT state, body FROM changes"):
            yield f"change {state} {_digest(json.loads(body) | {'due_at': 0, 'policy_digest': ''})}"
    except OperationalError:
        return  # no such table: the schema is still to be made
    for number, body in raw.execute("SELECT number, body FROM journal"):
        entry = json.loads(body)
        yield f"journal {number}: {entry['step']}: {_plain(entry['outcome'] or 'begun')}"
    for name, at in raw.execute("SELECT id, delivered_at FROM events"):
        yield f"event {_OF_ITS_TIME.sub('#', name)} {'to be told' if at is None else 'told'}"
    tiers = raw.execute("SELECT body FROM observations WHERE kind = 'tier_changed' ORDER BY number")
    for number, (body,) in enumerate(tiers):
        yield f"tier change {number}: {json.loads(body)['tier']}"


def _digest(change: Mapping[str, object]) -> str:
    return f"{crc32(_plain(json.dumps(change)).encode()):08x}"


def _plain(text: str) -> str:
    """Without what is another one in every run."""
    return _NUMBER.sub("#", _OF_ITS_TIME.sub("#", text))


def _is_over(rows: frozenset[str]) -> bool:
    """Every change has ended, and everything is told."""
    states = [State(row.split()[1]) for row in rows if row.startswith("change ")]
    return bool(states) and all(one.is_final for one in states) and not any(row.endswith("to be told") for row in rows)


def work(policy: Path, environment: Mapping[str, str], log: Path, commits: Commits, clock: QuickClock) -> None:
    """Be the worker, in a process of its own, to its end."""
    with log.open("ab") as written:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(written.fileno(), stream.fileno())
    commits.listen()
    bootstrap.SystemClock = lambda: clock
    bootstrap.Leases = lambda store, _: Leases(store, SystemClock())
    worker.AsyncIOScheduler = QuickScheduler
    os.environ.clear()
    os.environ.update(environment)
    run.run(policy)
