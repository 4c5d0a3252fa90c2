"""What one sample costs: fold it and decide, with nine rules, beside a plain rescan of the same samples (the floor of simplicity).

    .venv/bin/python benchmarks/decide.py [--rounds 7] [--samples 2000]

Each round times both on the same machine within the same second, so that a busy machine slows both alike; the table shows medians
and quartiles over the rounds. The ratio says how many times longer the rescan takes: it grows with the window, ours must not. Only
where a down is asked for is more looked at, the peaks of the fit: one bucket for each five minutes of its window.
"""

import argparse
import platform
import random
import statistics
import time
from collections.abc import Callable

from autoscaler.core.durations import DAY, HOUR, SECOND
from autoscaler.core.evaluate import decide
from autoscaler.core.observations import Reading, TierChanged
from autoscaler.core.policy import Policy
from autoscaler.core.state import State
from autoscaler.policyfile import load_text

EVERY = 30 * SECOND
MB = 1024**2
WINDOWS = {"1h": HOUR, "48h": 48 * HOUR, "30d": 30 * DAY}
RULES = 9
_POLICY = """\
version: 1
mode: act
service: {{id: srv-abc123, health: {{url: "https://app.example.com/api/health/scaling"}}}}
tiers:
  - name: mvp
    plan: starter
    scale_up:
      any:
        - avg_response_time > 8s for {window}
        - concurrent_requests > 10 for {window} in 80% of samples
        - memory_usage > 400MB for {window}
        - memory_percent > 80% for {window}
        - error_rate > 5% for {window}
  - name: scaled
    plan: standard
    scale_down:
      all:
        - avg_response_time < 3s for {window}
        - concurrent_requests < 5 for {window}
        - memory_usage < 200MB for {window}
        - error_rate < 1% for {window}
"""


def reading(poll: int, chance: random.Random, *, crowd: int) -> Reading:
    """An ordinary half minute of a small service, with fewer than `crowd` at once: six is too many to come down."""
    requests = float(chance.randrange(3))
    memory = chance.uniform(120, 190) * MB
    return Reading(
        poll * EVERY,
        {
            "memory_usage": memory,
            "memory_percent": memory / (512 * MB) * 100,
            "concurrent_requests": float(chance.randrange(crowd)),
        },
        {
            "seconds": 30.0,
            "requests": requests,
            "errors": 0.0,
            "response_seconds": requests * chance.uniform(0.2, 2),
            "cpu_seconds": 3.0,
        },
        timestamp=poll * EVERY,
        instance="srv-abc123-1",
        started_at=0,
    )


class Rescan:
    """Keeps every sample and looks at all of the window for each rule: nothing can be simpler."""

    def __init__(self, window: int) -> None:
        self._size = window // EVERY + 1
        self._samples: list[tuple[float, float, float, float, float, float]] = []

    def keep(self, seen: Reading) -> None:
        """Take one sample in."""
        gauges, risen = seen.gauges, seen.increases
        self._samples.append(
            (
                gauges["memory_usage"],
                gauges["memory_percent"],
                gauges["concurrent_requests"],
                risen["requests"],
                risen["response_seconds"],
                risen["errors"],
            )
        )

    def __call__(self, seen: Reading) -> bool:
        """Take one sample in and judge all nine rules."""
        self.keep(seen)
        inside = self._samples[-self._size :]
        requests = sum(sample[3] for sample in inside) or 1.0
        up = (
            sum(sample[4] for sample in inside) / requests > 8,
            sum(sample[2] > 10 for sample in inside) >= 0.8 * len(inside),
            all(sample[0] > 400 * MB for sample in inside),
            all(sample[1] > 80 for sample in inside),
            sum(sample[5] for sample in inside) / requests > 0.05,
        )
        down = (
            sum(sample[4] for sample in inside) / requests < 3,
            all(sample[2] < 5 for sample in inside),
            all(sample[0] < 200 * MB for sample in inside),
            sum(sample[5] for sample in inside) / requests < 0.01,
        )
        return any(up) or all(down)


class Ours:
    """core, as the worker calls it."""

    def __init__(self, policy: Policy) -> None:
        self._state = State(policy, EVERY)
        self._state.fold(TierChanged(0, "scaled", "standard", 1))

    def fold(self, seen: Reading) -> None:
        """Take one sample in."""
        self._state.fold(seen)

    def __call__(self, seen: Reading) -> bool:
        """Take one sample in and decide."""
        self._state.fold(seen)
        return decide(self._state, seen.at).target is not None


def microseconds(work: Callable[[Reading], object], samples: list[Reading]) -> float:
    """Per sample."""
    begun = time.perf_counter()
    for sample in samples:
        work(sample)
    return (time.perf_counter() - begun) / len(samples) * 1e6


def spread(values: list[float]) -> str:
    """Median and quartiles."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.1f} ({low:.1f} to {high:.1f})"


def measure(name: str, rounds: int, count: int) -> None:
    """One line of the table. Both begin with a full window."""
    window = WINDOWS[name]
    chance = random.Random(1)
    policy = load_text(_POLICY.format(window=name), "bench.yaml").policy
    steady, down, rescan = Ours(policy), Ours(policy), Rescan(window)
    full = window // EVERY + 1
    for poll in range(1, full + 1):
        steady.fold(reading(poll, chance, crowd=7))
        down.fold(reading(poll, chance, crowd=4))
        rescan.keep(reading(poll, chance, crowd=7))
    scanned = max(3, min(count, 200_000 // full))
    times: dict[str, list[float]] = {"fold": [], "decide": [], "down": [], "rescan": [], "ratio": []}
    poll = full
    for _ in range(rounds):
        batch = [reading(poll + step, chance, crowd=7) for step in range(1, 2 * count + 1)]
        calm = [reading(poll + step, chance, crowd=4) for step in range(1, scanned + 1)]
        poll += 2 * count
        times["fold"].append(microseconds(steady.fold, batch[:count]))
        times["decide"].append(microseconds(steady, batch[count:]))
        times["down"].append(microseconds(down, calm))
        times["rescan"].append(microseconds(rescan, batch[:scanned]))
        times["ratio"].append(times["rescan"][-1] / times["decide"][-1])
    print(f"{name:>6} {full:>7}  " + "  ".join(f"{spread(values):>26}" for values in times.values()))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--samples", type=int, default=2000)
    asked = parser.parse_args()
    print(
        f"Python {platform.python_version()}, {RULES} rules, polls every 30 s, {asked.rounds} rounds; microseconds a sample, median (quartiles)"
    )
    titles = ("fold", "fold + decide", "the same, a down asked", "rescan (floor)", "rescan / fold + decide")
    print(f"{'window':>6} {'samples':>7}  " + "  ".join(f"{title:>26}" for title in titles))
    for name in WINDOWS:
        measure(name, asked.rounds, asked.samples)


if __name__ == "__main__":
    main()
