"""Worker processes add up what they count: through deaths, retirement, full disks and folders that somebody tampers with."""

import json
import os
import resource
import shutil
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app_core.instruments import _last_peak, _share
from app_core.ledger import QUARTER_HOUR, TEN_SECONDS, Kind
from app_core.siblings import Birth, Siblings
from tests.support.asgi import Clock
from tests.support.counted import count_together
from tests.support.workers import BIRTH, Worker, ledgers

LONG = QUARTER_HOUR.seconds + 2 * QUARTER_HOUR.slice_seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "family"


@pytest.fixture
def hire(folder, clock):
    """Start workers, who leave at the end."""
    with ExitStack() as at_the_end:

        def start(birth=BIRTH):
            worker = Worker(folder, clock, birth)
            at_the_end.callback(worker.die)
            return worker

        yield start


@contextmanager
def files_of_at_most(size):
    """As on a full disk: more is not written; the write that crosses the bound is cut short, the next one fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# Adding up


def test_every_worker_tells_the_numbers_of_all(hire):
    first, second = hire(), hire()
    first.serve(1, waits_for="openai")
    second.serve(3, error=True, waits_for="openai")
    second.begin()
    for view in (first.look(), second.look()):
        assert (view.processes, view.requests, view.errors, view.concurrent) == (2, 2, 1, 1)
        assert view.statistics(TEN_SECONDS).mean == pytest.approx(2)
        assert view.named(Kind.DEPENDENCY)["openai"] == pytest.approx([2, 0, 4, 0, 0])


def test_a_dead_worker_runs_nothing_and_what_it_counted_stays(hire, clock):
    dead, heir = hire(), hire()
    dead.serve()
    dead.begin()
    dead.die()
    view = heir.look()
    assert (view.processes, view.concurrent, view.requests) == (1, 0, 1)
    assert view.statistics(TEN_SECONDS).requests == 1
    clock.advance(20)
    view = hire().look()
    assert (view.processes, view.requests, view.statistics(TEN_SECONDS).requests) == (2, 1, 0)


def test_all_agree_on_who_the_instance_is(hire):
    first = hire()
    later = Birth("vm:2", "2026-11-01T09:00:00+00:00", 4800.0, 7.0)
    first.die()
    assert hire(later).siblings.birth == hire(later).siblings.birth == BIRTH


actions = st.one_of(
    st.tuples(st.just("join"), st.just(0)),
    st.tuples(st.just("die"), st.integers(0, 5)),
    st.tuples(st.just("begin"), st.integers(0, 5)),
    st.tuples(st.just("retire"), st.integers(0, 5)),
    st.tuples(st.just("pass"), st.sampled_from([0.4, 1.0, 70.0, 500.0, float(LONG)])),
    st.tuples(st.just("serve"), st.integers(0, 5), st.sampled_from([0.001, 0.1, 1 / 3, 9.7]), st.booleans()),
    st.tuples(st.just("serve"), st.integers(0, 5), st.sampled_from([0.001, 0.1, 1 / 3, 9.7]), st.booleans()),
)


class Plain:
    """What the workers should tell, kept in the simplest way."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.folder = folder
        self.workers: list[Worker] = []
        self.served: list[tuple[int, float, bool]] = []  # when, how long, whether it failed
        self.running: dict[Worker, int] = {}
        self.before = [0.0, 0.0, 0.0, 0.0]
        self.join(0)

    def join(self, _):
        worker = Worker(self.folder, self.clock)
        self.workers.append(worker)
        self.running[worker] = 0

    def of(self, number):
        return self.workers[number % len(self.workers)]

    def die(self, number):
        if len(self.workers) > 1:
            worker = self.of(number)
            worker.die()
            self.workers.remove(worker)
            del self.running[worker]

    def begin(self, number):
        self.of(number).begin()
        self.running[self.of(number)] += 1

    def retire(self, number):
        self.of(number).retire()

    def serve(self, number, seconds, error):
        self.of(number).serve(seconds, error=error, waits_for="database")
        self.served.append((int(self.clock.now), seconds, error))

    def pass_(self, seconds):
        self.clock.advance(seconds)

    def check(self):
        second = int(self.clock.now)
        oldest = QUARTER_HOUR.oldest(second) * QUARTER_HOUR.slice_seconds
        recent = [seconds for when, seconds, _ in self.served if when >= oldest]
        for worker in self.workers:
            view = worker.look()
            assert view.requests == len(self.served)
            assert view.errors == sum(error for *_, error in self.served)
            assert view.seconds == pytest.approx(sum(seconds for _, seconds, _ in self.served), abs=1e-3)
            assert view.concurrent == sum(self.running.values())
            assert view.processes == len(self.workers)
            statistics = view.statistics(QUARTER_HOUR)
            assert statistics.requests == len(recent)
            # A worker notes the longest once a second; of one that was killed before, its bin of the histogram tells.
            assert (statistics.max or 0) <= max(recent, default=0) * 1.001 <= max((statistics.max or 0) * 1.101, 0.0011)
            waited = view.named(Kind.DEPENDENCY).get("database", [0.0, 0.0, 0.0])[2]
            now = [view.requests, view.errors, view.seconds, waited]
            assert all(map(float.__le__, self.before, map(float, now))), f"{self.before} fell to {now}"
            self.before = list(map(float, now))


