"""What the checks of a policy find, and how they walk through it."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from autoscaler.core.conditions import Condition
from autoscaler.core.policy import Policy, Rules

Path = tuple[str | int, ...]
"""A place in the file: keys and list indexes from the top."""
Located = tuple[Path, Condition]
"""A condition and where it stands."""


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


def error(code: str, path: Path, message: str, related: Path | None = None) -> Problem:
    """The policy must not run so."""
    return Problem(path, message, Severity.ERROR, code, related)


def warning(code: str, path: Path, message: str, related: Path | None = None) -> Problem:
    """It may, but hardly anybody means it so."""
    return Problem(path, message, Severity.WARNING, code, related)


def located(rules: Rules | None, path: Path) -> list[Located]:
    """The conditions of one list of rules."""
    if rules is None:
        return []
    word = "any" if rules.any is not None else "all"
    return [((*path, word, index), condition) for index, condition in enumerate(rules.conditions)]


def serving(policy: Policy, rank: int, way: str) -> list[Located]:
    """The conditions that serve a rung this way (`scale_up`, `scale_down`), its own or the policy's."""
    tier = policy.tiers[rank]
    own = tier.scale_up if way == "scale_up" else tier.scale_down
    shared = policy.scale_up if way == "scale_up" else policy.scale_down
    return located(own, ("tiers", rank, way)) if own else located(shared, (way,))


def all_rules(policy: Policy) -> Iterator[tuple[Path, Rules]]:
    """Every list of rules, where it stands."""
    for rank, tier in enumerate(policy.tiers):
        for way, own in (("scale_up", tier.scale_up), ("scale_down", tier.scale_down)):
            if own:
                yield ("tiers", rank, way), own
    for section, rules in (
        ("scale_up", policy.scale_up),
        ("scale_down", policy.scale_down),
        ("emergency", policy.emergency),
    ):
        if rules:
            yield (section,), rules


def all_conditions(policy: Policy) -> Iterator[Located]:
    """Every condition, where it stands."""
    for path, rules in all_rules(policy):
        yield from located(rules, path)
    yield from ((("alerts", index, "when"), alert.when) for index, alert in enumerate(policy.alerts))


def memory_text(size: float) -> str:
    """`512 MB`, `2 GB`."""
    return f"{size / 1024**3:g} GB" if size >= 1024**3 else f"{size / 1024**2:.0f} MB"
