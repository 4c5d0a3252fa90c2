"""A file of policy tests, or a folder of them, into scripts that can be played, with every problem at once."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from autoscaler.policyfile.cases import Suite
from autoscaler.policyfile.cases_check import Script, check_cases
from autoscaler.policyfile.load import PolicyFile, at_start, load_file, located, text_of
from autoscaler.policyfile.problems import PolicyError
from autoscaler.policyfile.source import read_yaml
from autoscaler.policyfile.tree import Flaw, Node
from autoscaler.policyfile.wording import explain

MOST_ERRORS = 200
TEST_SUFFIXES = (".test.yaml", ".test.yml")


@dataclass(frozen=True, slots=True)
class CaseFile:
    """The tests of one file, and the policy that they test."""

    path: str
    policy: PolicyFile
    scripts: tuple[Script, ...]


def is_case_file(path: Path) -> bool:
    """Whether a file is called like one of tests."""
    return path.name.endswith(TEST_SUFFIXES) and not path.name.startswith(".")


def case_files(path: Path) -> tuple[Path, ...]:
    """The files of tests that are meant by a path: itself, those of a policy file that stand beside it, all of a folder.

    Those of `x.yaml` are `x.test.yaml` and `x.*.test.yaml`. Raises PolicyError when there is none.
    """
    if is_case_file(path):
        return (path,)
    if not path.exists():
        raise PolicyError([at_start(str(path), "there is no such file or folder", "unreadable")])
    folder, stem = (path, "") if path.is_dir() else (path.parent, path.stem + ".")
    try:
        found = sorted(file for file in folder.iterdir() if is_case_file(file) and file.name.startswith(stem))
    except OSError as error:
        raise PolicyError([at_start(str(path), f"this can't be read: {error.strerror}", "unreadable")]) from error
    if not found:
        beside = f"{stem}test.yaml beside it" if stem else "x.test.yaml beside the policy x.yaml"
        raise PolicyError([at_start(str(path), "there are no tests", "no_tests", f"write {beside}")])
    return tuple(found)


def load_cases(path: Path) -> CaseFile:
    """Raises PolicyError with every problem of the file, or with those of its policy."""
    return read_cases(text_of(path), path)


def read_cases(text: str, path: Path) -> CaseFile:
    """As `load_cases`, from a text that stands, or would stand, in that file."""
    name = str(path)
    root, flaws = read_yaml(text)
    if root is None:
        raise PolicyError(located(name, flaws))
    suite, errors = _suite(root)
    if suite is None:
        raise PolicyError(located(name, [*flaws, *errors]))
    policy = load_file(_policy_path(path, suite))
    scripts, errors = check_cases(suite, policy.policy, root)
    if flaws or errors:
        raise PolicyError(located(name, [*flaws, *errors]))
    return CaseFile(name, policy, scripts)


def _policy_path(path: Path, suite: Suite) -> Path:
    if suite.policy is not None:
        return path.parent / suite.policy
    return path.with_name(path.name.split(".")[0] + path.suffix)


def _suite(root: Node) -> tuple[Suite | None, list[Flaw]]:
    nothing = set(root.nothing())
    try:
        return Suite.model_validate(root.plain()), []
    except ValidationError as error:
        flaws = []
        for details in error.errors(include_url=False)[:MOST_ERRORS]:
            path = tuple(details["loc"])
            of_its_items = details["type"] == "too_short" and bool(details["input"])  # each has been told
            if path not in nothing and not of_its_items:
                wording = explain(details, path, Suite)
                place = root.locate(path, at_key=wording.at_key)
                flaws.append(Flaw(place, wording.message, wording.code, wording.hint))
        return None, flaws
