"""The way down: every gauge sample under its bound, ratios pooled over the whole window, idle is calm, silence never is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.core.durations import HOUR, MINUTE
from autoscaler.core.evaluate import Ask
from autoscaler.core.observations import Miss
from tests.support.evidence import EVERY, MB, Play, a_policy

FAST = "avg_response_time < 3s for 2h"
SMALL = "memory_usage < 200MB for 2h"
SLOW = "avg_response_time > 8s for 1h"


def _play(down: str = FAST, up: str = SLOW, **more: str) -> Play:
    play = Play(a_policy(up, down, **more))
    play.on("scaled")
    return play


def test_a_ratio_is_pooled_over_the_whole_window():
    """One slow quarter of an hour among two busy fast hours does not matter; judged sample by sample it would."""
    play = _play()
    play.polls(hours=1, requests=100, seconds=1.0)
    play.polls(minutes=15, requests=30, seconds=7.0)
    play.polls(minutes=46, requests=100, seconds=1.0)
    standing = play.progress(FAST)
    assert standing.holds
    assert standing.value == pytest.approx((210 * 100 + 30 * 30 * 7) / (210 * 100 + 30 * 30), rel=0.01)


def test_a_peak_that_would_send_the_smaller_tier_up_stands_in_the_way_until_it_leaves_the_window():
    play = _play()
    play.polls(hours=2, requests=100, seconds=1.0)
    play.polls(minutes=10, requests=100, seconds=9.0)
    assert play.progress(FAST).lacking == "a peak in its window would send the smaller tier up"
    play.polls(minutes=110, requests=100, seconds=1.0)
    assert not play.progress(FAST).holds
    play.polls(minutes=20, requests=100, seconds=1.0)
    assert play.progress(FAST).holds


def test_a_peak_of_fewer_than_twenty_requests_is_somebodys_bad_luck():
    play = _play()
    play.polls(hours=1, requests=0)
    play.polls(minutes=1, requests=9, seconds=9.0)
    play.polls(hours=1, requests=100, seconds=0.5)
    assert play.progress(FAST).holds


def test_without_a_rule_that_sends_the_smaller_tier_up_there_is_no_peak():
    play = _play(up="memory_usage > 400MB for 30m")
    play.polls(hours=1, requests=100, seconds=1.0)
    play.polls(minutes=10, requests=30, seconds=9.0)
    play.polls(hours=1, requests=100, seconds=1.0)
    assert play.progress(FAST).holds


def test_the_lowest_of_several_upper_bounds_is_the_ceiling():
    play = _play(up=f"{SLOW}, avg_response_time > 5s for 2h")
    play.polls(hours=1, requests=100, seconds=1.0)
    play.polls(minutes=15, requests=100, seconds=6.0)
    play.polls(hours=1, requests=100, seconds=1.0)
    assert play.progress(FAST).lacking == "a peak in its window would send the smaller tier up"


def test_idle_all_day_is_calm():
    play = _play(f"{FAST}, {SMALL}, error_rate < 1% for 2h")
    play.polls(minutes=1, memory=100 * MB)
    assert play.until(lambda decision: decision.ask is Ask.DOWN, hours=3, memory=100 * MB) == 2 * HOUR - EVERY


def test_requests_that_hang_are_no_calm():
    play = _play()
    play.polls(hours=2, minutes=1, requests=10)
    assert play.progress(FAST).holds
    play.polls(minutes=2, stalled=True)
    assert not play.progress(FAST).holds


@pytest.mark.parametrize("reason", tuple(Miss))
def test_a_window_never_fills_with_failed_polls(reason):
    play = _play(f"{FAST}, {SMALL}")
    play.polls(hours=1, requests=1, memory=100 * MB)
    play.misses(reason, minutes=60, timeout=10_000)
    play.polls(minutes=1, memory=100 * MB)
    assert play.decision.ask is Ask.HOLD


@pytest.mark.parametrize("down", (FAST, SMALL, "error_rate < 1% for 2h", "memory_usage < 200MB for 24h"))
def test_nothing_comes_down_while_the_app_is_silent(down):
    """A long window bears a gap of half an hour within it. But an app that does not answer now is in no state to shrink."""
    play = _play(down)
    play.polls(hours=25, requests=1, memory=100 * MB)
    assert play.decision.ask is Ask.DOWN
    play.miss()
    assert play.decision.ask is Ask.DOWN  # one poll may always be lost
    play.misses(minutes=2)
    assert play.decision.ask is Ask.HOLD
    play.poll(requests=1, memory=100 * MB)
    assert play.decision.ask is Ask.DOWN


KINDS = st.lists(st.sampled_from(("calm", "calm", "calm", "calm", "calm", "calm", "miss", "stall")), max_size=60)


@given(kinds=KINDS)
@settings(max_examples=60)
def test_a_down_never_holds_with_less_than_nine_in_ten_samples(kinds):
    """Of the 61 samples of half an hour six may be lost, and the poll of this very moment."""
    play = _play("avg_response_time < 3s for 30m")
    play.polls(minutes=40, requests=1)
    for kind in kinds:
        if kind == "miss":
            play.miss()
        else:
            play.poll(requests=1, stalled=kind == "stall")
    lost = sum(kind != "calm" for kind in kinds)
    if lost > 7:
        assert play.decision.ask is Ask.HOLD
    if not lost:
        assert play.decision.ask is Ask.DOWN


@given(peak=st.integers(0, 240))
def test_one_sample_over_the_bound_anywhere_in_the_window_is_enough_to_stay(peak):
    play = _play(SMALL)
    for poll in range(241):
        play.poll(memory=(201 if poll == peak else 150) * MB)
    assert play.decision.ask is Ask.HOLD


def test_it_comes_down_after_the_window_and_not_before():
    play = _play(SMALL)
    assert play.until(lambda decision: decision.ask is Ask.DOWN, hours=3, memory=150 * MB) == 2 * HOUR + EVERY


def test_a_state_that_is_not_calm_is_seen_on_the_way_down_too():
    play = _play(SMALL, up="stalled for 10m")
    play.polls(hours=3, memory=150 * MB)
    assert play.decision.ask is Ask.DOWN
    play.polls(minutes=11, stalled=True, memory=150 * MB)
    assert play.decision.against == ("stalled for 10m",)


def test_masked_time_neither_fills_the_window_nor_breaks_it():
    play = _play("concurrent_requests < 5 for 2h")
    play.polls(hours=1, concurrency=1)
    play.mask(minutes=45)
    play.polls(minutes=44.5, concurrency=9)
    play.polls(minutes=60, concurrency=1)
    assert play.decision.ask is Ask.HOLD
    play.polls(minutes=2, concurrency=1)
    assert play.decision.ask is Ask.DOWN
    assert play.now - play.seen[1].at >= 2 * HOUR + 45 * MINUTE
