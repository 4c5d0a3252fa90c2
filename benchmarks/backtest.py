"""What a year of history costs: every 30 seconds a sample, nine rules, verdicts when they change, on one core.

    .venv/bin/python benchmarks/backtest.py [--days 30] [--rounds 3]

The demand is that of a small service with busy weekdays and calm nights, so that the policy goes up and comes down again. The floor
is a plain loop over the same samples that keeps, for each rule, since when all values were past its bound: no coverage, no pooled
ratios, no guards, no changes. Samples are made as they are walked through, since a year of them would fill the memory; what making
them takes is timed by itself and taken off. By default a month is played and a year reckoned from it; --days 365 plays all of it.
Times are those of the processor, so that a busy machine does not count.
"""

import argparse
import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from statistics import median

from support.tables import median_and_quartiles, print_machine, print_table

from autoscaler.core.backtest import Backtest, backtest
from autoscaler.core.durations import DAY, HOUR, SECOND
from autoscaler.core.observations import Reading
from autoscaler.core.recording import Recording
from autoscaler.core.rehearsal import Terms
from autoscaler.policyfile import load_text

EVERY = 30 * SECOND
BEGIN = 1_767_225_600_000
"""1 January 2026, a Thursday."""
MB = 1024**2
POLICY = """\
version: 1
mode: act
service: {id: srv-abc123, health: {url: "https://app.example.com/api/health/scaling"}}
tiers:
  - name: mvp
    plan: starter
    scale_up:
      any:
        - avg_response_time > 8s for 1h
        - concurrent_requests > 10 for 15m in 80% of samples
        - memory_usage > 400MB for 30m
        - memory_percent > 80% for 30m
        - error_rate > 5% for 1h
  - name: scaled
    plan: standard
    scale_down:
      all:
        - avg_response_time < 3s for 24h
        - concurrent_requests < 5 for 48h
        - memory_usage < 200MB for 48h
        - error_rate < 1% for 24h
"""


@dataclass(frozen=True, slots=True)
class Samples:
    """So many polls; made as they are walked through, the same each time."""

    count: int

    def __iter__(self) -> Iterator[Reading]:
        """Busy on weekdays from 8 to 20, and one week in five is a quiet one."""
        chance = random.Random(1)
        for poll in range(self.count):
            at = BEGIN + poll * EVERY
            hour, day = at // HOUR % 24, at // DAY
            busy = 8 <= hour < 20 and (day + 3) % 7 < 5 and (day + 3) // 7 % 5 > 0
            draw = chance.random()
            memory = (430 if busy else 150) * MB + draw * 40 * MB
            requests = float(int(draw * (12 if busy else 2)))
            gauges = {
                "memory_usage": memory,
                "memory_percent": memory / (512 * MB) * 100,
                "concurrent_requests": float(int(draw * (9 if busy else 4))),
            }
            increases = {
                "seconds": 30.0,
                "requests": requests,
                "errors": 0.0,
                "response_seconds": requests * (0.5 + draw),
                "cpu_seconds": 3.0,
            }
            yield Reading(at, gauges, increases, at, started_at=0, instance="srv-abc123-1")


def floor(samples: Iterable[Reading]) -> int:
    """Nine streaks of bare values; how often one of them was full."""
    bounds = (
        ("memory_usage", 400 * MB, True, HOUR // 2), ("memory_percent", 80.0, True, HOUR // 2),
        ("concurrent_requests", 10.0, True, HOUR // 4), ("memory_usage", 200 * MB, False, 48 * HOUR),
        ("concurrent_requests", 5.0, False, 48 * HOUR),
    )  # fmt: skip
    ratios = (
        ("response_seconds", 8.0, True, HOUR), ("errors", 0.05, True, HOUR),
        ("response_seconds", 3.0, False, 24 * HOUR), ("errors", 0.01, False, 24 * HOUR),
    )  # fmt: skip
    since: list[int | None] = [None] * 9
    full = 0
    for sample in samples:
        gauges, risen, at = sample.gauges, sample.increases, sample.at
        requests = risen["requests"]
        values = [gauges[name] for name, *_ in bounds]
        values += [risen[name] / requests if requests else 0.0 for name, *_ in ratios]
        for place, (value, (_, bound, above, window)) in enumerate(zip(values, (*bounds, *ratios), strict=True)):
            if (value > bound) is above:
                begun = since[place]
                if begun is None:
                    since[place] = at
                elif at - begun >= window:
                    full += 1
            else:
                since[place] = None
    return full


def played(samples: Samples) -> Backtest:
    """The backtest itself."""
    last = BEGIN + (samples.count - 1) * EVERY
    recording = Recording("made up", samples, samples.count, BEGIN, last, EVERY)
    return backtest("bench.yaml", load_text(POLICY, "bench.yaml").policy, recording, Terms("mvp", EVERY))


def seconds(work: Callable[[], object]) -> float:
    """Of processor time."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    samples = Samples(asked.days * DAY // EVERY)
    done = played(samples)
    print_machine(
        f"{asked.days} days, {samples.count:,} samples, {len(done.verdicts)} verdicts, {len(done.changes)} changes"
    )
    times: dict[str, list[float]] = {"floor: nine bare streaks": [], "backtest": []}
    for _ in range(asked.rounds):
        making = seconds(lambda: deque(samples, maxlen=0))
        times["floor: nine bare streaks"].append(seconds(lambda: floor(samples)) - making)
        times["backtest"].append(seconds(lambda: played(samples)) - making)
    year = 365 * DAY // EVERY / samples.count
    rows = [
        (name, *median_and_quartiles([one / samples.count * 1e6 for one in values], 1), f"{median(values) * year:.1f}")
        for name, values in times.items()
    ]
    print_table("A recording played to a policy", ("", "us a sample", "quartiles", "s a year"), rows)


if __name__ == "__main__":
    main()
