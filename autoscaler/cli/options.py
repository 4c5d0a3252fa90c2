"""Options that several commands share, and how policies are read for them."""

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli.output import err
from autoscaler.engine.room.known import names_of
from autoscaler.errors import UsageError
from autoscaler.policyfile import LocatedProblem, PolicyError, PolicyFile, load_file, load_folder

PoliciesOption = Annotated[
    Path,
    typer.Option(
        "--policies",
        "-p",
        envvar="AUTOSCALER_POLICIES",
        help="A folder of policy files, or one file.",
        show_default=True,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead.")]
ServiceArgument = Annotated[str | None, typer.Argument(help="Only this service, by name, id or policy file.")]

POLICIES = Path("policies")
SUFFIXES = (".yaml", ".yml")
"""What is not there, but is called so, was meant to be a file."""


def _print(problem: LocatedProblem) -> None:
    err.print(str(problem), markup=False)


def sound_policies(
    path: Path, *, only: str | None = None, tell: Callable[[LocatedProblem], None] = _print
) -> tuple[PolicyFile, ...]:
    """The policies that can run. Problems of the others, and doubts, are told and do not stop these.

    Raises PolicyError when none is sound, UsageError when `only` names none of them.
    """
    if path.is_dir() or (not path.exists() and path.suffix not in SUFFIXES):
        loaded = load_folder(path)
        files = loaded.files
        if not files:
            raise PolicyError(loaded.problems)
        for problem in loaded.problems:
            tell(problem)
    else:
        files = (load_file(path),)
    if only is None:
        return files
    chosen = tuple(file for file in files if only in names_of(file))
    if not chosen:
        known = ", ".join(file.policy.service.label for file in files)
        near = difflib.get_close_matches(only, [name for file in files for name in names_of(file)], n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise UsageError(f"No policy is for '{only}'.{hint} There are policies for: {known}.")
    return chosen


def policies_at_hand(path: Path) -> tuple[PolicyFile, ...]:
    """The sound policies there, if there is such a place at all: without one, what the worker has recorded still stands.

    Errors of the others are printed; warnings are for `validate`, not for whoever asks why. Raises PolicyError for one broken file.
    """
    if not path.exists():
        return ()
    if path.is_file():
        return (load_file(path),)
    loaded = load_folder(path)
    for problem in loaded.errors:
        err.print(str(problem), markup=False)
    return loaded.files