@settings(max_examples=60, deadline=None)
@given(st.lists(actions, max_size=40))
def test_totals_and_windows_are_those_of_a_plain_model_and_never_fall(happened):
    with TemporaryDirectory() as base:
        plain = Plain(Path(base) / "family")
        try:
            for name, *arguments in happened:
                getattr(plain, "pass_" if name == "pass" else name)(*arguments)
                plain.check()
        finally:
            for worker in plain.workers:
                worker.die()


# What Instruments make of it


@given(number=st.integers(1, 200), of=st.integers(1, 20))
def test_a_number_is_shared_out_evenly_and_in_full_with_one_for_each_at_least(number, of):
    shares = [_share(number, rank, of) for rank in range(of)]
    assert sum(shares) == max(number, of)
    assert max(shares) - min(shares) <= 1
    assert min(shares) >= 1


def test_nothing_is_shared_out_as_nothing():
    assert [_share(0, rank, 3) for rank in range(3)] == [0, 0, 0]  # which is how MAX_CONCURRENT is off


def test_peaks_of_the_same_second_are_added_up_and_those_of_long_ago_are_not(hire, clock):
    def joint():
        members = first.siblings.members()
        return sum(_last_peak(member.ledger, int(clock.now)) for member in members if member.alive)

    first, second = hire(), hire()
    count_together(first.tracker, 3)
    count_together(second.tracker, 4)
    assert joint() == 0  # the second is not over
    clock.advance(1)
    for worker in (first, second):
        worker.tracker.now()
    assert joint() == 7
    second.begin()
    second.begin()
    clock.advance(5)
    assert joint() == 2  # what runs now
    second.die()
    assert joint() == 0


# Retirement


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


def test_who_looks_while_another_folds_the_same_file_counts_it_once(hire, clock):
    first, second = hire(), hire()
    dead = hire()
    dead.serve()
    dead.die()
    clock.advance(LONG)
    first.siblings.members()
    second.siblings.members()  # both know that it is dead
    first.retire()
    assert second.look().requests == 1
    second.retire()
    assert first.look().requests == second.look().requests == 1


def test_while_another_is_at_it_nobody_folds(hire, folder, clock):
    first, second = hire(), hire()
    dead = hire()
    dead.die()
    clock.advance(LONG)
    with first.siblings._locked():
        second.retire()
        assert len(ledgers(folder)) == 3
    second.retire()
    assert len(ledgers(folder)) == 2


# A full disk


def test_on_a_full_disk_a_worker_does_not_join_and_leaves_nothing_behind(hire, folder):
    first = hire()
    with files_of_at_most(100_000), pytest.raises(OSError, match="File too large"):
        Siblings(folder, BIRTH)
    assert {path.name for path in folder.iterdir()} == {"instance.json", "lock", *ledgers(folder)}
    assert len(ledgers(folder)) == 1
    assert first.look().processes == 1
    assert hire().look().processes == 2


