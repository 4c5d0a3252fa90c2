"""A worker's database as it is after days of work, without the days: readings every 30 s until now, tier changes, verdicts.

url = await recorded(tmp_path, POLICY, hours=50, load=lambda ago: Load(seconds=9.4 if ago < HOUR else 0.8))
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autoscaler.adapters.store import open_store
from autoscaler.core.durations import HOUR
from autoscaler.core.evaluate import decide
from autoscaler.core.facts import Facts
from autoscaler.core.guards import Verdict, judge
from autoscaler.core.money import spend
from autoscaler.core.observations import Observation, Reading, Signal, TierChanged
from autoscaler.core.state import State
from autoscaler.policyfile import load_text
from autoscaler.ports import Heartbeat, PassRecord

MB = 1024.0**2
EVERY = 30_000
SERVICE = "srv-cukr0123456789abcdef"


@dataclass(frozen=True)
class Load:
    """What one poll tells: requests since the last one, their mean time in seconds, memory in bytes, concurrency, errors."""

    requests: float = 30.0
    seconds: float = 0.8
    memory: float = 210 * MB
    concurrent: float = 3.0
    errors: float = 0.0


def readings(now: int, hours: float, load: Callable[[int], Load]) -> list[Observation]:
    """One every 30 s; `load` is told how long ago each was, ms."""
    return [_reading(now - ago, load(ago)) for ago in range(round(hours * HOUR), -1, -EVERY)]


def _reading(at: int, load: Load) -> Reading:
    return Reading(
        at=at,
        gauges={
            "memory_usage": load.memory,
            "memory_percent": load.memory / (512 * MB) * 100,
            "concurrent_requests": load.concurrent,
            "stalled": 0.0,
            "unreachable": 0.0,
        },
        increases={
            "seconds": 30.0,
            "requests": load.requests,
            "response_seconds": load.requests * load.seconds,
            "errors": load.errors,
            "cpu_seconds": 4.0,
        },
        timestamp=at,
        instance="srv-1-abc",
        started_at=at - 400 * HOUR,
        idle=load.requests == 0,
    )


async def recorded(
    folder: Path,
    policy: str,
    now: int,
    *,
    hours: float = 3,
    load: Callable[[int], Load] = lambda ago: Load(),
    tenancy: Sequence[TierChanged] | None = None,
    signals: Sequence[Signal] = (),
    changed: Callable[[Verdict], Verdict] = lambda verdict: verdict,
) -> str:
    """The address of the database that a worker leaves which has looked after holisticos-api until `now`."""
    file = load_text(policy, "api.yaml")
    first = file.policy.tiers[0]
    moves = tenancy or (TierChanged(now - 40 * 24 * HOUR, first.name, first.plan, 1),)
    seen: list[Observation] = sorted([*readings(now, hours, load), *signals], key=lambda one: one.at)
    state = State(file.policy, EVERY)
    for one in (*moves, *seen):
        state.fold(one)
    facts = Facts(SERVICE, "holisticos-api", spend(file.policy, moves, now))
    verdict = changed(judge(file.policy, decide(state, now), facts))
    url = f"sqlite:///{folder}/bot.db"
    store = open_store(url)
    try:
        await store.migrate()
        await store.record(PassRecord(SERVICE, (*moves, *seen), replace(verdict, since=now - 12 * 60_000)))
        await store.beat(Heartbeat("host:1", now - 50 * HOUR, now, 1, dry_run=False))
    finally:
        await store.close()
    return url
