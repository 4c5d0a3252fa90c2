"""`autoscaler validate` of a thousand policies, beside its floor: PyYAML's C parser composing the same texts, and nothing more.

    .venv/bin/python benchmarks/validate.py

Each policy is policies/holisticos.yaml for a service of its own. Measured are the command as a process, start and output included;
the same folder in a process that runs already, read for the first time; looked at again when nothing has changed, and when one
file has, as the running worker does every second; and the floor.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from autoscaler.policyfile import PolicyFolder

ROOT = Path(__file__).parents[1]
TARGET = 5.0
"""Seconds for a thousand policies."""


def write(folder: Path, count: int) -> None:
    """So many policies, each for another service."""
    text = (ROOT / "policies" / "holisticos.yaml").read_text(encoding="utf-8")
    for number in range(count):
        own = text.replace("srv-cukr0123456789abcdef", f"srv-{number:020d}")
        (folder / f"service{number:04d}.yaml").write_text(own, encoding="utf-8")


def seconds(work: Callable[[], object]) -> float:
    """How long it takes once."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def command(folder: Path) -> float:
    """The command as a person runs it; the CPU seconds that it took, which are what it takes where nothing else runs."""
    before = os.times()
    ended = subprocess.run(  # noqa: S603 - this very command
        [sys.executable, "-m", "autoscaler.cli.main", "validate", str(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.count(": ok: ") == len(list(folder.iterdir())), ended.stdout[-1000:]
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def compose(folder: Path) -> None:
    """The floor."""
    loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
    for path in folder.iterdir():
        yaml.compose(path.read_text(encoding="utf-8"), Loader=loader)


def measure(folder: Path, rounds: int) -> dict[str, list[float]]:
    """Seconds of each row, round by round."""
    times: dict[str, list[float]] = {
        name: [] for name in ("command", "its CPU", "first", "unchanged", "one changed", "floor")
    }
    changed = next(folder.iterdir())
    for number in range(rounds):
        known = PolicyFolder(folder)
        times["command"].append(seconds(lambda: times["its CPU"].append(command(folder))))
        times["first"].append(seconds(known.load))
        times["unchanged"].append(seconds(known.load))
        changed.write_text(changed.read_text(encoding="utf-8") + f"# {number}\n", encoding="utf-8")
        times["one changed"].append(seconds(known.load))
        times["floor"].append(seconds(lambda: compose(folder)))
    return times


def main() -> None:
    """Print the table; fail when the command needs more than it should."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policies", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, asked.policies)
        times = measure(folder, asked.rounds)
    floor = statistics.median(times["floor"])
    print(
        f"Python {platform.python_version()}, {asked.policies} policies, {asked.rounds} rounds; seconds, median (least to most)"
    )
    for title, values in times.items():
        middle = statistics.median(values)
        print(f"{title:<12} {middle:8.3f} ({min(values):.3f} to {max(values):.3f})  {middle / floor:6.1f} x floor")
    limit = TARGET * asked.policies / 1000
    if statistics.median(times["its CPU"]) > limit:
        raise SystemExit(f"validate needs more than {limit:g} s")


if __name__ == "__main__":
    main()
