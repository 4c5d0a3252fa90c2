"""A downgrade must leave room for the peaks that were seen; what was not seen does not fit by itself."""

from dataclasses import replace
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.durations import DAY, HOUR, MINUTE
from autoscaler.core.evaluate import Ask
from autoscaler.core.fit import Peaks
from autoscaler.core.observations import Reading
from autoscaler.policyfile import load_text
from tests.support.evidence import EVERY, MB, START, Load, Play, a_policy, a_reading

POLICY = a_policy()
MVP = POLICY.tiers[0]
"""starter: 0.5 cores, 512 MB, eight at once."""


def _peaks(*loads: Load, window: int = 7 * DAY, instances: int = 1) -> Peaks:
    peaks = Peaks(window)
    for poll, load in enumerate(loads):
        peaks.add(a_reading(START + poll * EVERY, load), instances)
    return peaks


def _misfits(peaks: Peaks, headroom: float = 0.25) -> set[str]:
    return {misfit.metric.name for misfit in peaks.misfits(MVP, headroom)}


@pytest.mark.parametrize(
    ("load", "misfit"),
    (
        (Load(memory=384 * MB, concurrency=6, cpu=0.375), set()),
        (Load(memory=384 * MB + 1), {"memory_usage"}),
        (Load(concurrency=7), {"concurrent_requests"}),
        (Load(cpu=0.376), {"cpu_percent"}),
        (Load(memory=2000 * MB, concurrency=20, cpu=1.0), {"memory_usage", "concurrent_requests", "cpu_percent"}),
    ),
)
def test_each_peak_leaves_the_headroom_free(load, misfit):
    assert _misfits(_peaks(load)) == misfit


@given(memory=st.lists(st.integers(100, 900), min_size=1, max_size=200), headroom=st.integers(0, 90))
def test_memory_is_the_highest_of_the_window(memory, headroom):
    peaks = _peaks(*(Load(memory=one * MB) for one in memory), window=HOUR)
    room = 512 * (1 - headroom / 100)
    expected = max(memory[-121:]) > room
    within_a_bucket = max(memory[-131:]) > room  # what is kept slides by five minutes
    assert ("memory_usage" in _misfits(peaks, headroom / 100)) in {expected, within_a_bucket}


def test_cpu_is_the_95th_percentile_of_five_minutes():
    calm, busy = [Load(cpu=0.1)] * 10, [Load(cpu=0.5)] * 10
    assert _misfits(_peaks(*(calm * 19), *busy)) == set()
    assert _misfits(_peaks(*(calm * 18), *busy, *busy)) == {"cpu_percent"}
    assert _misfits(_peaks(*([Load(cpu=0.1)] * 9 + [Load(cpu=0.9)]) * 20)) == set()  # a spike within them is averaged


def test_peaks_leave_with_the_window():
    peaks = _peaks(Load(memory=500 * MB), *[Load()] * 119, window=HOUR)
    assert _misfits(peaks) == {"memory_usage"}
    peaks.add(a_reading(START + HOUR + 6 * MINUTE, Load()), 1)
    assert _misfits(peaks) == set()


def test_what_two_instances_shared_falls_on_one():
    peaks = _peaks(Load(memory=300 * MB, concurrency=4, cpu=0.3), instances=2)
    assert _misfits(peaks) == {"concurrent_requests", "cpu_percent"}  # each has its own memory


def test_going_from_two_instances_to_one_is_judged_by_what_both_did():
    policy = load_text(
        """\
version: 1
mode: act
service: {id: srv-abc123, health: {url: "https://app.example.com/h"}}
tiers:
  - {name: one, plan: standard}
  - {name: two, plan: standard, instances: 2, scale_down: {all: [memory_usage < 600MB for 1h]}}
evidence: {fit_window: 1h}
""",
        "two.yaml",
    ).policy
    play = Play(policy)
    play.on("two")
    play.polls(hours=2, cpu=0.7)
    assert [misfit.metric.name for misfit in play.decision.misfits] == ["cpu_percent"]
    assert play.decision.misfits[0].peak == pytest.approx(140)


