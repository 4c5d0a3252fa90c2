"""Text, a file or a folder into policies, with every problem at once."""

from dataclasses import dataclass
from pathlib import Path

from autoscaler.core.lint import Severity
from autoscaler.core.policy import Policy
from autoscaler.policyfile.problems import LocatedProblem


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """One sound policy and where it came from."""

    path: str
    policy: Policy
    digest: str
    """The first 12 hex digits of the SHA-256 of the text: tells one edition of a file from the next."""
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


def load_text(text: str, name: str) -> PolicyFile:
    """One policy from its YAML text; `name` stands for the file in messages. Raises PolicyError with every problem."""
    raise NotImplementedError


def load_file(path: Path) -> PolicyFile:
    """One policy from its file. Raises PolicyError with every problem, also when the file can't be read."""
    raise NotImplementedError


def load_folder(path: Path) -> Loaded:
    """Every `*.yaml` and `*.yml` of a folder, by name; hidden files and `*.test.yaml` are left out. Never raises for what it finds there."""
    raise NotImplementedError
