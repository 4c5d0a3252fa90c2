"""How large the database is after a year of one service, polled every 30 seconds: retention keeps 30 days, and of the rest an hour a row.

    .venv/bin/python benchmarks/year.py [--days 365] [--postgres]

A year is written in the order of time, a day a transaction, and pruned day by day as the worker does hour by hour. The readings
are like those of an app with `app_core`: busy days and calm nights, memory, percentiles, a pool, a dependency, twelve settings.
Each day also brings a change with its steps and messages, and four verdicts. Beside the size: what an hour's prune
takes, and what a restart takes to build its windows anew under policies/holisticos.yaml.
"""

import argparse
import asyncio
import contextlib
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests' Postgres and values

from support.tables import print_machine, print_table

from autoscaler.adapters.store import SqlStore, open_store
from autoscaler.adapters.store.bodies import dump
from autoscaler.adapters.store.packing import pack
from autoscaler.adapters.store.tables import metadata
from autoscaler.core.change import JournalEntry, State
from autoscaler.core.durations import DAY, HOUR, SECOND
from autoscaler.core.observations import Reading, TierChanged
from autoscaler.core.why import Why
from autoscaler.engine.managed import load
from autoscaler.engine.worker import KEEP_READINGS
from autoscaler.policyfile import load_file
from autoscaler.ports import ServiceSeen
from tests.support.postgres import postgres_server
from tests.support.stored import SERVICE, a_change, a_pass, a_verdict, an_event

EVERY = 30 * SECOND
BEGIN = 1_767_225_600_000
"""1 January 2026."""
MB = 1024**2
POLICY = Path(__file__).parents[1] / "policies" / "holisticos.yaml"
SETTINGS = {
    "REQUEST_CACHE_TTL": "600",
    "BEHAVIOR_ANALYSIS_CACHE_TTL": "900",
    "MAX_CONCURRENT": "12",
    "DB_POOL_SIZE": "4",
    "DB_POOL_OVERFLOW": "2",
    "MAX_CACHE_ENTRIES": "250",
    "RESULT_COMPRESSION": "false",
    "CLEANUP_INTERVAL": "450",
    "ASYNC_WORKER_THREADS": "2",
    "REQUEST_TIMEOUT": "30",
    "RESPONSE_TIME_WARNING": "5",
    "MEMORY_WARNING_MB": "420",
}


def readings() -> Iterator[Reading]:
    """Of one day, from its first millisecond on."""
    drawn, totals = random.Random(7), dict.fromkeys(("requests", "errors", "response_seconds", "cpu_seconds"), 0.0)
    for at in range(0, DAY, EVERY):
        requests = drawn.choice((0, 0, 1, 3, 9)) if 7 <= at // HOUR <= 21 else drawn.choice((0, 0, 0, 0, 1))
        used = drawn.uniform(180, 380) * MB
        gauges = {
            "memory_percent": used / (512 * MB) * 100,
            "db_pool_usage": drawn.choice((0.0, 25.0, 100 / 3)),
            "dependency:openai": drawn.uniform(40, 90),
            "p50_response_time": drawn.uniform(0.4, 2),
            "p95_response_time": drawn.uniform(2, 9),
            "concurrent_requests": float(drawn.randrange(6)),
            "memory_usage": float(round(used)),
            "loop_lag": drawn.uniform(0.001, 0.02),
            "stalled": 0.0,
            "unreachable": 0.0,
            "cpu_percent": drawn.uniform(2, 60),
        }
        risen = {
            "requests": float(requests),
            "errors": 0.0,
            "response_seconds": requests * drawn.uniform(0.4, 2),
            "cpu_seconds": drawn.uniform(0.1, 9),
        }
        totals = {name: value + risen[name] for name, value in totals.items()}
        yield Reading(
            at=at,
            gauges=gauges if requests else {name: value for name, value in gauges.items() if "_response_" not in name},
            increases={"seconds": 30.0, **risen, "cache_hits": 0.0, "cache_lookups": float(requests)},
            timestamp=BEGIN + at,
            counters={**totals, "cache_hits": 12.0, "cache_lookups": totals["requests"]},
            instance="srv-cukr0123456789abcdef-6c8f9d5b7-x2x9q",
            started_at=BEGIN - HOUR,
            idle=not requests,
            plan="starter",
            settings=SETTINGS,
        )