def test_on_a_full_disk_nothing_is_folded_lost_or_doubled(hire, folder, clock, caplog):
    dead, heir = hire(), hire()
    dead.serve()
    dead.die()
    clock.advance(LONG)
    with files_of_at_most(1000):
        for _ in range(3):
            heir.retire()
            assert heir.look().requests == 1
    assert [record.message for record in caplog.records] == [
        f"processes that start from now on may be missing from the numbers, since {folder} can't be used: [Errno 27] File too large"
    ]
    heir.retire()
    assert len(ledgers(folder)) == 1
    assert heir.look().requests == hire().look().requests == 1


# Folders that somebody tampered with


@pytest.mark.parametrize("content", ("", "{", "[]", '{"id": 1}', "null", "\udcff"))
def test_a_damaged_instance_file_is_told_to_who_would_join(hire, folder, content):
    hire()
    (folder / "instance.json").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(OSError, match=r"instance\.json is damaged, remove its folder"):
        Siblings(folder, BIRTH)
    assert len(ledgers(folder)) == 1


@pytest.mark.parametrize(
    "content", ("", "{", "[]", "{}", '{"files": [], "scalars": ["x"], "histograms": [], "named": []}')
)
def test_a_damaged_file_of_the_retired_is_told_to_who_would_join_and_others_count_on(hire, folder, content, caplog):
    first, second = hire(), hire()
    second.serve()
    assert first.look().requests == 1
    (folder / "retired.json").write_text(content)
    with pytest.raises(OSError, match=r"retired\.json is damaged, remove its folder"):
        Siblings(folder, BIRTH)
    second.serve()
    second.die()
    for _ in range(3):
        view = first.look()
        assert (view.requests, view.processes) == (2, 1)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "retired.json is damaged" in caplog.text


def test_a_file_of_another_size_is_told_to_who_would_join(hire, folder):
    hire()
    (folder / "1-2.ledger").write_bytes(b"\0" * 4096)
    with pytest.raises(OSError, match=r"1-2\.ledger has 4096 bytes instead of"):
        Siblings(folder, BIRTH)


def test_a_worker_counts_on_when_its_folder_is_gone(hire, folder, caplog):
    first, second = hire(), hire()
    second.serve()
    assert first.look().requests == 1
    shutil.rmtree(folder)
    first.serve()
    second.serve()
    for _ in range(3):
        assert (first.look().requests, first.look().processes) == (3, 2)
        first.retire()
    second.die()
    assert (first.look().requests, first.look().processes) == (3, 1)
    assert len(caplog.records) == 1
    assert str(folder) in caplog.text


def test_a_worker_whose_file_was_removed_still_knows_itself(hire, folder):
    first, second = hire(), hire()
    first.serve()
    (folder / ledgers(folder)[0]).unlink()
    view = first.look()
    assert view.requests == 1
    assert first.siblings.own in [member.ledger for member in first.siblings.members() if member.alive]
    assert second.look().processes == 1


def test_a_folder_of_another_user_is_refused(tmp_path):
    if os.geteuid() == 0:
        os.chown(tmp_path, 12345, -1)
        folder = tmp_path
    else:
        folder = Path("/")
    with pytest.raises(PermissionError, match="belongs to another user"):
        Siblings(folder, BIRTH)
    assert not (folder / "instance.json").exists()


def test_others_may_neither_read_nor_enter_the_folder(hire, folder):
    mask = os.umask(0)
    try:
        hire()
    finally:
        os.umask(mask)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_what_is_written_can_be_read_by_who_repairs_it(hire, folder, clock):
    dead, heir = hire(), hire()
    dead.serve()
    dead.die()
    clock.advance(LONG)
    heir.retire()
    assert json.loads((folder / "instance.json").read_text()) == BIRTH._asdict()
    assert sorted(json.loads((folder / "retired.json").read_text())) == ["files", "histograms", "named", "scalars"]
    assert not (folder / "draft").exists()


# Forks


def test_a_child_that_leaves_does_not_end_the_membership_of_its_parent(hire):
    first, second = hire(), hire()
    copies = [os.dup(file.lock) for file in first.siblings._files.values()]  # as a fork has them
    for copy in copies:
        os.close(copy)
    assert second.look().processes == 2
    first.die()
    first.die()  # to leave twice is to leave
    assert second.look().processes == 1


# Real processes


def tried(what, folder):
    """See tests/support/worker_crashes.py."""
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-W", "error", "-m", "tests.support.worker_crashes", str(folder), what],
        cwd=Path(__file__).parents[2],
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
