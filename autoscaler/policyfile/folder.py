"""A folder of policy files, or one file, that may be looked at again and again."""

import stat
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from autoscaler.core.findings import Path as Place
from autoscaler.policyfile.load import Loaded, Read, at_start, read_file
from autoscaler.policyfile.problems import LocatedProblem, PolicyError

SUFFIXES = (".yaml", ".yml")
_NEXT_STEP = "copy policies/holisticos.yaml into it and edit that"

Stamp = tuple[int, int, int, int] | None
"""What the file system says of a file: when it was written and renamed, its size and number; None when it can't say."""


class PolicyFolder:
    """Reads a folder's policies: every `*.yaml` and `*.yml`, by name; hidden files and `*.test.yaml` are left out.

    A path that is no folder, but is called like a policy, stands for that one file. Files that have not changed since they were
    last read are not read again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._is_file = not path.is_dir() and (path.exists() or path.suffix in SUFFIXES)
        self._read: dict[str, tuple[Stamp, Read | PolicyError]] = {}

    def stamps(self) -> Mapping[Path, Stamp]:
        """Each file with its stamp: two alike looks mean that nothing has changed. Raises OSError when the folder can't be read."""
        if self._is_file:
            return {self.path: _stamp(self.path)} if self.path.exists() or self.path.is_symlink() else {}
        return {path: _stamp(path) for path in sorted(self.path.iterdir()) if _is_policy(path.name)}

    def load(self) -> Loaded:
        """The sound policies, and every problem. Never raises for what it finds: no file is held up by another."""
        try:
            stamps = self.stamps()
        except OSError as error:
            hint = "name the folder that holds the policies, or make it: " + _NEXT_STEP
            problem = at_start(str(self.path), f"this folder can't be read: {error.strerror}", "unreadable", hint)
            return Loaded((), (problem,))
        if not stamps:
            message = "this file is not there" if self._is_file else "this folder holds no policy (*.yaml)"
            return Loaded((), (at_start(str(self.path), message, "no_policies", _NEXT_STEP),))
        self._read = {str(path): self._one(path, stamp) for path, stamp in stamps.items()}
        return _joined([outcome for _, outcome in self._read.values()])

    def _one(self, path: Path, stamp: Stamp) -> tuple[Stamp, Read | PolicyError]:
        before = self._read.get(str(path))
        if before is not None and stamp is not None and before[0] == stamp:
            return before
        try:
            return stamp, read_file(path)
        except PolicyError as error:
            return stamp, error


def load_folder(path: Path) -> Loaded:
    """A folder's policies, once; see `PolicyFolder`."""
    return PolicyFolder(path).load()


def _is_policy(name: str) -> bool:
    return name.endswith(SUFFIXES) and not name.endswith((".test.yaml", ".test.yml")) and not name.startswith(".")


def _stamp(path: Path) -> Stamp:
    try:
        seen = path.stat()
    except OSError:
        return None
    size = seen.st_size if stat.S_ISREG(seen.st_mode) else -1
    return seen.st_mtime_ns, seen.st_ctime_ns, size, seen.st_ino


def _joined(outcomes: Iterable[Read | PolicyError]) -> Loaded:
    found: list[Read] = []
    told: list[LocatedProblem] = []
    for outcome in outcomes:
        if isinstance(outcome, PolicyError):
            told += outcome.problems
        else:
            found.append(outcome)
            told += outcome.file.warnings
    twice = _twice(found)
    unsound = {problem.file for problem in twice}
    files = tuple(read.file for read in found if read.file.path not in unsound)
    return Loaded(
        files, tuple(sorted((*told, *twice), key=lambda problem: (problem.file, problem.line, problem.column)))
    )


def _twice(found: Iterable[Read]) -> list[LocatedProblem]:
    """Two policies for one service would fight: told at each place, and neither runs."""
    by_service: dict[tuple[str, str], list[Read]] = defaultdict(list)
    for read in found:
        service = read.file.policy.service
        by_service["id" if service.id else "name", service.label].append(read)
    return [
        _rival(read, key, value, [other for other in rivals if other is not read])
        for (key, value), rivals in by_service.items()
        if len(rivals) > 1
        for read in rivals
    ]


def _rival(read: Read, key: str, value: str, others: list[Read]) -> LocatedProblem:
    path: Place = ("service", key)
    elsewhere = ", ".join(f"{other.file.path}:{other.root.locate(path).line}" for other in others)
    message = f"another policy speaks for the service '{value}' too, in {elsewhere}: neither runs"
    return read.problem(path, message, "duplicate_service", "keep one of them")