class Year:
    """Writes days into a store, one after the other."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        # Each but for its time, which comes first: to make a million of them anew would be most of the work.
        self._bodies = [
            (one.at, json.dumps(json.loads(dump(one)) | {"at": "AT"}, separators=(",", ":"))) for one in readings()
        ]
        self.plain = sum(len(body) for _, body in self._bodies) / len(self._bodies)
        """Bytes of a reading as JSON."""

    async def day(self, begin: int) -> None:
        """All that a day leaves behind."""
        rows = [(SERVICE, begin + at, pack(body.replace('"AT"', str(begin + at), 1))) for at, body in self._bodies]
        places = "?, ?, 'reading', ?" if self._store.address.file else "%s, %s, 'reading', %s"

        def work(connection: Connection) -> None:
            connection.exec_driver_sql(f"INSERT INTO observations (service_id, at, kind, body) VALUES ({places})", rows)  # noqa: S608 - two of our own

        await self._store.database.write(work)
        await self._change(begin, f"chg-{begin}")
        for number in range(4):
            blockers = (Why.COOLDOWN, Why.BUDGET, Why.STEADY)
            verdict = a_verdict(begin + number, why=blockers[number % 3])
            await self._store.record(a_pass(verdict=replace(verdict, progress=verdict.progress * 12)))

    async def _change(self, at: int, name: str) -> None:
        change = a_change(name, created_at=at, state=State.DONE)
        steps = [JournalEntry(name, number, at, "set plan standard", "done", at + 1) for number in range(8)]
        told = [an_event(f"{name}:{number}", thread=name, at=at) for number in range(4)]
        moved = TierChanged(at, "scaled", "standard", 1, by=name)
        await self._store.save_change(change, journal=steps, events=told, observations=[moved])
        for event in told:
            await self._store.delivered(event.id, at, "C024BE91L:1767225600.000100")


class Took:
    """How long what it is used for takes in all: by the clock, and by this process' processor, which a busy machine does not change."""

    def __init__(self) -> None:
        self.clock = self.processor = 0.0

    def __enter__(self) -> None:
        self.clock -= time.perf_counter()
        self.processor -= time.process_time()

    def __exit__(self, *_: object) -> None:
        self.clock += time.perf_counter()
        self.processor += time.process_time()

    def __str__(self) -> str:
        return f"{self.clock:.3g} s ({self.processor:.3g} s of the processor)"


async def main(days: int, *, postgres: bool) -> None:
    """Write a year, and look at it."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(dir="."))  # /tmp may be memory, where a sync is free
        url = stack.enter_context(postgres_server()).new_database() if postgres else f"sqlite:///{folder}/year.db"
        store = open_store(url)
        await store.migrate()
        year, whole, pruning = Year(store), Took(), Took()
        for day in range(days):
            with whole:
                with pruning:  # before, else there would be 31 days at a time
                    await store.prune(BEGIN + (day + 1) * DAY - KEEP_READINGS)
                await year.day(BEGIN + day * DAY)
                if postgres:
                    _vacuum(store)
        await _report(store, year, BEGIN + days * DAY)
        print(f"{days} days were written in {whole}; of that pruning took {pruning}.")
        await store.close()


def _vacuum(store: SqlStore) -> None:
    """What autovacuum does, which the tests' server does without."""
    with store.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM")


async def _report(store: SqlStore, year: Year, now: int) -> None:
    size, sizes = _sizes(store)
    hour, replay, looking = Took(), Took(), Took()
    with hour:
        gone = await store.prune(now + HOUR - KEEP_READINGS)
    seen = ServiceSeen(
        SERVICE, "holisticos-api", "starter", 1, suspended=False, has_disk=False, render_autoscaling=False
    )
    file = load_file(POLICY)
    with replay:
        await load(file, seen, store, now)
    with looking:
        hours = await store.hours(SERVICE, BEGIN)
    print_machine("one service, a sample every 30 s")
    rows = [(name, f"{count:,}", f"{each:,.0f}", f"{total / MB:,.1f}") for name, count, each, total in sizes]
    print_table(
        "What is kept", ("table", "rows", "bytes a row", "MB"), [*rows, ("all of it", "", "", f"{size / MB:,.1f}")]
    )
    print(f"\nA reading is {year.plain:,.0f} bytes as JSON; bytes a row are with indexes and free space.")
    print(
        f"An hour's prune ({gone} rows) took {hour}, a restart's replay {replay}, a look at all {len(hours):,} hours {looking}."
    )


def _sizes(store: SqlStore) -> tuple[int, list[tuple[str, int, float, int]]]:
    """Of all, and of each table with its indexes; SQLite's log is written back first."""
    found = []
    with store.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if store.address.file is not None:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        for table in metadata.sorted_tables:
            count = connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            total = _size(connection, table.name)
            if count > 1:
                found.append((table.name, count, total / count, total))
        if store.address.file is not None:
            return store.address.file.stat().st_size, found
        return sum(total for *_, total in found), found


def _size(connection: Connection, table: str) -> int:
    if connection.dialect.name == "postgresql":
        query = "SELECT pg_total_relation_size(CAST(:name AS regclass))"
    else:
        query = "SELECT sum(pgsize) FROM dbstat JOIN sqlite_master USING (name) WHERE tbl_name = :name"
    return int(connection.execute(sa.text(query), {"name": table}).scalar_one())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--postgres", action="store_true", help="the tests' Postgres instead of SQLite")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.days, postgres=arguments.postgres))
