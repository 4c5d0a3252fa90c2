"""Text or a file into a policy, with every problem at once."""

import hashlib
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from autoscaler.core.findings import Path as Place
from autoscaler.core.findings import Severity
from autoscaler.core.policy import Policy
from autoscaler.policyfile.check import check
from autoscaler.policyfile.problems import LocatedProblem, PolicyError
from autoscaler.policyfile.source import read_yaml
from autoscaler.policyfile.tree import Flaw, Mark, Node

MAX_BYTES = 1_000_000
LONGEST_MESSAGE = 800
MAX_PROBLEMS = 100
"""A person mends no more at one time; a file with more of them is not a policy."""


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """One sound policy and where it came from."""

    path: str
    policy: Policy
    digest: str
    """The first 12 hex digits of the SHA-256 of the text: tells one edition of a file from the next."""
    place: str
    """`file:line:column` of the service's id or name, for what turns out only at Render."""
    warnings: tuple[LocatedProblem, ...] = ()


@dataclass(frozen=True, slots=True)
class Loaded:
    """A folder's sound policies, and every problem of all its files: a bad file never stops the good ones."""

    files: tuple[PolicyFile, ...]
    problems: tuple[LocatedProblem, ...]
    """Errors and warnings, by file and line."""

    @property
    def errors(self) -> tuple[LocatedProblem, ...]:
        """The problems for which a file was left out."""
        return tuple(problem for problem in self.problems if problem.severity is Severity.ERROR)


@dataclass(frozen=True, slots=True)
class Read:
    """A sound file with the places of its values."""

    file: PolicyFile
    root: Node

    def problem(
        self, path: Place, message: str, code: str, hint: str | None = None, severity: Severity = Severity.ERROR
    ) -> LocatedProblem:
        """Something that only shows beside other files, at its place in this one."""
        return _problem(self.file.path, Flaw(self.root.locate(path), message, code, hint), severity)


def load_text(text: str, name: str) -> PolicyFile:
    """One policy from its YAML text; `name` stands for the file in messages. Raises PolicyError with every problem."""
    return _read(text, name).file


def load_file(path: Path) -> PolicyFile:
    """One policy from its file. Raises PolicyError with every problem, also when the file can't be read."""
    return read_file(path).file


def read_file(path: Path) -> Read:
    """The same with the places of its values."""
    return _read(text_of(path), str(path))


def at_start(file: str, message: str, code: str, hint: str | None = None) -> LocatedProblem:
    """An error of a whole file."""
    return LocatedProblem(file, 1, 1, Severity.ERROR, message, code, hint)


def text_of(path: Path) -> str:
    """A file's text. Raises PolicyError where it is none, or too long."""
    name = str(path)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise PolicyError(
                [at_start(name, "this is a folder, not a policy file", "unreadable", "name a file in it")]
            )
        if not stat.S_ISREG(mode):  # a pipe would wait for ever
            raise PolicyError([at_start(name, "this is no ordinary file", "unreadable")])
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise PolicyError([at_start(name, f"this file can't be read: {error.strerror}", "unreadable")]) from error
    if len(data) > MAX_BYTES:
        raise PolicyError([at_start(name, "this file is larger than 1 MB: no policy is", "too_large")])
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start]
        mark = Mark(before.count(b"\n") + 1, len(before) - before.rfind(b"\n"))
        raise PolicyError(
            located(name, [Flaw(mark, "this is no UTF-8 text: save the file as UTF-8", "not_utf8")])
        ) from error


def located(name: str, flaws: Iterable[Flaw], severity: Severity = Severity.ERROR) -> list[LocatedProblem]:
    """In the order of the file, each once (an alias repeats what stands at its anchor)."""
    ordered = sorted(dict.fromkeys(flaws), key=lambda flaw: flaw.mark)
    told = [_problem(name, flaw, severity) for flaw in ordered[:MAX_PROBLEMS]]
    more = len(ordered) - MAX_PROBLEMS
    return [*told, at_start(name, f"and {more} more problems", "too_many")] if more > 0 else told


def _problem(name: str, flaw: Flaw, severity: Severity) -> LocatedProblem:
    """On one line, without the control characters that a quoted key or value may hold, and not longer than one reads."""
    message = "".join(letter if letter.isprintable() else "?" for letter in flaw.message)
    if len(message) > LONGEST_MESSAGE:
        message = f"{message[: LONGEST_MESSAGE // 2]}…{message[-LONGEST_MESSAGE // 2 :]}"
    return LocatedProblem(name, flaw.mark.line, flaw.mark.column, severity, message, flaw.code, flaw.hint)


def _read(text: str, name: str) -> Read:
    root, flaws = read_yaml(text)
    if root is None:
        raise PolicyError(located(name, flaws))
    checked = check(root)
    policy = checked.policy
    if policy is None or flaws or checked.errors:
        raise PolicyError(located(name, [*flaws, *checked.errors]))
    warnings = located(name, checked.warnings, Severity.WARNING)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    mark = root.locate(("service", "id" if policy.service.id else "name"))
    return Read(PolicyFile(name, policy, digest, f"{name}:{mark.line}:{mark.column}", tuple(warnings)), root)
