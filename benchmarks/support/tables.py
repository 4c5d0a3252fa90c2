"""How the benchmarks print: one line about the machine, then tables in Markdown, which docs/performance.md takes as they are."""

import os
import platform
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path


def print_machine(what: str) -> None:
    """Say on what, when and how the numbers below were taken."""
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    machine = f"{_processor()}, {os.cpu_count()} cores{load}, {platform.system()} {platform.machine()}"
    print(f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {machine}; {what}.")


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table with its first column to the left and the others, numbers, to the right."""
    widths = [max(len(line[column]) for line in (columns, *rows)) for column in range(len(columns))]
    rule = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]
    print(f"\n{title}\n")
    for line in (columns, rule, *rows):
        cells = [
            line[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)),
        ]
        print(f"| {' | '.join(cells)} |")


def median_and_quartiles(values: Sequence[float], decimals: int) -> tuple[str, str]:
    """The median, and what the middle half of the values lies between."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:,.{decimals}f}", f"{low:,.{decimals}f} to {high:,.{decimals}f}"


def _processor() -> str:
    """The name of the processor where the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())
