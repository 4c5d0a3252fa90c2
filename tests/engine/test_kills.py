"""A real worker killed by SIGKILL at every write to Render and every commit, by tests/support/killing.py: real HTTP, a real file."""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.servers import ROOT

MEMORY = Path("/dev/shm")
LEAST = {
    "an up": {"writes": 8, "commits": 36, "records": 8},
    "a down": {"writes": 8, "commits": 28, "records": 0},
    "an up whose deploy fails": {"writes": 6, "commits": 18, "records": 0},
}
"""How many kills there are at least. What scenes have in common is killed in the first of them."""


@pytest.fixture
def folder():
    """In memory, where there is such a place: the disk is not what is tried here."""
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as made:
        yield made


def counts(folder):
    """By scene and column of the table that it prints."""
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-W", "error", "-m", "tests.support.killing", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    header, *rows, _ = done.stdout.splitlines()
    columns = header[24:].replace("not met", "missed").split()
    return {row[:24].strip(): dict(zip(columns, map(int, row[24:].split()), strict=True)) for row in rows}


def test_a_worker_that_is_killed_at_any_write_or_commit_is_followed_by_one_that_ends_its_change_right(
    folder, record_property
):
    table = counts(folder)
    record_property("kills", table)
    assert table.keys() == LEAST.keys()
    for scene, least in LEAST.items():
        assert all(table[scene][column] >= count for column, count in least.items()), table
        assert table[scene]["wrong"] == 0
        assert table[scene]["missed"] <= 3, table  # of records, which a worker makes or not
