"""Event-loop lag, memory samples and the warnings of the settings, on a loop whose time stands still."""

import asyncio
import json
import logging
import time

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


def lag(instruments):
    return json.loads(instruments.report.json())["resources"]["loop_lag_seconds"]


def test_the_lag_is_the_longest_wait_of_the_last_ten_seconds(instruments, loop):
    assert lag(instruments) is None
    instruments.sampler.start(loop)
    loop.run()
    assert lag(instruments) == 0
    loop.run(late=0.75)
    loop.run(late=0.01)
    assert lag(instruments) == pytest.approx(0.75)
    looks(loop, 38)
    assert lag(instruments) == pytest.approx(0.75)
    loop.run()
    assert lag(instruments) == pytest.approx(0.01)


def test_starting_again_on_the_same_loop_does_nothing_and_another_loop_takes_over(instruments, loop):
    sampler = instruments.sampler
    sampler.start(loop)
    sampler.start(loop)
    assert len(loop.timers) == 1
    other = StillLoop()
    sampler.start(other)
    loop.run(late=9)
    assert not loop.timers
    assert lag(instruments) is None
    other.run()
    assert lag(instruments) == 0


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


@pytest.mark.parametrize(("cpu_max", "limit", "share"), (("50000 100000", 0.5, 0.5), ("max 100000", None, None)))
def test_the_cpu_is_told_as_cores_and_as_the_share_of_the_limit_over_the_last_minute(
    loop, clock, root, cpu_max, limit, share
):
    def used(seconds):
        (root / "cpu.stat").write_text(f"usage_usec {int(seconds * 1e6)}\n")

    def resources():
        return json.loads(instruments.report.json())["resources"]

    (root / "cpu.max").write_text(cpu_max)
    used(100)
    instruments = Instruments(cgroup_root=root, clock=clock)
    assert (resources()["cpu_used_cores"], resources()["cpu_share"]) == (None, None)  # as nothing was seen yet
    instruments.sampler.start(loop)
    clock.advance(10)
    used(102.5)
    told = resources()
    assert (told["cpu_used_cores"], told["cpu_limit_cores"], told["cpu_share"]) == (0.25, limit, share)
    assert json.loads(instruments.report.json())["counters"]["cpu_seconds_total"] == 2.5
    for _ in range(20):
        clock.advance(5)
        looks(loop, 20)
    assert resources()["cpu_used_cores"] == 0  # what was used long ago is forgotten


def test_without_a_control_group_the_cpu_is_what_the_process_used(loop, clock, tmp_path):
    instruments = Instruments(cgroup_root=tmp_path / "nothing", clock=clock)
    before = instruments.cpu_seconds(instruments.view())
    until = time.process_time() + 0.02
    while time.process_time() < until:
        pass
    assert instruments.cpu_seconds(instruments.view()) >= before + 0.02


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
