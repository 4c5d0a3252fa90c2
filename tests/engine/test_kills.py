"""A real worker killed by SIGKILL at every write to Render and every commit, by tests/support/killing.py: real HTTP, a real file."""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.servers import ROOT

MEMORY = Path("/dev/shm")


@pytest.fixture
def folder():
    """In memory, where there is such a place: a thousand commits are not what is tried here."""
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as made:
        yield made


def counts(folder, *more):
    """See tests/support/killing.py; by scene, in the order of its table."""
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-W", "error", "-m", "tests.support.killing", folder, *more],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    _, *rows, _ = done.stdout.splitlines()
    return {row[:24].strip(): [int(count) for count in row[24:].split()] for row in rows}


def test_a_worker_that_is_killed_at_any_write_or_commit_is_followed_by_one_that_ends_its_change_right(
    folder, record_property
):
    table = counts(folder)
    record_property("kills", table)
    assert {scene: of[0] for scene, of in table.items()} == {"an up": 8, "a down": 8, "an up whose deploy fails": 6}
    for scene, least in {"an up": 34, "a down": 26, "an up whose deploy fails": 16}.items():
        _, commits, _, _, missed, runs, wrong = table[scene]
        assert commits >= least
        assert missed <= 3  # of records
        assert runs > commits
        assert wrong == 0


def test_a_worker_that_is_killed_while_it_carries_on_is_followed_by_one_that_ends_the_change_right(folder):
    assert sum(of[3] for of in counts(folder, "8", "1").values()) > 0