def test_less_history_than_the_window_is_said():
    peaks = _peaks(*[Load()] * 2880)
    assert peaks.note(MVP) == "only 1d of 7d history"
    assert _peaks(*[Load()] * 61, window=30 * MINUTE).note(MVP) == ""
    assert Peaks(HOUR).note(MVP).startswith("only 0s of 1h history")


def test_a_hole_in_the_history_is_no_history():
    peaks = _peaks(*[Load()] * 10)
    for poll in range(10):
        peaks.add(a_reading(START + 7 * DAY - HOUR + poll * EVERY, Load()), 1)
    assert peaks.note(MVP) == "only 10m of 7d history"


@pytest.mark.parametrize("name", ("memory_usage", "concurrent_requests"))
def test_what_the_app_never_told_is_said_and_not_taken_for_nothing(name):
    peaks = Peaks(30 * MINUTE)
    for poll in range(61):
        reading = a_reading(START + poll * EVERY, Load())
        gauges = {metric: value for metric, value in reading.gauges.items() if metric != name}
        peaks.add(replace(reading, gauges=gauges), 1)
    assert peaks.note(MVP) == f"nobody told its {name}"
    assert _misfits(peaks) == set()


def test_the_fit_looks_back_over_the_longer_of_its_own_and_the_down_windows():
    short = 'evidence: {fit_window: "1h"}'
    play = Play(a_policy("error_rate > 5% for 1h", "avg_response_time < 3s for 3h", more=short))
    play.on("scaled")
    play.polls(minutes=30, memory=500 * MB)
    play.polls(minutes=155)
    assert play.decision.ask is Ask.DOWN
    assert [misfit.metric.name for misfit in play.decision.misfits] == ["memory_usage"]


def test_what_a_starting_instance_uses_is_no_peak():
    play = Play(a_policy(down="memory_usage < 200MB for 1h", more="evidence: {fit_window: 1h}"))
    play.on("scaled")
    play.mask(minutes=5)
    play.polls(minutes=4.5, memory=510 * MB)
    play.polls(hours=2, memory=150 * MB)
    assert play.decision.ask is Ask.DOWN
    assert play.decision.misfits == ()


def _plainly(seen: list[tuple[Reading, int]], window: int, since: int) -> dict[str, float]:
    """Of all readings in the five minutes that reach into the window."""
    step, now = min(5 * MINUTE, window // 12), seen[-1][0].at
    buckets: dict[int, list[tuple[Reading, int]]] = {}
    for one, instances in seen:
        start = one.at // step * step
        if start + step > max(now - window, since):
            buckets.setdefault(start, []).append((one, instances))
    inside = [pair for bucket in buckets.values() for pair in bucket]
    cores = sorted(
        sum(one.increases["cpu_seconds"] * instances for one, instances in bucket)
        / sum(one.increases["seconds"] for one, _ in bucket)
        for bucket in buckets.values()
    )
    return {
        "memory_usage": max(one.gauges["memory_usage"] for one, _ in inside),
        "concurrent_requests": max(one.gauges["concurrent_requests"] * instances for one, instances in inside),
        "cpu_percent": cores[ceil(len(cores) * 0.95) - 1] / MVP.size.cpu * 100,
    }


@given(
    polls=st.lists(
        st.tuples(
            st.sampled_from((1, 1, 1, 7, 40)),
            st.integers(1, 900),
            st.integers(0, 20),
            st.integers(0, 9),
            st.integers(1, 2),
        ),
        min_size=1,
        max_size=120,
    ),
    window=st.sampled_from((30 * MINUTE, HOUR, DAY)),
    recent=st.integers(1, 20),
)
def test_the_peaks_are_those_of_a_plain_recount(polls, window, recent):
    peaks, seen, at = Peaks(window), [], START
    for later, memory, concurrency, cpu, instances in polls:
        at += later * EVERY
        seen.append((a_reading(at, Load(memory=memory * MB, concurrency=concurrency, cpu=cpu / 10)), instances))
        peaks.add(*seen[-1])
    for since in (0, at - recent * MINUTE):
        found = {misfit.metric.name: misfit.peak for misfit in peaks.misfits(MVP, 1.0, since)}
        assert found == pytest.approx({name: peak for name, peak in _plainly(seen, window, since).items() if peak > 0})
