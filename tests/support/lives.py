"""A policy with every form of condition, and the life of a service by chance: gaps, misses, masks, new processes, doubles, late signals."""

import random
from collections.abc import Iterator
from dataclasses import replace

from autoscaler.core.conditions import Condition
from autoscaler.core.durations import DAY, MINUTE
from autoscaler.core.keys import Key, down_key, up_key
from autoscaler.core.observations import Masked, Miss, Missed, Observation, Reading, Signal, TierChanged
from autoscaler.core.policy import Policy
from tests.support.evidence import EVERY, MB, START, a_policy

UP = (
    "avg_response_time > 4s for {w}",
    "avg_response_time >= 6s for {w} in 75% of samples",
    "avg_response_time > 4s",
    "error_rate > 5% for {w}",
    "concurrent_requests >= 6 for {w} in 60% of samples",
    "memory_usage > 400MB for {w}",
    "memory_percent > 80%",
    "stalled for {w}",
    "unreachable for {w}",
    "p95_response_time > 4s for {w}",
    "p90(concurrent_requests over {w}) > 8",
    "max(concurrent_requests over {w}) >= 12",
    "min(concurrent_requests over {w}) > 3 for 2m",
    "mean(concurrent_requests over {w}) > 6",
    "mean(avg_response_time over {w}) > 5s for 2m",
    "cache_hit_ratio < 40% for {w}",
    "cache_hit_ratio <= 40% for {w} in 70% of samples",
    "request_rate > 3/min for {w}",
    "complaints >= 3 within {w}",
    "oom_kills >= 2 within {w}",
    "poll_timeouts > 2 within {w}",
    "monthly_revenue > 40",
)
DOWN = (
    "avg_response_time < 3s for {w}",
    "error_rate < 2% for {w}",
    "concurrent_requests < 5 for {w}",
    "memory_usage <= 200MB for {w} in 90% of samples",
    "max(concurrent_requests over {w}) <= 6",
    "p80(concurrent_requests over {w}) < 5 for 2m",
    "cache_hit_ratio > 50% for {w}",
    "request_rate < 5/min for {w}",
    "avg_response_time < 3s for {w} in 80% of samples",
)
WINDOWS = ("45s", "2m", "5m", "10m", "20m", "40m")


def every_form(chance: random.Random) -> Policy:
    """Alerts are judged upwards as up rules are, whatever they compare. The windows are chosen by chance."""
    window = chance.choice(WINDOWS)
    alerts = (f'{{name: a{place}, when: "{text.format(w=window)}", do: notify}}' for place, text in enumerate(UP))
    down = ", ".join(text.format(w=chance.choice(WINDOWS)) for text in DOWN)
    evidence = f"{{min_requests: {chance.choice((0, 3, 20))}, business_age: 20m, warm_up: 2m}}"
    return a_policy(
        up="avg_response_time > 4s for 5m", down=down, more=f"alerts: [{', '.join(alerts)}]\nevidence: {evidence}"
    )


class Life:
    """A service's life by chance: times never less than a bucket apart, so that a recount of sums is exact."""

    def __init__(self, chance: random.Random, losses: float = 0.08) -> None:
        """`losses`: the share of polls that come late."""
        self.chance = chance
        self.losses = losses
        self.now = START
        self.instance = 1
        self.mood = self.busy = 1

    def observations(self, count: int) -> Iterator[Observation]:
        """So many of them."""
        yield TierChanged(self.now, "scaled", "standard", 1)
        for _ in range(count):
            kind = self.chance.choices(
                ("reading", "miss", "signal", "mask", "tier", "old", "twice"), (88, 5, 3, 1, 0.5, 1, 1)
            )[0]
            if kind in {"reading", "miss", "twice"}:
                late = self.chance.random() < self.losses
                self.now += (
                    self.chance.choice((44_999, 45_000, 60_000, 105_000, 20 * MINUTE, 20 * MINUTE, 3 * DAY))
                    if late
                    else EVERY
                )
                self.now += self.chance.choice((0, 0, 0, -3_000, 2_500)) if not late else 0
            yield from self._one(kind)

    def _one(self, kind: str) -> Iterator[Observation]:
        chance, now = self.chance, self.now
        match kind:
            case "reading":
                yield self._reading()
            case "twice":
                reading = self._reading()
                yield reading
                yield replace(reading, increases={"seconds": 0.0})
            case "miss":
                yield Missed(now, chance.choice(list(Miss)), "", chance.choice((None, 3_000, 10_000)))
            case "signal":
                at = now - chance.choice((0, MINUTE, 10 * MINUTE))
                yield Signal(
                    at, chance.choice(("complaints", "oom_kills", "monthly_revenue")), float(chance.randrange(1, 3))
                )
                yield Signal(now, "monthly_revenue", float(chance.randrange(80)))
            case "mask":
                yield Masked(now, now + chance.choice((0, MINUTE, 6 * MINUTE)), "deploy")
            case "tier":
                yield TierChanged(
                    now, chance.choice(("mvp", "scaled")), "standard", 1, chance.choice(((), ("complaints",)))
                )
            case _:
                yield Reading(now - MINUTE, {"memory_usage": 900 * MB})

    def _reading(self) -> Reading:
        chance = self.chance
        if chance.random() < 0.05:
            self.mood, self.busy = chance.randrange(4), chance.choice((0, 0, 1, 5))
        self.instance += chance.random() < 0.004
        stalled = chance.random() < 0.02
        requests = float(chance.randrange(self.busy + 1))
        increases = {
            "seconds": 30.0,
            "requests": requests,
            "errors": min(requests, chance.choice((0.0, 0.0, 1.0))),
            "response_seconds": requests * chance.choice((1.0, 2.5, 4.5, 9.0)[self.mood : self.mood + 2]),
            "cache_hits": float(chance.randrange(5)),
            "cache_lookups": float(chance.randrange(4, 9)),
        }
        gauges = {
            "concurrent_requests": float(self.mood * 3 + chance.choice((1, 1, 1, 2, 4))),
            "memory_usage": chance.choice((150, 200, 410, 450)[self.mood : self.mood + 2]) * MB,
            "memory_percent": chance.choice((30.0, 50.0, 80.0, 90.0)[self.mood : self.mood + 2]),
            "p95_response_time": float(self.mood * 2),
            "stalled": float(stalled),
            "unreachable": 0.0,
        }
        if chance.random() < 0.02:
            gauges["monthly_revenue"] = float(chance.randrange(80))
        if chance.random() < 0.02:
            told = chance.sample(sorted(increases), 3)
            increases = {name: increases[name] for name in told}
            gauges["avg_response_time"] = 5.0
        if chance.random() < 0.02:
            del gauges["concurrent_requests"]
        return Reading(
            self.now, gauges, increases, timestamp=self.now, instance=f"i{self.instance}",
            started_at=self.now if self.instance > 1 else START - 60 * MINUTE, stalled=stalled,
        )  # fmt: skip


def judged(policy: Policy) -> list[tuple[Key, Condition]]:
    """Its alerts, and what lets it come down from `scaled`."""
    scaled = policy.tier("scaled")
    assert scaled is not None
    assert scaled.scale_down is not None
    downs = [(down_key(condition, policy, scaled), condition) for condition in scaled.scale_down.conditions]
    return [(up_key(alert.when), alert.when) for alert in policy.alerts] + downs
