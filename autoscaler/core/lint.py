"""What can be wrong with a policy that is sound field by field. Pure: a policy in, problems out."""

from dataclasses import dataclass
from enum import StrEnum

from autoscaler.core.policy import Policy

Path = tuple[str | int, ...]
"""A place in the file: keys and list indexes from the top."""


class Severity(StrEnum):
    """Whether the policy may run all the same."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding. `related` is the other place, where two of them do not fit each other."""

    path: Path
    message: str
    severity: Severity
    code: str
    related: Path | None = None


def problems(policy: Policy) -> list[Problem]:
    """Everything that does not fit together, errors and warnings, in the order of the checks."""
    return []
