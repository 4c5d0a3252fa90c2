"""What a call of the Deduplicator costs: a hit, a miss, and 10,000 identical calls at the same moment.

    .venv/bin/python benchmarks/dedup.py [--rounds 40]

Beside it in one run: async-lru with the same time to live; a floor written by hand that keeps, expires and shares executions and
does nothing else; and the seed's own class. Rounds are interleaved, so that a busy machine slows all of them alike.
"""

import argparse
import asyncio
import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Hashable
from datetime import UTC, datetime, timedelta
from typing import Any

from async_lru import alru_cache
from support.tables import median_and_quartiles, print_machine, print_table

from app_core.deduplication import Deduplicator

Key = tuple[str, str, str]
Compute = Callable[[], Awaitable[Any]]
Run = Callable[[Key, Compute], Awaitable[Any]]

TTL = 600
CALLERS = 10_000
ANALYSIS = {
    "user": "user-1",
    "scores": [round(0.01 * number, 2) for number in range(40)],
    "steps": [{"name": f"step {number}", "minutes": number, "done": number % 2 == 0} for number in range(12)],
    "summary": "sleeps well, walks little " * 16,
}
"""About 1 KB when pickled."""


def key_of(user: int) -> Key:
    """The seed's key."""
    return (f"user-{user}", "archetype", "analysis")


async def text() -> str:
    """A result that nobody can change."""
    return "result"


async def analysis() -> dict[str, Any]:
    """A result that anybody could change."""
    return ANALYSIS


def floor() -> Run:
    """The least that keeps a result for its time and knows what is under way; no bound, no waiters, no care for errors."""
    kept: dict[Hashable, tuple[float, Any]] = {}
    under_way: dict[Hashable, list[Any]] = {}

    async def run(key: Key, compute: Compute) -> Any:
        entry = kept.get(key)
        if entry is not None and time.monotonic() < entry[0]:
            return entry[1]
        under_way[key] = []
        value = await compute()
        del under_way[key]
        kept[key] = (time.monotonic() + TTL, value)
        return value

    return run


def dict_floor() -> Run:
    """A dict in a coroutine."""
    kept: dict[Hashable, Any] = {}

    async def run(key: Key, compute: Compute) -> Any:
        if key not in kept:
            kept[key] = await compute()
        return kept[key]

    return run


def async_lru(max_entries: int) -> Run:
    """async-lru, whose key is the arguments and whose function is fixed."""
    current: list[Compute] = [text]

    @alru_cache(maxsize=max_entries, ttl=TTL)
    async def cached(_user: str, _archetype: str, _request: str) -> Any:
        return await current[0]()

    def run(key: Key, compute: Compute) -> Awaitable[Any]:
        current[0] = compute
        return cached(*key)

    return run


def ours(max_entries: int, **options: Any) -> Run:
    """The Deduplicator."""
    return Deduplicator(TTL, max_entries, **options).run


class Seed:
    """Section 1.3 of the plan that this project began with, as it is written there; what a miss runs through."""

    def __init__(self) -> None:
        self.active_requests: dict[str, datetime] = {}
        self.in_progress: dict[str, asyncio.Event] = {}
        self.results_cache: dict[str, tuple[datetime, Any]] = {}
        self.last_cleanup = datetime.now(UTC)

    async def run(self, key: Key, compute: Compute) -> Any:
        """Coordinate, compute, complete."""
        name = f"{key[0]}_{key[1]}_{key[2]}"
        await self._cleanup_if_needed()
        if name in self.results_cache:
            timestamp, result = self.results_cache[name]
            if (datetime.now(UTC) - timestamp).total_seconds() < TTL:
                return result
        self.in_progress[name] = asyncio.Event()
        self.active_requests[name] = datetime.now(UTC)
        result = await compute()
        self.results_cache[name] = (datetime.now(UTC), result)
        self.in_progress.pop(name).set()
        return result

    async def _cleanup_if_needed(self) -> None:
        now = datetime.now(UTC)
        if (now - self.last_cleanup).total_seconds() > 300 or len(self.results_cache) > 100:
            await self._perform_cleanup(now)
            self.last_cleanup = now

    async def _perform_cleanup(self, now: datetime) -> None:
        cutoff = now - timedelta(seconds=2 * TTL)
        for name in [name for name, begun in self.active_requests.items() if begun < cutoff]:
            self.active_requests.pop(name, None)
        for name in [name for name, (kept, _) in self.results_cache.items() if kept < cutoff]:
            self.results_cache.pop(name, None)
        if len(self.results_cache) > 100:
            by_age = sorted(self.results_cache.items(), key=lambda item: item[1][0])
            for name, _ in by_age[: len(by_age) - 100 + 10]:
                self.results_cache.pop(name, None)


Times = dict[str, list[float]]


