"""Event-loop lag, memory samples and the warnings of the settings, on a loop whose time stands still."""

import asyncio
import json
import logging

import pytest

from app_core.instruments import Instruments
from tests.support.asgi import WINDOW, Clock, cgroup_v2
from tests.support.counted import count

MIB = 1 << 20


class StillLoop(asyncio.AbstractEventLoop):
    """A loop that runs one timer at a time, as late as it is told."""

    def __init__(self):
        self.now = 50.0
        self.timers = []

    def time(self):
        return self.now

    def call_at(self, when, callback, *arguments, context=None):
        self.timers.append((when, callback, arguments))

    def run(self, *, late=0.0):
        when, callback, arguments = self.timers.pop(0)
        self.now = when + late
        callback(*arguments)


@pytest.fixture
def loop():
    return StillLoop()


@pytest.fixture
def root(tmp_path):
    return cgroup_v2(tmp_path, memory_current=str(100 * MIB))


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def instruments(root, clock):
    return Instruments(cgroup_root=root, clock=clock)


def looks(loop, number):
    for _ in range(number):
        loop.run()


def test_the_report_is_written_every_second(instruments, loop):
    def requests():
        return json.loads(instruments.report.json())["windows"]["10s"]["requests"]

    instruments.sampler.start(loop)
    looks(loop, 4)
    count(instruments.tracker)
    looks(loop, 3)
    assert requests() == 0
    looks(loop, 1)
    assert requests() == 1


def test_the_lag_is_the_longest_wait_of_the_last_ten_seconds(instruments, loop):
    sampler = instruments.sampler
    assert sampler.loop_lag is None
    sampler.start(loop)
    loop.run()
    assert sampler.loop_lag == 0
    loop.run(late=0.75)
    loop.run(late=0.01)
    assert sampler.loop_lag == pytest.approx(0.75)
    looks(loop, 38)
    assert sampler.loop_lag == pytest.approx(0.75)
    loop.run()
    assert sampler.loop_lag == pytest.approx(0.01)


def test_starting_again_on_the_same_loop_does_nothing_and_another_loop_takes_over(instruments, loop):
    sampler = instruments.sampler
    sampler.start(loop)
    sampler.start(loop)
    assert len(loop.timers) == 1
    other = StillLoop()
    sampler.start(other)
    loop.run(late=9)
    assert not loop.timers
    assert sampler.loop_lag is None
    other.run()
    assert sampler.loop_lag == 0


def test_memory_is_averaged_over_time_and_not_over_polls(instruments, loop, clock, root):
    instruments.sampler.start(loop)
    (root / "memory.current").write_text(str(300 * MIB))
    clock.advance(5)
    looks(loop, 19)
    assert instruments.tracker.view().mean_memory(WINDOW["15m"]) == 100 * MIB
    loop.run()
    assert instruments.tracker.view().mean_memory(WINDOW["15m"]) == 200 * MIB
    clock.advance(1000)
    assert instruments.tracker.view().mean_memory(WINDOW["15m"]) is None


def test_memory_above_its_threshold_is_logged_once_until_it_fell(root, loop, caplog):
    instruments = Instruments(cgroup_root=root, clock=loop.time)
    caplog.set_level(logging.WARNING, "app_core")
    (root / "memory.current").write_text(str(351 * MIB))
    instruments.sampler.start(loop)
    assert caplog.messages == ["memory in use is 351 MB, above MEMORY_WARNING_MB=350"]
    looks(loop, 20)
    (root / "memory.current").write_text(str(340 * MIB))
    looks(loop, 20)
    (root / "memory.current").write_text(str(360 * MIB))
    looks(loop, 20)
    assert len(caplog.messages) == 1  # it never fell by a tenth
    (root / "memory.current").write_text(str(300 * MIB))
    looks(loop, 20)
    (root / "memory.current").write_text(str(360 * MIB))
    looks(loop, 20)
    assert len(caplog.messages) == 2


def test_slow_responses_are_logged(instruments, loop, caplog):
    caplog.set_level(logging.WARNING, "app_core")
    instruments.sampler.start(loop)
    count(instruments.tracker, took=6)
    looks(loop, 40)
    assert caplog.messages == ["responses took 6.0 s on average over 1 minute, above RESPONSE_TIME_WARNING=5"]


def test_a_threshold_of_zero_is_off(root, loop, caplog, monkeypatch):
    monkeypatch.setenv("MEMORY_WARNING_MB", "0")
    monkeypatch.setenv("RESPONSE_TIME_WARNING", "0")
    instruments = Instruments(cgroup_root=root)
    count(instruments.tracker, took=600)
    instruments.sampler.start(loop)
    looks(loop, 40)
    assert not caplog.messages
