"""What one sample costs with nine rules: its conditions alone, the whole fold, and the fold with a decision.

    .venv/bin/python benchmarks/decide.py [--rounds 5] [--samples 1000]

*Conditions* is one sample taken into all nine windows, and knowing which of them hold. Of *restless* samples two in five are unusual:
concurrency crosses a bound to and fro. The floor of simplicity is a plain rescan: keep every sample, look at all of the window for
each rule. Each round times all of them within the same second, in processor time, so that a busy machine slows all alike; shown are
medians and quartiles over the rounds. The ratio says how many times longer the rescan takes: it grows with the window, ours must not.
"""

import argparse
import random
import time
from collections.abc import Callable

from support.tables import median_and_quartiles, print_machine, print_table

from autoscaler.core.durations import DAY, HOUR, SECOND
from autoscaler.core.evaluate import decide
from autoscaler.core.observations import Reading, TierChanged
from autoscaler.core.policy import Policy
from autoscaler.core.ratio import rate_window
from autoscaler.core.state import State
from autoscaler.core.watch import Bit, Holding
from autoscaler.core.watches import Watches
from autoscaler.policyfile import load_text

EVERY = 30 * SECOND
MB = 1024**2
WINDOWS = {"1h": HOUR, "48h": 48 * HOUR, "30d": 30 * DAY}
RULES = 9
TITLES = (
    "conditions, usual samples",
    "conditions, restless samples",
    "fold",
    "fold + decide, a down asked",
    "floor: rescan",
    "rescan / conditions, restless",
)
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


class Conditions:
    """All nine rules, as a state watches them."""

    def __init__(self, policy: Policy) -> None:
        self.holding = Holding()
        self._watches = Watches(policy.evidence, EVERY)
        for place, condition in enumerate(policy.conditions()):
            rate = rate_window(condition, policy.evidence, EVERY)
            bit = Bit(self.holding, place)
            self._watches.add(condition, bit, rate, upward=condition.op.is_upward, ceiling=None)

    def __call__(self, seen: Reading) -> int:
        """Take one sample in; which of them hold."""
        self._watches.reading(seen.at, seen)
        return self.holding.bits


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
    """Of processor time, per sample."""
    begun = time.process_time()
    for sample in samples:
        work(sample)
    return (time.process_time() - begun) / len(samples) * 1e6


def measure(name: str, rounds: int, count: int) -> dict[str, list[float]]:
    """Each with a full window to begin with, microseconds a sample."""
    window = WINDOWS[name]
    chance = random.Random(1)
    policy = load_text(_POLICY.format(window=name), "bench.yaml").policy
    usual, restless, ours, rescan = Conditions(policy), Conditions(policy), Ours(policy), Rescan(window)
    full = window // EVERY + 1
    for poll in range(1, full + 1):
        calm, busy = reading(poll, chance, crowd=4), reading(poll, chance, crowd=7)
        usual(calm)
        restless(busy)
        ours.fold(calm)
        rescan.keep(busy)
    scanned = max(3, min(count, 200_000 // full))
    times: dict[str, list[float]] = {title: [] for title in TITLES}
    for begin in range(full + 1, full + 1 + 2 * rounds * count, 2 * count):
        calm = [reading(poll, chance, crowd=4) for poll in range(begin, begin + 2 * count)]
        busy = [reading(poll, chance, crowd=7) for poll in range(begin, begin + count)]
        found = (
            microseconds(usual, calm[:count]),
            microseconds(restless, busy),
            microseconds(ours.fold, calm[:count]),
            microseconds(ours, calm[count:]),
            microseconds(rescan, busy[:scanned]),
        )
        for title, value in zip(TITLES, (*found, found[-1] / found[1]), strict=True):
            times[title].append(value)
    return times


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--samples", type=int, default=1000)
    asked = parser.parse_args()
    print_machine(f"{RULES} rules, polls every 30 s, {asked.rounds} rounds, microseconds a sample")
    measured = {name: measure(name, asked.rounds, asked.samples) for name in WINDOWS}
    rows = [
        (title, *(" (".join(median_and_quartiles(measured[name][title], 1)) + ")" for name in WINDOWS))
        for title in TITLES
    ]
    samples = (f"{name}, {window // EVERY + 1:,} samples" for name, window in WINDOWS.items())
    print_table("One sample, by the length of the windows: median (quartiles)", ("", *samples), rows)


if __name__ == "__main__":
    main()
