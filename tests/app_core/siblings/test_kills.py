"""Workers that are killed at any point, and children that they fork: real processes, by tests/support/worker_crashes.py."""

import os
import subprocess
import sys

from tests.support.servers import ROOT


def test_a_child_that_leaves_does_not_end_the_membership_of_its_parent(hire):
    first, second = hire(), hire()
    copies = [os.dup(file.lock) for file in first.siblings._files.values()]  # as a fork has them
    for copy in copies:
        os.close(copy)
    assert second.look().processes == 2
    first.die()
    first.die()  # to leave twice is to leave
    assert second.look().processes == 1


def tried(what, folder):
    """See tests/support/worker_crashes.py."""
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-W", "error", "-m", "tests.support.worker_crashes", str(folder), what],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_kill_at_any_point_of_folding_or_joining_loses_and_doubles_nothing(tmp_path):
    folding, joining = map(int, tried("crashes", tmp_path).split())
    assert folding > 40
    assert joining > 40


def test_who_looks_while_files_are_folded_counts_each_once(tmp_path):
    assert int(tried("readers", tmp_path)) > 10


def test_no_request_is_lost_with_a_worker_that_is_killed_while_it_counts(tmp_path):
    assert int(tried("killed", tmp_path)) >= 3600


def test_the_child_of_a_worker_holds_no_membership_and_counts_nothing(tmp_path):
    assert (
        tried("forks", tmp_path)
        == (
            "2 processes, 0 running, 1 complaints, 1 processes, 0 running, 1 complaints"  # before and after its parent was killed
        )
    )


def test_workers_that_were_forked_after_the_app_was_loaded_count_from_zero(tmp_path):
    assert tried("preloaded", tmp_path) == "3 processes, 0 running, 2 complaints"
