"""Worker processes add up what they count: every one of them tells the numbers of all."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app_core.ledger import QUARTER_HOUR, TEN_SECONDS, Kind
from app_core.siblings import Birth
from tests.support.asgi import Clock
from tests.support.workers import BIRTH, LONG, Worker


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
