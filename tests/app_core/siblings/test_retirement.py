"""The files of workers that died long ago are folded into one: nothing is lost, nothing counts twice, nothing falls."""

import os
import shutil
from random import Random

import pytest

from app_core.ledger import QUARTER_HOUR, Kind
from tests.support.workers import LONG, Worker, ledgers, open_files


def test_a_file_that_no_window_needs_is_folded_and_counts_on(hire, folder, clock):
    dead, heir = hire(), hire()
    dead.serve(2, error=True, waits_for="openai")
    dead.die()
    heir.retire()
    assert len(ledgers(folder)) == 2
    clock.advance(LONG)
    heir.retire()
    assert len(ledgers(folder)) == 1
    for worker in (heir, hire()):
        view = worker.look()
        assert (view.requests, view.errors) == (1, 1)
        assert view.named(Kind.DEPENDENCY) == {"openai": pytest.approx([1, 0, 2, 0, 0])}
        assert view.statistics(QUARTER_HOUR).requests == 0


def test_what_was_folded_is_folded_again_with_what_died_later(hire, folder, clock):
    heir = hire()
    for number in range(1, 4):
        dead = hire()
        dead.serve(waits_for=f"service-{number}")
        dead.die()
        clock.advance(LONG)
        heir.retire()
        assert heir.look().requests == number
    assert len(ledgers(folder)) == 1
    assert set(hire().look().named(Kind.DEPENDENCY)) == {"service-1", "service-2", "service-3"}


def test_workers_that_die_every_moment_leave_64_files_at_most(hire, folder):
    heir = hire()
    for _ in range(70):
        dead = hire()
        dead.serve()
        dead.die()
    heir.retire()
    assert len(ledgers(folder)) == 65
    assert heir.look().requests == hire().look().requests == 70


def test_no_total_of_seconds_falls_by_a_rounding(hire, clock):
    """A sum of the same numbers in another order may differ in its last digit, and a counter that fell began anew."""
    random = Random(1)
    heir = hire()
    heir.serve(random.random())
    for _ in range(40):
        for _ in range(3):
            dead = hire()
            dead.serve(random.random() * 3, waits_for="openai")
            dead.die()
        clock.advance(LONG)
        heir.serve(random.random(), waits_for="openai")
        before = heir.look()
        heir.retire()
        after = heir.look()
        assert after.requests == before.requests
        assert before.seconds <= after.seconds <= before.seconds + 1e-5
        assert before.named(Kind.DEPENDENCY)["openai"][2] <= after.named(Kind.DEPENDENCY)["openai"][2]


def test_who_folds_what_another_has_folded_meanwhile_loses_and_doubles_nothing(hire, clock):
    first, second, dead, later_dead = (hire() for _ in range(4))
    for worker in (dead, later_dead):
        worker.serve()
    dead.die()
    second.siblings.members()  # which knows of this one, and does not look again
    later_dead.die()
    clock.advance(LONG)
    first.retire()
    second.siblings.retire(int(clock.now))
    assert first.look().requests == second.look().requests == 2


def test_while_another_is_at_it_nobody_folds(hire, folder, clock, caplog):
    first, second = hire(), hire()
    dead = hire()
    dead.die()
    clock.advance(LONG)
    with first.siblings._locked():
        second.retire()
        assert len(ledgers(folder)) == 3
    second.retire()
    assert len(ledgers(folder)) == 2
    assert not caplog.messages


def test_a_file_is_kept_as_long_as_a_window_needs_it(hire, folder, clock):
    dead, heir = hire(), hire()
    dead.serve()
    dead.die()
    clock.advance(QUARTER_HOUR.seconds + QUARTER_HOUR.slice_seconds - 1)
    heir.retire()
    assert heir.look().statistics(QUARTER_HOUR).requests == 1
    clock.advance(1)
    assert heir.look().statistics(QUARTER_HOUR).requests == 0


def killed_before_it_removed(dead, heir, folder, clock):
    """The file of a dead worker is counted in retired.json already, and nobody came to remove it."""
    name = dead.siblings._name
    dead.serve()
    shutil.copy(folder / name, folder / "copy")
    dead.die()
    clock.advance(LONG)
    heir.retire()
    (folder / "copy").rename(folder / name)
    return name


def test_a_file_that_a_kill_left_counts_once_and_is_removed_by_who_folds_next(hire, folder, clock):
    dead, next_dead, heir = hire(), hire(), hire()
    left = killed_before_it_removed(dead, heir, folder, clock)
    assert heir.look().requests == 1
    next_dead.serve()
    next_dead.die()
    clock.advance(LONG)
    heir.retire()
    assert left not in ledgers(folder)
    assert heir.look().requests == hire().look().requests == 2


def test_a_file_that_a_kill_left_is_removed_by_who_joins_next(hire, folder, clock):
    left = killed_before_it_removed(hire(), hire(), folder, clock)
    assert left in ledgers(folder)
    assert hire().look().requests == 1
    assert left not in ledgers(folder)


def test_what_was_folded_is_held_open_no_longer(hire, folder, clock):
    heir = hire()
    before = open_files()
    for _ in range(3):
        dead = Worker(folder, clock)
        heir.look()
        dead.die()
        del dead  # and its map
        clock.advance(LONG)
        heir.retire()
    assert open_files() == before


def test_a_child_that_is_forked_while_the_folder_is_locked_does_not_hold_the_lock(hire, folder, clock):
    first, second = hire(), hire()
    hire().die()
    clock.advance(LONG)
    with first.siblings._locked():
        lock = next(file for file in open_files() if is_open_on(file, folder / "lock"))
        of_the_child = os.dup(int(lock.name))
    second.retire()
    os.close(of_the_child)
    assert len(ledgers(folder)) == 2


def is_open_on(file, path):
    return file.exists() and file.samefile(path)
