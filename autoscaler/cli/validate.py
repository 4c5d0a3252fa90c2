"""`autoscaler validate`: every problem of every policy at once."""

import difflib
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from autoscaler.cli.options import POLICIES, JsonOption
from autoscaler.cli.output import out, print_json
from autoscaler.core.findings import Severity
from autoscaler.errors import ExitCode, UsageError
from autoscaler.policyfile import LocatedProblem, PolicyError, PolicyFile, PolicyFolder
from autoscaler.policyfile.blueprint import doubts_beside
from autoscaler.policyfile.codes import CODES
from autoscaler.policyfile.excerpt import excerpt, lines_of
from autoscaler.policyfile.load import text_of

_COLOURS = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow"}
_TESTS = (".test.yaml", ".test.yml")


def validate(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Policy files or folders; by default the folder policies/.")
    ] = None,
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail, too.")] = False,
    explain: Annotated[
        str | None, typer.Option("--explain", metavar="CODE", help="Say what a problem's code means; 'all' lists them.")
    ] = None,
    blueprint: Annotated[
        Path | None,
        typer.Option(
            "--blueprint",
            help="The Blueprint that must not pin what the bot changes; by default the render.yaml of the policy's repository.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Read policies and say everything that is wrong with them, as file:line:column, with a code.

    Errors keep a policy from running and exit 2. Warnings are doubts: the policy runs, and they exit 0 but with --strict.
    """
    if explain is not None:
        _explain(explain)
        return
    files, problems = _load(paths or [POLICIES])
    problems = [*problems, *doubts_beside(files, blueprint)]
    problems.sort(key=lambda problem: (problem.file, problem.line, problem.column))
    if as_json:
        print_json(_document(files, problems, strict=strict))
    else:
        _show(files, problems)
    if _fails(problems, strict=strict):
        raise typer.Exit(ExitCode.USAGE)


def _explain(code: str) -> None:
    """Raises UsageError for a code that there is not."""
    if code == "all":
        for name, meaning in sorted(CODES.items()):
            out.print(Text.assemble((name, "bold"), f": {meaning}"))
        return
    if code not in CODES:
        near = difflib.get_close_matches(code, CODES, n=1)
        hint = f"did you mean '{near[0]}'?" if near else "`autoscaler validate --explain all` lists them."
        raise UsageError(f"No problem has the code '{code}': {hint}")
    out.print(Text.assemble((code, "bold"), f": {CODES[code]}"))


def _load(paths: list[Path]) -> tuple[list[PolicyFile], list[LocatedProblem]]:
    files: list[PolicyFile] = []
    problems: list[LocatedProblem] = []
    for path in paths:
        if path.name.endswith(_TESTS) and len(paths) > 1:
            continue  # policies/*.yaml names them, too; `autoscaler test` reads them
        loaded = PolicyFolder(path).load()
        files += loaded.files
        problems += loaded.problems
    return files, problems


def _fails(problems: list[LocatedProblem], *, strict: bool) -> bool:
    return any(strict or problem.severity is Severity.ERROR for problem in problems)


def _show(files: list[PolicyFile], problems: list[LocatedProblem]) -> None:
    sources: dict[str, list[str]] = {}
    for problem in problems:
        place = f"{problem.file}:{problem.line}:{problem.column}: "
        told = f"{problem.message}: {problem.hint}" if problem.hint else problem.message
        severity = (f"{problem.severity}: ", _COLOURS[problem.severity])
        out.print(Text.assemble((place, "bold"), severity, told, (f" [{problem.code}]", "dim")), soft_wrap=True)
        if problem.file not in sources:
            sources[problem.file] = _source(problem.file)
        if shown := excerpt(sources[problem.file], problem.line, problem.column):
            number = f"{problem.line:>6} | "
            out.print(Text(f"{number}{shown[0]}", style="dim"), soft_wrap=True)
            out.print(Text.assemble((" " * (len(number) - 2) + "| ", "dim"), (shown[1], "bold")), soft_wrap=True)
    for file in files:
        policy = file.policy
        ladder = " → ".join(f"{tier.name} ({tier.plan}, ${tier.monthly:g}/mo)" for tier in policy.tiers)
        out.print(
            f"{file.path}: ok: {policy.service.label}, mode {policy.mode}: {ladder}", markup=False, soft_wrap=True
        )
    if problems:
        out.print(_summary(problems), markup=False, soft_wrap=True)


def _summary(problems: list[LocatedProblem]) -> str:
    counts = (
        f"{number} {severity}{'' if number == 1 else 's'}"
        for severity in Severity
        if (number := sum(problem.severity is severity for problem in problems))
    )
    return f"{', '.join(counts)}. `autoscaler validate --explain {problems[0].code}` says more about the first."


def _source(file: str) -> list[str]:
    """The lines of the text; none where there is no text."""
    try:
        return lines_of(text_of(Path(file)))
    except PolicyError:
        return []


def _document(files: list[PolicyFile], problems: list[LocatedProblem], *, strict: bool) -> dict[str, object]:
    return {
        "valid": not _fails(problems, strict=strict),
        "policies": [file.path for file in files],
        "problems": [_row(problem) for problem in problems],
    }


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
