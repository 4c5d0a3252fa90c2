"""`autoscaler validate`: every problem of every policy at once."""

from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli.options import POLICIES, SUFFIXES
from autoscaler.cli.output import out, print_json
from autoscaler.core.findings import Severity
from autoscaler.errors import ExitCode
from autoscaler.policyfile import LocatedProblem, PolicyError, PolicyFile, load_file, load_folder


def validate(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Policy files or folders; by default the folder policies/.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines instead.")] = False,
) -> None:
    """Read policies and say everything that is wrong with them, as file:line:column.

    Exits 2 when there is an error; warnings alone exit 0.
    """
    files, problems = _load(paths or [POLICIES])
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    if as_json:
        print_json(
            {
                "valid": not errors,
                "policies": [file.path for file in files],
                "problems": [_row(one) for one in problems],
            }
        )
    else:
        for problem in problems:
            out.print(str(problem), markup=False, soft_wrap=True)
        for file in files:
            policy = file.policy
            ladder = " → ".join(f"{tier.name} ({tier.plan}, ${tier.monthly:g}/mo)" for tier in policy.tiers)
            out.print(
                f"{file.path}: ok: {policy.service.label}, mode {policy.mode}: {ladder}", markup=False, soft_wrap=True
            )
    if errors:
        raise typer.Exit(ExitCode.USAGE)


def _load(paths: list[Path]) -> tuple[list[PolicyFile], list[LocatedProblem]]:
    files: list[PolicyFile] = []
    problems: list[LocatedProblem] = []
    for path in paths:
        if path.is_dir() or (not path.exists() and path.suffix not in SUFFIXES):
            loaded = load_folder(path)
            files += loaded.files
            problems += loaded.problems
            continue
        try:
            file = load_file(path)
        except PolicyError as error:
            problems += error.problems
        else:
            files.append(file)
            problems += file.warnings
    return files, problems


def _row(problem: LocatedProblem) -> dict[str, object]:
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "severity": str(problem.severity),
        "code": problem.code,
        "message": problem.message,
        "hint": problem.hint,
    }