async def hits(rounds: int) -> Times:
    """Microseconds for a hit; every variant answers 5,000 calls in a round."""
    variants: dict[str, tuple[Run, Compute]] = {
        "floor: a dict in a coroutine": (dict_floor(), text),
        "floor: with a time to live": (floor(), text),
        "async-lru": (async_lru(1000), text),
        "Deduplicator, str": (ours(1000), text),
        "Deduplicator, dict of 1 KB, everybody's own copy": (ours(1000), analysis),
        "Deduplicator, the same compressed": (ours(1000, compress=True), analysis),
        "Deduplicator(copy=False), the same dict for all": (ours(1000, copy=False), analysis),
    }
    keys = [key_of(user) for user in range(1000)]
    for run, compute in variants.values():
        for key in keys:
            await run(key, compute)
    times: Times = {name: [] for name in variants}
    for _ in range(rounds):
        for name, (run, compute) in variants.items():
            times[name].append(await microseconds(run, compute, keys * 5))
    return times


async def misses(rounds: int, users: int, *, with_seed: bool) -> Times:
    """Microseconds for a miss while a cache fills with that many users; for the seed the last 200 of them."""
    keys = [key_of(user) for user in range(users)]
    makers: dict[str, Callable[[], Run]] = {
        "floor": floor,
        "async-lru": lambda: async_lru(users),
        "Deduplicator": lambda: ours(users),
    }
    times: Times = {name: [] for name in makers}
    seed = await filled_seed(keys) if with_seed else None
    for _ in range(rounds):
        for name, maker in makers.items():
            run = maker()
            times[name].append(await microseconds(run, text, keys))
            del run
            gc.collect()
        if seed is not None:
            new = [key_of(users + number) for number in range(200)]
            times.setdefault("the seed's class", []).append(await microseconds(seed.run, text, new))
            for key in new:
                seed.active_requests.pop("_".join(key))
            seed.results_cache.clear()
            for key in keys[-101:]:
                await seed.run(key, text)
    return times


async def filled_seed(keys: list[Key]) -> Seed:
    """What the seed remembers of that many users, put there without its quadratic cost."""
    seed = Seed()
    seed.active_requests = {"_".join(key): datetime.now(UTC) for key in keys}
    for key in keys[-101:]:
        await seed.run(key, text)
    return seed


async def stampedes(rounds: int) -> tuple[Times, dict[str, set[int]]]:
    """Milliseconds that 10,000 identical calls take together, and how many executions they were."""
    variants: dict[str, tuple[Run, Any]] = {
        "async-lru": (async_lru(rounds + 1), "result"),
        "Deduplicator, str": (ours(rounds + 1), "result"),
        "Deduplicator, dict of 1 KB, everybody's own copy": (ours(rounds + 1), ANALYSIS),
    }
    times: Times = {name: [] for name in variants}
    executions: dict[str, set[int]] = {name: set() for name in variants}
    for number in range(rounds):
        for name, (run, result) in variants.items():
            begun = 0

            async def compute(result: Any = result) -> Any:
                nonlocal begun
                begun += 1
                await asyncio.sleep(0)  # until the other callers have come
                return result

            gc.collect()
            started = time.perf_counter()
            await asyncio.gather(*(run(key_of(number), compute) for _ in range(CALLERS)))
            times[name].append(1e3 * (time.perf_counter() - started))
            executions[name].add(begun)
    return times, executions


async def microseconds(run: Run, compute: Compute, keys: list[Key]) -> float:
    """Per call."""
    started = time.perf_counter()
    for key in keys:
        await run(key, compute)
    return 1e6 * (time.perf_counter() - started) / len(keys)


def rows(times: Times, floor_name: str | None, decimals: int = 2) -> list[tuple[str, ...]]:
    """Median, quartiles, and how many times as much as the floor and as async-lru, both of the same round."""
    lines = []
    for name, taken in times.items():
        ratios = [ratio(taken, times[peer]) for peer in (floor_name, "async-lru") if peer is not None]
        lines.append((name, *median_and_quartiles(taken, decimals), *ratios))
    return lines


def ratio(taken: list[float], peers: list[float]) -> str:
    """The median of the ratios of each round."""
    return f"{statistics.median(one / other for one, other in zip(taken, peers, strict=True)):.2f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Cost of a call of the Deduplicator.")
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    print_machine(
        f"{rounds} interleaved rounds, a fourth of that for 10,000 keys, a twelfth for 100,000, a half for a stampede"
    )
    columns = ("µs", "median", "quartiles", "x floor", "x async-lru")
    taken = asyncio.run(hits(rounds))
    print_table("A hit among 1,000 keys", columns, rows(taken, "floor: with a time to live"))
    for users, share in ((1000, 1), (10_000, 4), (20_000, 4), (100_000, 12)):
        taken = asyncio.run(misses(max(3, rounds // share), users, with_seed=users in {1000, 20_000}))
        print_table(f"A miss while the cache fills with {users:,} keys", columns, rows(taken, "floor"))
    taken, executions = asyncio.run(stampedes(max(3, rounds // 2)))
    table = [(*row, str(max(executions[row[0]]))) for row in rows(taken, None, 1)]
    print_table(
        f"{CALLERS:,} identical calls at once", ("ms", "median", "quartiles", "x async-lru", "executions"), table
    )


if __name__ == "__main__":
    main()
