"""Passes recorded per second (a reading and the verdict's update, one transaction), beside a floor that can't be beaten.

The floor is a bare `sqlite3` INSERT and COMMIT of the same bytes into the same kind of file. Rounds are interleaved, so that
a machine that gets slower gets slower for all; a ratio is taken within its round.

    python benchmarks/store.py [--rounds 15] [--passes 100]
"""

import argparse
import asyncio
import contextlib
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # the tests' Postgres and values

from autoscaler.adapters.store import SqlStore, open_store
from autoscaler.adapters.store.bodies import dump, dump_row
from tests.support.postgres import NoPostgresError, postgres_server
from tests.support.stored import a_pass, a_reading, a_verdict

Round = Callable[[int], Awaitable[float]]


def floor(folder: Path, synchronous: str) -> Round:
    """Rounds of bare INSERT and COMMIT."""
    connection = sqlite3.connect(folder / f"floor-{synchronous}.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("CREATE TABLE bytes (number INTEGER PRIMARY KEY, body TEXT)")
    body = dump_row(a_reading()) + dump(a_verdict())

    async def run(passes: int) -> float:
        began = time.perf_counter()
        for _ in range(passes):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO bytes (body) VALUES (?)", [body])
            connection.execute("COMMIT")
        return passes / (time.perf_counter() - began)

    return run


def recorder(store: SqlStore) -> Round:
    """Rounds of `record`, one after the other, as one service has them."""

    async def run(passes: int) -> float:
        began = time.perf_counter()
        for number in range(passes):
            await store.record(a_pass(a_reading(number), verdict=a_verdict(number)))
        return passes / (time.perf_counter() - began)

    return run


async def measure(contenders: dict[str, Round], rounds: int, passes: int) -> None:
    """Print one line each: the median of its rounds, their spread, and its ratio to the floor."""
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, run in contenders.items():
            rate = await run(passes)
            if number:  # the first round warms up
                rates[name].append(rate)
    first = next(iter(rates.values()))
    print(f"{'':34} {'passes/s':>9} {'quartiles':>15} {'of the floor':>13}")
    for name, found in rates.items():
        low, median, high = statistics.quantiles(found, n=4)
        ratio = statistics.median(rate / base for rate, base in zip(found, first, strict=True))
        print(f"{name:34} {median:9.0f} {low:7.0f}-{high:<7.0f} {ratio:13.2f}")


async def main(rounds: int, passes: int) -> None:
    """Open everything, measure, close everything."""
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(dir="."))
        )  # /tmp may be memory, where a sync is free
        urls = {"SQLite": f"sqlite:///{folder}/store.db"}
        try:
            urls["Postgres (loopback, fsync off)"] = stack.enter_context(postgres_server()).new_database()
        except NoPostgresError as error:
            print(f"no Postgres: {error}")
        contenders = {"floor: sqlite3, synchronous=FULL": floor(folder, "FULL")}
        contenders["floor: sqlite3, synchronous=NORMAL"] = floor(folder, "NORMAL")
        for name, url in urls.items():
            store = open_store(url)
            stack.push_async_callback(store.close)
            await store.migrate()
            contenders[name] = recorder(store)
        await measure(contenders, rounds, passes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--passes", type=int, default=100)
    asyncio.run(main(**vars(parser.parse_args())))
