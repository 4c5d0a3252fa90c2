"""The policies: are there any, and can they be used?"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from autoscaler.core.findings import Severity
from autoscaler.engine.doctor.finding import Finding, ok, warning, wrong
from autoscaler.policyfile import LocatedProblem, PolicyFile, PolicyFolder
from autoscaler.policyfile.blueprint import doubts_beside

CHECK = "policy"
_NOWHERE = frozenset({"unreadable", "no_policies"})


def read(path: Path) -> tuple[tuple[PolicyFile, ...], list[Finding]]:
    """The sound ones, and what there is to say of each file."""
    loaded = PolicyFolder(path).load()
    problems = [*loaded.problems, *doubts_beside(loaded.files)]
    if not loaded.files and all(one.code in _NOWHERE for one in problems):
        return (), [_nowhere(problems[0])]
    by_file: dict[str, list[LocatedProblem]] = defaultdict(list)
    for problem in problems:
        by_file[problem.file].append(problem)
    sound = {file.path: file for file in loaded.files}
    findings = [_finding(name, sound.get(name), by_file[name]) for name in sorted({*sound, *by_file})]
    return loaded.files, findings


def _nowhere(problem: LocatedProblem) -> Finding:
    fix = "`autoscaler init NAME-OF-YOUR-SERVICE` writes a first one; or say where they are: --policies, AUTOSCALER_POLICIES."
    return wrong(CHECK, problem.message, fix, about=problem.file)


def _finding(name: str, file: PolicyFile | None, problems: Sequence[LocatedProblem]) -> Finding:
    fix = f"`autoscaler validate {name}` shows it, with its place and what to write."
    errors = [one for one in problems if one.severity is Severity.ERROR]
    if errors:
        return wrong(CHECK, f"can't be used: {_first(errors, 'error')}", fix, about=name)
    if problems:
        return warning(CHECK, f"can be used, with {_first(problems, 'doubt')}", fix, about=name)
    if file is None:
        return ok(CHECK, "nothing to say", about=name)
    ladder = " → ".join(tier.name for tier in file.policy.tiers)
    return ok(CHECK, f"{file.policy.service.label}, mode {file.policy.mode}, {ladder}", about=name)


def _first(problems: Sequence[LocatedProblem], word: str) -> str:
    first = min(problems, key=lambda one: one.line)
    count = f"{len(problems)} {word}{'' if len(problems) == 1 else 's'}"
    return f"{count}; line {first.line}: {first.message}"


def channels_of(files: Iterable[PolicyFile], default: str | None) -> dict[str, list[PolicyFile]]:
    """Where each service's messages go; under "" those of which nobody says where."""
    found: dict[str, list[PolicyFile]] = defaultdict(list)
    for file in files:
        found[file.policy.notify.slack or default or ""].append(file)
    return found
