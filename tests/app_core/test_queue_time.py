"""Queue time: how long a request waited in front of the process, as its proxy's X-Request-Start tells."""

import math
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app_core import ScalingMiddleware
from app_core.queue_time import waited
from app_core.tracker import Tracker
from tests.support.asgi import WINDOW, Clock, cgroup_v2, fetch, reply
from tests.support.counted import begin

NOW = 1_790_000_000.0  # in 2026
UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
YEARS = st.floats(1_000_000_000, 4_000_000_000)  # 2001 to 2096


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def measured(clock, tmp_path):
    async def app(scope, receive, send):
        await reply(send)

    return ScalingMiddleware(app, clock=clock, cgroup_root=cgroup_v2(tmp_path))


async def send_one(measured, seconds_ago, *, prefix=b"t="):
    """A request that the proxy took in so many seconds ago."""
    tracker = measured.instruments.tracker
    tracker.now()
    sent = tracker.wall_offset + tracker.clock() - seconds_ago
    return await fetch(measured, headers=[(b"host", b"here"), (b"x-request-start", prefix + b"%.6f" % sent)])


def queue(measured, window="1m"):
    return measured.instruments.tracker.view().queue_statistics(WINDOW[window])


@pytest.mark.parametrize("prefix", (b"", b"t="))
@pytest.mark.parametrize("unit", UNITS)
def test_every_unit_that_proxies_use_is_told_by_the_size_of_the_number(unit, prefix):
    sent = int((NOW - 0.25) * UNITS["ns"]) * UNITS[unit] // UNITS["ns"]
    assert waited(prefix + b"%d" % sent, NOW) == pytest.approx(0.25 if unit != "s" else 1, abs=1e-6)


@pytest.mark.parametrize(
    "value",
    (b"t=1789999999.5", b"  t=1789999999.5 ", b"1789999999.5, 1789999999.9", b"t=1789999999.5,t=1789999999.9"),
)
def test_decimals_blanks_and_the_first_of_several_values_are_read(value):
    assert waited(value, NOW) == pytest.approx(0.5)


@pytest.mark.parametrize(
    "value",
    (
        b"",
        b"t=",
        b"soon",
        b"t=soon",
        b"nan",
        b"inf",
        b"-inf",
        b"1e400",
        b"\xff\xfe",
        b"\0",
        b",1789999999",
        b"0",
        b"-1789999999",
        b"12345",
        b"1789996399",  # over an hour ago
        b"1790000002",  # two seconds ahead
        b"9" * 400,
    ),
)
def test_what_cannot_be_meant_so_is_left_out(value):
    assert waited(value, NOW) is None


def test_a_clock_slightly_ahead_of_ours_is_a_wait_of_0():
    assert waited(b"1790000000.9", NOW) == 0
    assert waited(b"1790000001.1", NOW) is None


@given(
    value=st.one_of(
        st.binary(), st.floats().map(lambda number: f"t={number}".encode()), st.integers().map(str).map(str.encode)
    )
)
def test_no_header_breaks_a_request_or_makes_an_absurd_wait(value):
    seconds = waited(value, NOW)
    assert seconds is None or 0 <= seconds <= 3600


@given(now=YEARS, wait=st.floats(0, 3500), unit=st.sampled_from(sorted(UNITS)))
def test_a_wait_comes_back_as_it_was_in_every_unit_and_year(now, wait, unit):
    sent = round((now - wait) * UNITS[unit])
    seconds = waited(b"t=%d" % sent, now)
    assert seconds == pytest.approx(wait, abs=1 if unit == "s" else 0.001)


async def test_each_request_is_measured_once_and_windows_tell_mean_p95_and_max(measured, clock):
    for _ in range(19):
        await send_one(measured, 0.1)
        clock.advance(0.01)
    await send_one(measured, 2.0)
    seen = queue(measured)
    assert seen.measured == 20
    assert seen.mean == pytest.approx((19 * 0.1 + 2) / 20, abs=0.02)
    assert seen.p95 == pytest.approx(0.1, abs=0.02)
    assert seen.max == pytest.approx(2.0, abs=0.02)
    clock.advance(12)
    assert queue(measured, "10s") == (0, None, None, None)
    assert queue(measured).measured == 20


