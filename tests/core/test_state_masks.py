"""Masks: what an app shows while it starts says nothing about its plan. Windows run on unmasked time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.core.durations import DAY, HOUR, MINUTE
from autoscaler.core.evaluate import Ask
from autoscaler.core.observations import Masked, Miss, TierChanged
from tests.support.evidence import EVERY, MB, START, Play, a_policy

BIG = "memory_usage > 400MB for 30m"
CROWDED = "concurrent_requests > 10 for 30m"
EMERGENCY = (
    'emergency: {any: ["memory_percent > 95% for 2m", "concurrent_requests > 50 for 2m", "oom_kills >= 2 within 10m"]}'
)
WARM_UP = 5 * MINUTE


def _play(up: str = CROWDED, more: str = "") -> Play:
    play = Play(a_policy(up, more=more))
    play.on("mvp")
    return play


@given(masks=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 30)), max_size=8))
@settings(max_examples=60)
def test_the_clock_stands_still_for_exactly_the_union_of_the_masks(masks):
    play = _play()
    spans, at = [], START
    for later, length in masks:
        at += later * MINUTE
        spans.append((at, at + length * MINUTE))
        play.fold(Masked(at, at + length * MINUTE, "deploy"))
        for now in (at, at + MINUTE, at + 10 * MINUTE, at + 90 * MINUTE):
            masked = {minute for begun, until in spans for minute in range(begun, min(until, now), MINUTE)}
            assert play.state.unmasked(now) == now - len(masked) * MINUTE
            assert play.state.is_masked(now) == any(begun <= now < until for begun, until in spans)


def test_masked_readings_are_no_evidence():
    play = _play()
    play.mask(minutes=60)
    play.polls(minutes=59, concurrency=11)
    assert play.progress(CROWDED).lacking == "no sample yet"


def test_masked_time_is_no_gap():
    play = _play()
    play.polls(minutes=20, concurrency=11)
    play.mask(minutes=60)
    play.polls(minutes=59.5, concurrency=1)
    assert play.until(lambda decision: decision.ask is Ask.UP, hours=1, concurrency=11) == 11 * MINUTE


def test_two_minutes_never_hold_on_nothing():
    play = _play(more=EMERGENCY)
    play.polls(minutes=1, concurrency=51)
    play.mask(minutes=10)
    for _ in range(19):
        assert play.poll(concurrency=51).ask is Ask.HOLD
    assert play.until(lambda decision: decision.emergency, hours=1, concurrency=51) == 2 * MINUTE


def test_polls_that_fail_while_an_instance_starts_are_no_evidence():
    away = "alerts: [{name: away, when: unreachable for 2m, do: notify}]"
    play = _play("avg_response_time > 8s for 2m, poll_timeouts >= 3 within 1h", more=away)
    play.mask(minutes=10)
    play.misses(Miss.TIMED_OUT, minutes=9, timeout=10_000)
    assert all(progress.value in (None, 0) for progress in play.decision.progress if progress.role != "down")
    play.misses(Miss.TIMED_OUT, minutes=4, timeout=10_000)
    assert len(play.decision.reasons) == 2
    assert play.decision.alerts == ("away",)


def test_a_new_instance_is_masked_until_it_is_warm():
    play = _play()
    play.polls(hours=1)
    play.new_process()
    play.poll(memory=500 * MB)
    assert play.state.is_masked(play.now)
    assert play.state.is_masked(play.now - EVERY + WARM_UP - 1)
    assert not play.state.is_masked(play.now - EVERY + WARM_UP)


def test_a_process_that_began_anew_in_the_same_instance_is_masked_too():
    play = _play()
    play.polls(hours=1)
    play.new_process(instance="srv-abc123-1")
    play.poll(memory=500 * MB)
    assert play.state.is_masked(play.now)


def test_the_same_process_is_not_masked_again():
    play = _play()
    play.polls(hours=1)
    play.new_process()
    play.polls(hours=1)
    assert play.state.clock.masks == 1


def test_an_instance_that_has_long_been_warm_is_not_masked_when_it_is_first_seen():
    play = _play()
    play.poll()
    assert not play.state.is_masked(play.now)


def test_another_instance_that_has_long_been_warm_is_not_masked():
    """Two instances take turns to answer: neither is new."""
    play = _play()
    for turn in range(60):
        play.new_process(f"srv-abc123-{turn % 2}", started_at=START - DAY)
        play.poll(memory=500 * MB)
    assert play.state.clock.masks == 0
    assert not play.state.is_deploy_loop(play.now)


def test_an_app_that_does_not_say_who_it_is_is_never_masked_by_itself():
    play = _play()
    play._identity = {"instance": None, "started_at": None}
    play.polls(hours=1)
    assert play.state.clock.masks == 0


def test_an_app_that_says_its_instance_but_not_its_start_is_masked_from_the_first_sight_of_another():
    play = _play()
    play._identity = {"instance": "a", "started_at": None}
    play.polls(minutes=10)
    assert play.state.clock.masks == 0
    play._identity = {"instance": "b", "started_at": None}
    play.poll()
    assert play.state.is_masked(play.now + WARM_UP - 1)
    assert not play.state.is_masked(play.now + WARM_UP)


def test_a_start_in_the_future_masks_no_longer_than_one_that_is_now():
    play = _play()
    play.polls(minutes=10)
    play.new_process(started_at=play.now + DAY)
    play.poll()
    assert not play.state.is_masked(play.now + WARM_UP)


def test_masks_that_overlap_are_one():
    play = _play()
    play.mask(minutes=10)
    play.polls(minutes=5)
    play.mask(minutes=10)
    play.polls(minutes=9.5)
    assert play.state.is_masked(play.now)
    play.poll()
    assert not play.state.is_masked(play.now)
    assert play.state.clock.masks == 1


def test_a_mask_that_is_over_before_it_begins_is_none():
    play = _play()
    play.mask(minutes=0)
    assert play.state.clock.masks == 0


def test_three_masks_in_an_hour_are_a_deploy_loop():
    play = _play()
    for _ in range(2):
        play.mask(minutes=5)
        play.polls(minutes=29)
    assert not play.decision.deploy_loop
    play.mask(minutes=5)
    assert play.decision.deploy_loop
    play.polls(minutes=2)
    assert play.decision.deploy_loop
    play.polls(minutes=1)
    assert not play.decision.deploy_loop


@pytest.mark.parametrize("masked", (True, False))
def test_a_kill_for_want_of_memory_is_never_masked(masked):
    play = _play(more=EMERGENCY)
    play.polls(minutes=5)
    if masked:
        play.mask(minutes=30)
    play.polls(minutes=1)
    play.signal("oom_kills")
    assert play.decision.ask is Ask.HOLD
    play.polls(minutes=9)
    play.signal("oom_kills")
    assert play.decision.emergency
    assert play.decision.reasons[0].metric == "oom_kills"


def test_memory_is_not_masked_by_a_start_or_a_deploy():
    """An app that fills its memory while it starts needs more of it: a loop of kills would be masked from end to end."""
    play = _play(BIG, more=EMERGENCY)
    play.polls(minutes=5)
    play.new_process()
    assert play.until(lambda decision: decision.emergency, hours=1, memory=500 * MB) == 2 * MINUTE + EVERY
    assert play.state.is_masked(play.now)
    assert play.progress(BIG).held > 0


def test_memory_is_masked_after_our_own_downgrade_until_the_app_is_warm():
    play = _play(BIG, more=EMERGENCY)
    play.on("scaled")
    play.polls(minutes=5)
    play.fold(TierChanged(play.now, "mvp", "starter", 1, by="chg-1"))
    play.polls(minutes=4.5, memory=500 * MB)
    assert play.progress(BIG).lacking == "no sample yet"
    assert play.until(lambda decision: decision.emergency, hours=1, memory=500 * MB) == 2 * MINUTE + EVERY


def test_memory_is_not_masked_after_a_downgrade_by_somebody_else():
    play = _play(BIG, more=EMERGENCY)
    play.on("scaled")
    play.polls(minutes=5)
    play.on("mvp")
    assert play.until(lambda decision: decision.emergency, hours=1, memory=500 * MB) == 2 * MINUTE + EVERY


def test_a_reading_from_a_mask_shows_who_answers_all_the_same():
    play = _play()
    play.polls(minutes=5)
    play.new_process("srv-abc123-9")
    play.poll()
    assert play.state.reading is not None
    assert play.state.reading.instance == "srv-abc123-9"


def test_the_earliest_time_is_told_on_the_wall_clock():
    play = _play()
    play.polls(minutes=10, concurrency=11)
    play.mask(minutes=20)
    assert play.progress(CROWDED).not_before == play.now + 20 * MINUTE + 30 * MINUTE - 9.5 * MINUTE
    play.polls(minutes=10, concurrency=11)
    assert play.progress(CROWDED).not_before == play.now + 10 * MINUTE + 30 * MINUTE - 9.5 * MINUTE
    assert play.state.unmasked(play.now + HOUR) == play.now + HOUR - 20 * MINUTE
