"""Response time and error rate on the way up: ratios of sums over a trailing window, thin data, an app too slow to answer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.core.durations import HOUR, MINUTE
from autoscaler.core.evaluate import Ask
from autoscaler.core.observations import Miss
from tests.support.evidence import EVERY, START, Play, a_policy
from tests.support.oracle import pooled

SLOW = "avg_response_time > 8s for 1h"
FAILING = "error_rate > 5% for 1h"
TIMEOUT = 10_000


def _play(up: str = SLOW, **more: str) -> Play:
    play = Play(a_policy(up, **more))
    play.on("mvp")
    return play


def test_the_value_is_the_ratio_of_the_sums_and_never_the_mean_of_ratios():
    play = _play()
    play.poll()
    play.poll(requests=1, seconds=100.0)
    play.poll(requests=99, seconds=0.1)
    assert play.progress(SLOW).value == pytest.approx((100 + 9.9) / 100)


@given(loads=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 20)), min_size=1, max_size=60))
@settings(max_examples=50)
def test_requests_are_pooled_over_the_last_five_minutes(loads):
    play = _play()
    seen = []
    for requests, seconds in loads:
        play.poll(requests=requests, seconds=float(seconds))
        if play.now > START:  # the first reading has nothing to count from
            seen.append((play.now, float(requests * seconds), float(requests)))
        answers = [pooled(seen, play.now, 5 * MINUTE + within) for within in (0, 1)]
        if answers[0][1]:
            assert play.progress(SLOW).value in [pytest.approx(over / under) for over, under in answers]


def test_the_mean_of_a_ratio_is_a_ratio_of_sums():
    text = "mean(avg_response_time over 1h) > 5s"
    play = _play(text)
    play.polls(minutes=55, requests=100, seconds=1.0)
    play.polls(minutes=5, requests=1, seconds=100.0)
    play.polls(minutes=5)
    assert play.progress(text).value == pytest.approx((100 * 100 * 1.0 + 10 * 100) / (100 * 100 + 10), rel=0.02)
    assert not play.progress(text).holds


def test_an_empty_five_minutes_repeat_the_last_judgement():
    play = _play()
    play.polls(minutes=50, requests=5, seconds=9.0)
    play.polls(minutes=20)
    assert play.progress(SLOW).value == pytest.approx(9.0)
    assert play.progress(SLOW).holds


def test_it_fires_an_hour_after_the_first_slow_requests_and_not_before():
    play = _play()
    play.poll()
    assert play.until(lambda decision: decision.ask is Ask.UP, hours=2, requests=1, seconds=8.1) == HOUR + EVERY
    assert not _slow_hour(8.0)


def _slow_hour(seconds: float) -> bool:
    play = _play()
    play.polls(hours=2, requests=1, seconds=seconds)
    return play.decision.ask is Ask.UP


def test_one_good_five_minutes_begin_the_hour_anew():
    play = _play()
    play.polls(minutes=50, requests=2, seconds=9.0)
    play.polls(minutes=5, requests=20, seconds=0.1)
    play.polls(minutes=50, requests=2, seconds=9.0)
    assert not play.progress(SLOW).holds
    play.polls(minutes=30, requests=2, seconds=9.0)
    assert play.progress(SLOW).holds


def test_fewer_than_twenty_requests_are_no_evidence():
    play = _play()
    play.poll()
    for minute in range(0, 120, 7):  # about one in seven minutes: 8 or 9 an hour
        play.poll(requests=1, seconds=30.0)
        play.polls(minutes=6.5)
        assert not play.progress(SLOW).holds, minute
    assert play.progress(SLOW).lacking == "8 of 20 requests"


def test_requests_in_fewer_than_a_third_of_the_window_are_no_evidence():
    play = _play()
    play.poll()
    play.polls(minutes=5, requests=10, seconds=30.0)
    play.polls(minutes=56)
    assert play.progress(SLOW).value == pytest.approx(30.0)
    assert play.progress(SLOW).lacking == "requests in fewer than a third of its samples"
    assert play.decision.ask is Ask.HOLD


def test_a_thousand_requests_a_day_are_enough_to_fire():
    """At that rate 61 % of the polls see no request at all; judged poll by poll it could never fire."""
    play = _play()
    play.polls(hours=1)
    fired = None
    for poll in range(240):
        decision = play.poll(requests=1 if poll % 3 == 0 else 0, seconds=9.0)
        if decision.ask is Ask.UP:
            fired = poll * EVERY
            break
    assert fired == HOUR


def test_errors_are_a_share_of_the_requests():
    play = _play(FAILING)
    play.polls(hours=2, requests=100, errors=5)
    assert play.progress(FAILING).value == pytest.approx(5.0)
    assert play.decision.ask is Ask.HOLD
    play.polls(hours=2, requests=100, errors=6)
    assert play.decision.ask is Ask.UP


def test_an_app_too_slow_to_answer_is_not_invisible():
    play = _play()
    play.polls(hours=3, requests=20, seconds=0.5)
    play.misses(Miss.TIMED_OUT, minutes=75, timeout=TIMEOUT)
    assert play.progress(SLOW).value == pytest.approx(10.0)
    assert play.decision.ask is Ask.UP


def test_an_app_that_never_answered_at_all_is_not_invisible_either():
    play = _play()
    play.misses(Miss.TIMED_OUT, minutes=61, timeout=TIMEOUT)
    assert play.decision.ask is Ask.UP


def test_one_poll_that_timed_out_is_one_slow_request_among_many():
    play = _play()
    play.polls(minutes=10, requests=100, seconds=0.1)
    play.miss(Miss.TIMED_OUT, TIMEOUT)
    assert play.progress(SLOW).value == pytest.approx((1000 * 0.1 + 10) / 1001, rel=0.15)


@pytest.mark.parametrize("reason", (Miss.REFUSED, Miss.RESET, Miss.SERVER_ERROR, Miss.MISCONFIGURED, Miss.FROZEN))
def test_no_other_failed_poll_is_evidence(reason):
    play = _play(f"{SLOW}, {FAILING}, memory_usage > 400MB for 30m")
    play.misses(reason, minutes=180, timeout=TIMEOUT)
    assert play.decision.ask is Ask.HOLD
    assert all(progress.lacking for progress in play.decision.progress)


def test_a_timeout_shorter_than_the_bound_says_nothing():
    play = _play(timeout="5s")
    play.misses(Miss.TIMED_OUT, minutes=180, timeout=5_000)
    assert play.progress(SLOW).lacking == "no sample yet"


def test_errors_are_not_made_of_timeouts():
    play = _play(FAILING)
    play.polls(minutes=5, requests=100, errors=6)
    play.misses(Miss.TIMED_OUT, minutes=60, timeout=TIMEOUT)
    assert play.decision.ask is Ask.HOLD


def test_upwards_a_gap_is_neutral():
    play = _play()
    play.polls(minutes=30, requests=5, seconds=9.0)
    play.misses(minutes=10)
    play.polls(minutes=21, requests=5, seconds=9.0)
    assert play.decision.ask is Ask.UP