async def test_the_longest_wait_is_of_the_second_and_the_window_that_it_came_in(measured, clock):
    await send_one(measured, 5)
    clock.advance(20)
    await send_one(measured, 0.5)
    assert queue(measured, "10s").max == pytest.approx(0.5, abs=0.02)
    assert queue(measured, "1m").max == pytest.approx(5, abs=0.02)


async def test_requests_without_the_header_or_with_a_wrong_one_are_no_measure(measured):
    await fetch(measured)
    await fetch(measured, headers=[(b"x-request-start", b"yesterday")])
    await fetch(measured, headers=[(b"x-request-starts", b"t=1")])
    assert queue(measured) == (0, None, None, None)
    assert measured.instruments.tracker.view().requests == 3


async def test_a_wall_clock_that_is_set_right_is_noticed_within_a_second(measured, clock):
    await fetch(measured)
    measured.instruments.tracker.wall_offset += 500  # as if the clock of the machine had been wrong until now
    clock.advance(1)
    await fetch(measured, headers=[(b"x-request-start", b"t=%.3f" % (time.time() - 0.25))])
    assert queue(measured).max == pytest.approx(0.25, abs=0.1)


async def test_of_several_headers_the_first_counts_alone(measured):
    tracker = measured.instruments.tracker
    tracker.now()
    headers = [(b"x-request-start", b"t=%.6f" % (tracker.wall_offset + tracker.clock() - ago)) for ago in (2, 1)]
    await fetch(measured, headers=headers)
    seen = queue(measured)
    assert (seen.measured, seen.max) == (1, pytest.approx(2, abs=0.02))


def serve(tracker, clock, rate, seconds):
    """As the middleware does it: so many requests a second, each with the header; gives when the measured ones came."""
    came = []
    for _ in range(round(rate * seconds)):
        clock.advance(1 / rate)
        exchange = begin(tracker)
        if tracker.queue_skip:
            tracker.queue_skip -= 1
        else:
            tracker.looked()
            tracker.queued(0.001)
            came.append(exchange.started)
        exchange.finish(error=False)
    return came


def test_requests_without_the_header_are_not_all_looked_through_either(clock):
    tracker = Tracker(clock)
    looks = 0
    for _ in range(3 * 20_000):
        clock.advance(1 / 20_000)
        begin(tracker).finish(error=False)
        if tracker.queue_skip:
            tracker.queue_skip -= 1
        else:
            tracker.looked()
            looks += 1
    assert looks < 20_000 + 2 * 200


def test_at_a_low_rate_every_request_is_measured(clock):
    assert len(serve(Tracker(clock), clock, rate=99, seconds=5)) == 495


@pytest.mark.parametrize("rate", (1_000, 20_000))
def test_at_a_high_rate_about_a_hundred_a_second_are_measured_and_evenly(clock, rate):
    tracker = Tracker(clock)
    serve(tracker, clock, rate, 2)
    came = serve(tracker, clock, rate, 3)
    assert len(came) == pytest.approx(300, rel=0.1)
    gaps = [later - earlier for earlier, later in pairwise(came)]
    assert max(gaps) <= 1.5 / 100


def test_when_the_rate_falls_every_request_is_measured_again_within_two_seconds(clock):
    tracker = Tracker(clock)
    serve(tracker, clock, 20_000, 2.5)
    serve(tracker, clock, 10, 2)
    assert len(serve(tracker, clock, 10, 3)) == 30


@settings(max_examples=30, deadline=None)
@given(rates=st.lists(st.sampled_from((1, 20, 90, 700)), min_size=1, max_size=4))
def test_after_any_changes_of_the_rate_the_share_settles_within_two_seconds(rates):
    clock = Clock()
    tracker = Tracker(clock)
    for rate in rates:
        serve(tracker, clock, rate, 2)
    measured = len(serve(tracker, clock, rates[-1], 1))
    assert measured == rates[-1] if rates[-1] < 100 else math.isclose(measured, 100, rel_tol=0.2)
