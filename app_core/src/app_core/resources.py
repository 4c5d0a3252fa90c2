"""What this instance may use and does use, from its control group (cgroup v2 or v1).

The machine's own memory is never taken: on a shared host it says nothing about the instance.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

DEFAULT_ROOT = Path("/sys/fs/cgroup")
_LARGEST_FILE = 1 << 16
_NO_LIMIT = 1 << 60  # cgroup v1 writes "no limit" as the largest number of pages, near 2**63


@dataclass(frozen=True, slots=True)
class Limits:
    """What the instance may use; None where nothing limits it."""

    memory_bytes: int | None
    cpu_cores: float | None


@dataclass(frozen=True, slots=True)
class _Files:
    """Where one version of cgroup keeps its numbers, as controller and file name; a controller of v2 is the folder itself."""

    memory_limit: tuple[str, str]
    memory_used: tuple[str, str]
    memory_details: tuple[str, str]
    inactive_file: str
    cpu_limit: tuple[str, str]
    cpu_used: tuple[str, str]


_V2 = _Files(
    ("", "memory.max"), ("", "memory.current"), ("", "memory.stat"), "inactive_file", ("", "cpu.max"), ("", "cpu.stat")
)
_V1 = _Files(
    ("memory", "memory.limit_in_bytes"),
    ("memory", "memory.usage_in_bytes"),
    ("memory", "memory.stat"),
    "total_inactive_file",
    ("cpu", "cpu.cfs_quota_us"),
    ("cpuacct", "cpuacct.usage"),
)


class Resources:
    """Reads one instance's limits and use.

    Args:
        root: where the cgroup file system is mounted; the environment variable `CGROUP_ROOT` when None, else /sys/fs/cgroup.
        process: the folder of this process in /proc.
    """

    def __init__(self, root: Path | None = None, process: Path = Path("/proc/self")) -> None:
        self._root = root or Path(os.environ.get("CGROUP_ROOT") or DEFAULT_ROOT)
        self._process = process
        unified = any((self._root / name).exists() for name in ("cgroup.controllers", "memory.max", "cpu.max"))
        self._files = _V2 if unified else _V1
        self._own = self._own_groups()
        memory_group, memory_limit = self._tightest("memory", self._memory_limit)
        cpu_group, cpu_limit = self._tightest("cpu", self._cpu_limit)
        self.limits = Limits(None if memory_limit is None else int(memory_limit), cpu_limit)
        # Paths as text, since they are read at every poll. A group without any limit may be the whole machine's, and its use not ours.
        self._memory_files = None
        if memory_group is not None:
            places = self._files.memory_used, self._files.memory_details
            used, details = (self._path(place, memory_group) for place in places)
            self._memory_files = used, details
        group = cpu_group if cpu_limit is not None else memory_group
        self._cpu_file = None if group is None else self._path(self._files.cpu_used, group)
        if self.memory_bytes() is None:
            self._memory_files = None
        if self._group_cpu() is None:
            self._cpu_file = None
        self.cpu_at_start = self._group_cpu() or 0.0  # seconds; what the group had used before

    def cpu_seconds(self) -> float | None:
        """CPU time used since the start; None where no control group tells."""
        total = self._group_cpu()
        return None if total is None else max(0.0, total - self.cpu_at_start)

    @property
    def tells_memory(self) -> bool:
        """Whether a control group says how much memory is in use."""
        return self._memory_files is not None

    def memory_bytes(self) -> int | None:
        """Memory in use now, less file cache that the kernel would drop first (as Kubernetes counts a working set).

        None where no control group tells.
        """
        if self._memory_files is None:
            return None
        used_file, details_file = self._memory_files
        used = _integer(_text(used_file))
        if used is None:
            return None
        details = _table(_text(details_file))
        return max(0, used - details.get(self._files.inactive_file, 0))

    def _group_cpu(self) -> float | None:
        if self._cpu_file is None:
            return None
        text = _text(self._cpu_file)
        if self._files is _V2:
            microseconds = _table(text).get("usage_usec")
            return None if microseconds is None else microseconds / 1e6
        nanoseconds = _integer(text)
        return None if nanoseconds is None else nanoseconds / 1e9

    def _own_groups(self) -> dict[str, str]:
        """The group of this process by controller, as /proc/self/cgroup lists it: `id:controllers:/path`."""
        groups: dict[str, str] = {}
        for line in _text(self._process / "cgroup").splitlines():
            _, _, rest = line.partition(":")
            controllers, _, path = rest.partition(":")
            groups.update(dict.fromkeys(controllers.split(","), path.strip("/")))
        return groups

    def _levels(self, controller: str) -> list[str]:
        """The process's own group and those around it. In a container the path may be the host's and not exist: then only the root does."""
        path = self._own.get("" if self._files is _V2 else controller, "")
        parts = [part for part in path.split("/") if part not in ("", "..")]
        return ["/".join(parts[:length]) for length in range(len(parts), -1, -1)]

    def _tightest(self, controller: str, limit_of: Callable[[str], float | None]) -> tuple[str | None, float | None]:
        """The group that limits most, and its limit: each group is bound by those around it."""
        limits = [(limit, level) for level in self._levels(controller) if (limit := limit_of(level)) is not None]
        if not limits:
            return None, None
        limit, level = min(limits, key=lambda found: found[0])
        return level, limit

    def _memory_limit(self, level: str) -> float | None:
        limit = _integer(self._read(self._files.memory_limit, level))
        return limit if limit is not None and 0 < limit < _NO_LIMIT else None

    def _cpu_limit(self, level: str) -> float | None:
        if self._files is _V2:
            quota_text, _, period_text = self._read(self._files.cpu_limit, level).partition(" ")
        else:
            quota_text = self._read(self._files.cpu_limit, level)
            period_text = self._read(("cpu", "cpu.cfs_period_us"), level)
        quota, period = _integer(quota_text), _integer(period_text)
        return quota / period if quota and period and quota > 0 else None

    def _read(self, place: tuple[str, str], level: str) -> str:
        return _text(self._path(place, level))

    def _path(self, place: tuple[str, str], level: str) -> str:
        controller, name = place
        return str(self._root / controller / level / name)


def resident_bytes(process: Path = Path("/proc/self")) -> int | None:
    """The process's resident memory: now where /proc tells, else its highest so far, else None (Windows)."""
    fields = _text(process / "statm").split()
    if len(fields) > 1 and fields[1].isdigit():
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")
    try:
        import resource  # noqa: PLC0415 - Windows has no such module
    except ImportError:
        return None
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return highest if sys.platform == "darwin" else highest * 1024


def _text(path: str | Path) -> str:
    try:
        file = os.open(path, os.O_RDONLY)  # at every poll: half of the time that Path.read_text takes
    except OSError:
        return ""
    try:
        return os.read(file, _LARGEST_FILE).decode("ascii", "replace").strip()
    except OSError:
        return ""
    finally:
        os.close(file)


def _integer(text: str) -> int | None:
    """The number, or None for `max`, nothing, and anything else."""
    try:
        return int(text)
    except ValueError:
        return None


def _table(text: str) -> dict[str, int]:
    """Lines of `key value`."""
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}
