"""Options that several commands share, and how policies are read for them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli.output import err
from autoscaler.errors import UsageError
from autoscaler.policyfile import PolicyError, PolicyFile, load_file, load_folder

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


def sound_policies(path: Path, *, only: str | None = None) -> tuple[PolicyFile, ...]:
    """The policies that can run. Problems of the others are printed and do not stop these.

    Raises PolicyError when none is sound, UsageError when `only` names none of them.
    """
    if path.is_dir() or (not path.exists() and path.suffix not in SUFFIXES):
        loaded = load_folder(path)
        files = loaded.files
        if not files:
            raise PolicyError(loaded.problems)
        for problem in loaded.problems:
            err.print(str(problem), markup=False)
    else:
        files = (load_file(path),)
    if only is None:
        return files
    chosen = tuple(file for file in files if _is_named(file, only))
    if not chosen:
        known = ", ".join(file.policy.service.label for file in files)
        raise UsageError(f"No policy is for '{only}'. There are policies for: {known}.")
    return chosen


def _is_named(file: PolicyFile, word: str) -> bool:
    service = file.policy.service
    names: Sequence[str | None] = (service.id, service.name, file.path, Path(file.path).name, Path(file.path).stem)
    return word in names
