"""What is wrong with a policy file, and where."""

from collections.abc import Sequence
from dataclasses import dataclass

from autoscaler.core.findings import Severity
from autoscaler.errors import UsageError


@dataclass(frozen=True, slots=True)
class LocatedProblem:
    """One thing that is wrong (or doubtful) at one place. `line` and `column` count from 1."""

    file: str
    line: int
    column: int
    severity: Severity
    message: str
    code: str
    """What kind of problem, for machines: `unknown_key`, `overlap` …"""
    hint: str | None = None
    """What to write instead, where that is not part of the message."""

    def __str__(self) -> str:
        """`file:line:column: error: message: hint`, the one line that people and editors read."""
        told = f"{self.message}: {self.hint}" if self.hint else self.message
        return f"{self.file}:{self.line}:{self.column}: {self.severity}: {told}"


class PolicyError(UsageError):
    """A policy file can't be used; `problems` holds everything that is wrong with it, in the order of the file."""

    def __init__(self, problems: Sequence[LocatedProblem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)
