"""The picture of a change's reason: milliseconds of the processor, and the memory that it takes of a worker that sends one.

    .venv/bin/python benchmarks/charts.py [--rounds 30] [--starts 5]

The history is 72 hours of memory, a poll every 30 seconds, for a rule over 48 hours. Its floor is zlib alone, packing the pixels of one
picture as its PNG does. Memory: each line is a fresh Python with the worker's modules, its resident memory less that of one beside it.
"""

import argparse
import math
import statistics
import struct
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

from support.memory import resident_megabytes
from support.tables import median_and_quartiles, print_machine, print_table

from autoscaler.adapters.pictures import png
from autoscaler.core.durations import DAY, SECOND
from autoscaler.core.evaluate import decide
from autoscaler.core.facts import Facts
from autoscaler.core.guards import Verdict, judge
from autoscaler.core.money import Spend
from autoscaler.core.observations import Observation, Reading, TierChanged
from autoscaler.core.policy import Policy
from autoscaler.core.state import State
from autoscaler.policyfile import load_text
from autoscaler.report.reason_chart import Chart, reason_chart
from autoscaler.report.reason_svg import svg

_MB = 1 << 20
_EVERY = 30 * SECOND
_POLICY = """
version: 1
mode: act
service: {id: srv-abc123, health: {url: "https://app.example.com/health", every: 30s}}
tiers:
  - {name: mvp, plan: starter, scale_up: {any: [memory_usage > 400MB for 30m]}}
  - {name: scaled, plan: standard, scale_down: {all: [memory_usage < 200MB for 48h]}}
"""
_SLOWEST, _MOST = 50.0, 20.0
"""Aims: milliseconds of the processor a picture, and MB."""
_WORKER = "import sys, autoscaler.bootstrap"
_ADDED = {
    "nothing": "",
    "import resvg_py": "import resvg_py",
    "one picture": "from autoscaler.adapters.pictures import png; png(open(sys.argv[1]).read())",
    "a hundred": "from autoscaler.adapters.pictures import png; [png(open(sys.argv[1]).read()) for _ in range(100)]",
}


def history() -> tuple[Policy, Verdict, list[Observation]]:
    """Memory that fell a day ago, and the verdict that lets the service come down."""
    policy = load_text(_POLICY, "charts.yaml").policy
    now = 1_780_300_800_000
    state = State(policy, _EVERY)
    observations: list[Observation] = [TierChanged(now - 3 * DAY, "scaled", "standard", 1)]
    for ago in range(3 * DAY, -1, -_EVERY):
        used = 150 + 20 * math.sin(ago / DAY * 40) + (250 if ago > 2.1 * DAY else 0)
        observations.append(Reading(now - ago, {"memory_usage": used * _MB}))
    for observation in observations:
        state.fold(observation)
    facts = Facts("srv-abc123", "holisticos-api", Spend(so_far=0.0, estimated=False, month_left=0.5))
    return policy, judge(policy, decide(state, now), facts), observations


def milliseconds(work: Callable[[], object], rounds: int) -> list[float]:
    """Of the processor, round by round, once it has been done before."""
    work()
    spent = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        spent.append((time.process_time() - began) * 1000)
    return spent


def pixels_of(picture: bytes) -> bytes:
    """What the PNG has packed."""
    packed, place = b"", 8
    while place < len(picture):
        (length,) = struct.unpack(">I", picture[place : place + 4])
        if picture[place + 4 : place + 8] == b"IDAT":
            packed += picture[place + 8 : place + 8 + length]
        place += 12 + length
    return zlib.decompress(packed)


def print_times(rounds: int) -> tuple[str, float]:
    """Print what a picture takes; returns its SVG, and the median of the PNG."""
    policy, verdict, observations = history()
    tiers = [one for one in observations if isinstance(one, TierChanged)]

    def made() -> Chart:
        chart = reason_chart(policy, verdict, observations, tiers)
        assert chart is not None
        return chart

    chart = made()
    picture = svg(chart)
    pixels = pixels_of(png(picture))
    spent = {
        "floor: zlib alone": milliseconds(lambda: zlib.compress(pixels), rounds),
        "the chart's numbers": milliseconds(made, rounds),
        "SVG": milliseconds(lambda: svg(chart), rounds),
        "PNG": milliseconds(lambda: png(picture), rounds),
        "all of it": milliseconds(lambda: png(svg(made())), rounds),
    }
    floor = statistics.median(spent["floor: zlib alone"])
    rows = [
        [name, *median_and_quartiles(values, 2), f"{statistics.median(values) / floor:.1f}"]
        for name, values in spent.items()
    ]
    title = f"A picture of {len(observations):,} observations, {len(png(picture)) / 1000:.0f} kB as PNG"
    print_table(title, ["", "ms", "quartiles", "x floor"], rows)
    return picture, statistics.median(spent["PNG"])


def print_memory(picture: str, starts: int) -> float:
    """Print what pictures add to a worker; one start more than asked compiles the modules. Returns what a hundred add."""
    added: dict[str, list[float]] = {name: [] for name in _ADDED}
    alone: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "chart.svg"
        file.write_text(picture, encoding="utf-8")
        for number in range(starts + 1):
            base = resident_megabytes(_WORKER, str(file))
            sizes = {name: resident_megabytes(f"{_WORKER}\n{more}", str(file)) for name, more in _ADDED.items()}
            if number:
                alone.append(base)
                for name, size in sizes.items():
                    added[name].append(size - base)
    whole = statistics.median(alone)
    rows = [
        [name, *median_and_quartiles(sizes, 1), f"{statistics.median(sizes) / whole:.2f}"]
        for name, sizes in added.items()
    ]
    print_table(
        f"Memory that it adds to the worker's modules, {whole:.1f} MB", ["", "MB", "quartiles", "x worker"], rows
    )
    return statistics.median(added["a hundred"])


def main() -> None:
    """Print both tables; fail when a picture takes more than it should."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--starts", type=int, default=5)
    asked = parser.parse_args()
    print_machine(f"{asked.rounds} rounds, {asked.starts} starts")
    picture, spent = print_times(asked.rounds)
    added = print_memory(picture, asked.starts)
    print(f"\nAims: {_SLOWEST:g} ms of the processor a PNG, {_MOST:g} MB at most.")
    if spent > _SLOWEST or added > _MOST:
        raise SystemExit("a picture takes more than that")


if __name__ == "__main__":
    main()
