"""A tree of literal values into a policy, or into everything that is wrong with it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from autoscaler.core.conditions import UnsoundMetricError
from autoscaler.core.findings import Path, Problem, Severity
from autoscaler.core.lint import problems
from autoscaler.core.policy import Policy, read_policy
from autoscaler.policyfile.tree import Flaw, Node
from autoscaler.policyfile.wording import explain

_PARTS: Mapping[str | int, int] = MappingProxyType(
    {
        "metrics": 2,
        "service": 3,
        "emergency": 1,
        "alerts": 2,
        "schedules": 2,
        "guards": 2,
        "approval": 2,
        "verify": 2,
        "notify": 2,
    }
)
"""How deep the part lies that a policy can do without when something in it is wrong; elsewhere it is the value itself."""
MAX_ERRORS = 200
"""More than anybody is shown; wording each of thousands would take seconds."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The policy, if every value is sound by itself; every error, of single values and of what does not fit together; the warnings."""

    policy: Policy | None
    errors: list[Flaw]
    warnings: list[Flaw]


def check(root: Node) -> Checked:
    """Everything that is wrong with the values.

    A value of None (nothing was written) has been told already; neither it nor what rests on it is told again.
    """
    nothing = set(root.nothing())
    try:
        policy = read_policy(root.plain())
    except ValidationError as error:
        told = error.errors(include_url=False)[:MAX_ERRORS]
        wrong = {
            path: details for details in told if not _is_told(path := _path(details["loc"], root), details, nothing)
        }
        found = [_worded(root, path, details) for path, details in wrong.items()]
        resting = {_path(details["loc"], root) for details in told if _rests_on_a_metric(details)}
        return Checked(None, found + _misfits_of_the_rest(root, nothing.union(wrong, resting)), [])
    all_told = problems(policy)
    warnings = [_placed(problem, root) for problem in all_told if problem.severity is Severity.WARNING]
    return Checked(policy, _misfits(all_told, root, nothing), warnings)


def _is_told(path: Path, details: ErrorDetails, nothing: set[Path]) -> bool:
    """Whether this error only repeats another: of a value that is not there, or of every item of a list."""
    match details["type"]:
        case "value_error" if _rests_on_a_metric(details):
            return True
        case "value_error":
            return path in nothing or any(empty[:-1] == path for empty in nothing)
        case "too_short":
            return bool(details["input"])
        case _:
            return path in nothing


def _rests_on_a_metric(details: ErrorDetails) -> bool:
    return isinstance(details.get("ctx", {}).get("error"), UnsoundMetricError)


def _worded(root: Node, path: Path, details: ErrorDetails) -> Flaw:
    wording = explain(details, path)
    at_key = wording.at_key or details["loc"][-1:] == ("[key]",)
    return Flaw(root.locate(path, at_key=at_key), wording.message, wording.code, wording.hint)


def _path(location: Path, root: Node) -> Path:
    """Without pydantic's own steps, `[key]` and the tags of unions, which stand nowhere in the file."""
    path: Path = ()
    node: Node | None = root
    for step in location:
        child = node.child(step) if node else None
        if child is None and isinstance(step, str) and step.startswith(("[", "(")):
            continue
        path, node = (*path, step), child
    return path


def _misfits(found: Iterable[Problem], root: Node, doubtful: Iterable[Path]) -> list[Flaw]:
    """What does not fit together, but for what rests on a value that is wrong itself."""
    return [
        _placed(problem, root)
        for problem in found
        if problem.severity is Severity.ERROR
        and not any(_rests_on(place, wrong) for place in (problem.path, problem.related) if place for wrong in doubtful)
    ]


def _misfits_of_the_rest(root: Node, wrong: set[Path]) -> list[Flaw]:
    """The same in a file with wrong values: without the parts that hold them, if what is left is a policy."""
    parts = {path[: _PARTS.get(path[0], len(path))] for path in wrong if path}
    parts |= {
        path[:-2] for path in parts if path[-2:-1] in {("any",), ("all",)} and _is_all_wrong(root, path[:-1], parts)
    }
    rest = root.without(parts)
    try:
        policy = read_policy(rest.plain())
    except ValidationError:
        return []
    return _misfits(problems(policy), rest, wrong)


def _is_all_wrong(root: Node, rules: Path, wrong: set[Path]) -> bool:
    node: Node | None = root
    for step in rules:
        node = node.child(step) if node else None
    return (
        node is not None and isinstance(node.value, tuple) and all((*rules, i) in wrong for i in range(len(node.value)))
    )


def _rests_on(place: Path, wrong: Path) -> bool:
    """Whether a finding at `place` may come from the wrong value: within it, or beside it in the same section.

    Items of a list stand for themselves: without one of them, what is said of the others still holds.
    """
    if isinstance(wrong[-1], int):
        return False
    return wrong[: len(place)] == place or wrong[:-1] == place[:-1]


def _placed(problem: Problem, root: Node) -> Flaw:
    message = problem.message
    if problem.related is not None:
        message += f" (see line {root.locate(problem.related).line})"
    return Flaw(root.locate(problem.path), message, problem.code)
