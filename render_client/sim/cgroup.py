"""A folder that looks like the cgroup v2 of an instance: the limits of its plan, the use of its real process."""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from render_client.sim.plans import Plan

_PERIOD_MICROSECONDS = 100_000
_EVENTS = "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n"


@dataclass(frozen=True, slots=True)
class ProcessUse:
    """What a process uses: resident memory in bytes, CPU time so far in µs. Its children are not counted."""

    memory: int
    cpu: int


def create(folder: Path, plan: Plan) -> None:
    """Make the folder, with the plan's limits and nothing used."""
    folder.mkdir(parents=True)
    _write(folder / "memory.max", f"{plan.memory}\n")
    _write(folder / "memory.events", _EVENTS)
    _write(folder / "cpu.max", f"{round(plan.cpu * _PERIOD_MICROSECONDS)} {_PERIOD_MICROSECONDS}\n")
    refresh(folder, ProcessUse(0, 0))


def refresh(folder: Path, use: ProcessUse) -> None:
    """Write what the process uses now."""
    _write(folder / "memory.current", f"{use.memory}\n")
    _write(folder / "cpu.stat", f"usage_usec {use.cpu}\nuser_usec {use.cpu}\nsystem_usec 0\n")


async def measure(pid: int) -> ProcessUse | None:
    """What a process uses, None when it is gone: from /proc on Linux, from `ps` elsewhere."""
    try:
        return _from_proc(pid) if sys.platform == "linux" else await _from_ps(pid)
    except (OSError, ValueError, IndexError):
        return None


def _from_proc(pid: int) -> ProcessUse:
    folder = Path(f"/proc/{pid}")
    pages = int((folder / "statm").read_text().split()[1])
    # The name in the second field may hold spaces and brackets; the rest begins behind the last bracket.
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return ProcessUse(pages * os.sysconf("SC_PAGE_SIZE"), ticks * 1_000_000 // os.sysconf("SC_CLK_TCK"))


async def _from_ps(pid: int) -> ProcessUse:
    process = await asyncio.create_subprocess_exec(
        "ps", "-o", "rss=,time=", "-p", str(pid), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    kilobytes, time = output.decode().split()
    seconds = 0.0
    for part in time.replace("-", ":").split(":"):
        seconds = seconds * 60 + float(part)
    return ProcessUse(int(kilobytes) * 1024, round(seconds * 1_000_000))


def _write(path: Path, text: str) -> None:
    """Replace a file as a whole: a reader sees the old or the new text, as in a real cgroup."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text)
    fresh.replace(path)
