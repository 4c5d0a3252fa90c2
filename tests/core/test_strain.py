"""Why a downgrade of ours is taken back: what the smaller tier's own up rules say over a quarter of their windows, memory, kills."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.core.conditions import parse_condition, quarter
from autoscaler.core.durations import HOUR, MINUTE
from autoscaler.core.evaluate import Ask
from autoscaler.core.observations import Signal
from autoscaler.core.state import State
from autoscaler.core.strain import strain
from tests.support.evidence import EVERY, MB, Play, a_policy

CROWDED = "concurrent_requests > 10 for 1h"
OURS = "chg-1"
BUSY = {"requests": 30.0, "seconds": 9.0, "concurrency": 12.0, "memory": 200 * MB}
CALM = {"requests": 30.0, "seconds": 0.2, "concurrency": 1.0, "memory": 200 * MB}


def a_play(up: str = CROWDED, *, by: str | None = OURS, before: float = 5) -> tuple[Play, int]:
    """On the smaller tier since a downgrade, which is the second value, ms."""
    play = Play(a_policy(f'"{up}"'))
    play.on("scaled")
    play.polls(minutes=before, **CALM)
    play.on("mvp", by=by)
    return play, play.now


def strained(play: Play, live_at: int) -> str:
    return strain(play.state, "mvp", live_at, play.now)


def until_strained(play: Play, live_at: int, **load: float) -> float | None:
    """In minutes."""
    begun = play.now
    for _ in range(4 * HOUR // EVERY):
        if strained(play, live_at):
            return (play.now - begun) / MINUTE
        play.poll(**load)
    return None


@pytest.mark.parametrize(
    ("rule", "minutes"),
    (
        ("concurrent_requests > 10 for 4h", 60.5),
        ("concurrent_requests > 10 for 1h", 15.5),
        ("concurrent_requests > 10 for 10m", 5.5),
        ("concurrent_requests > 10 for 3m", 3.5),
        ("concurrent_requests > 10", 0.5),
        ("concurrent_requests > 10 for 1h in 80% of samples", 15.5),
        ("p95(concurrent_requests over 1h) > 10", 15.5),
        ("mean(concurrent_requests over 1h) > 10", 15.5),
        ("max(concurrent_requests over 1h) > 10 for 40m", 25.5),
        ("avg_response_time > 8s for 1h", 15.5),
        ("mean(avg_response_time over 1h) > 8s", 15.5),
        ("avg_response_time > 8s for 1h in 80% of samples", 15.5),
    ),
)
def test_a_rule_of_any_form_speaks_after_a_quarter_of_its_window(rule, minutes):
    play, live_at = a_play(rule)
    assert until_strained(play, live_at, **BUSY) == minutes


@pytest.mark.parametrize("rule", (CROWDED, "avg_response_time > 8s for 1h", "p95(concurrent_requests over 1h) > 10"))
def test_a_quarter_of_a_window_asks_for_no_upgrade(rule):
    play, live_at = a_play(rule)
    play.polls(minutes=30, **BUSY)
    assert strained(play, live_at)
    assert play.decision.ask is Ask.HOLD


def test_it_says_which_rule_its_value_and_for_how_long():
    play, live_at = a_play()
    play.polls(minutes=20, **BUSY)
    assert strained(play, live_at) == "concurrent_requests > 10 for 1h has held for 15m of it (12)"
    play.polls(minutes=45, **BUSY)
    assert strained(play, live_at) == "concurrent_requests > 10 for 1h holds (12)"


def test_a_share_of_samples_counts_within_the_quarter_and_not_on_credit_of_the_whole():
    """The whole window bears twelve calm minutes; so do not the fifteen."""
    play, live_at = a_play("concurrent_requests > 10 for 1h in 80% of samples")
    play.polls(minutes=12, **CALM)
    assert until_strained(play, live_at, **BUSY) == 12.5


@pytest.mark.parametrize("rule", (CROWDED, "avg_response_time > 8s for 1h", "error_rate > 5% for 1h"))
def test_a_calm_app_is_enough_for_its_plan(rule):
    play, live_at = a_play(rule)
    assert until_strained(play, live_at, **CALM) is None


def test_one_calm_sample_begins_the_quarter_anew():
    play, live_at = a_play()
    play.polls(minutes=15, **BUSY)
    play.poll(**CALM)
    assert until_strained(play, live_at, **BUSY) == 15.5


def test_slow_answers_to_a_handful_of_requests_prove_nothing():
    play, live_at = a_play("avg_response_time > 8s for 1h")
    assert until_strained(play, live_at, **BUSY | {"requests": 0.1}) is None


def test_what_was_seen_on_the_larger_plan_is_not_held_against_the_smaller():
    play = Play(a_policy(f'"{CROWDED}"'))
    play.on("scaled")
    play.polls(minutes=59, **BUSY)
    play.on("mvp", by=OURS)
    assert until_strained(play, play.now, **BUSY) == 15.5


def test_masked_time_is_no_evidence():
    play, live_at = a_play()
    play.mask(minutes=30)
    play.polls(minutes=29.5, **BUSY)
    assert until_strained(play, live_at, **BUSY) == 15.5


@pytest.mark.parametrize(("after", "held"), ((0, False), (1, True)))
def test_what_is_counted_speaks_as_soon_as_it_holds(after, held):
    play = Play(a_policy("complaints >= 3 within 24h"))
    play.on("scaled")
    play.polls(minutes=5, **CALM)
    for _ in range(2):
        play.signal("complaints")
    play.on("mvp", by=OURS)
    live_at = play.now
    for _ in range(after):
        play.polls(minutes=1, **CALM)
        play.signal("complaints")
    assert bool(strained(play, live_at)) is held


# Memory and kills ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "said"), ((85.0, ""), (85.6, "memory is at 86% of its limit")))
def test_memory_near_its_limit_speaks_at_once(share, said):
    play, live_at = a_play()
    play.polls(minutes=6, **CALM)
    play.poll(**CALM, memory_percent=share)
    assert strained(play, live_at) == said


def test_memory_is_not_judged_while_the_new_instance_warms_up():
    play, live_at = a_play()
    assert until_strained(play, live_at, **CALM, memory_percent=90.0) == 5.0


def test_memory_of_before_the_downgrade_is_nothing():
    play = Play(a_policy(f'"{CROWDED}"'))
    play.on("scaled")
    play.polls(minutes=5, **CALM, memory_percent=95.0)
    play.on("mvp", by=OURS)
    assert strained(play, play.now + 1) == ""


@pytest.mark.parametrize(("late", "said"), ((-1, ""), (0, "an instance ran out of memory")))
def test_a_kill_since_it_went_live_speaks_at_once_also_during_the_warm_up(late, said):
    play, live_at = a_play()
    play.poll(**CALM)
    play.fold(Signal(live_at + late, "oom_kills"))
    assert strained(play, live_at) == said


# Not ours -----------------------------------------------------------------------------------------------------------------


def test_another_tier_that_runs_meanwhile_is_no_affair_of_the_downgrade():
    play, live_at = a_play()
    play.polls(minutes=10, **CALM)
    play.signal("oom_kills")
    play.on("scaled", by="chg-2")
    assert strained(play, live_at) == ""


def test_the_plan_that_a_person_chose_is_not_held_against_anything():
    play, live_at = a_play(by=None)
    play.polls(minutes=30, **BUSY)
    assert not play.state.shrunk
    assert strained(play, live_at) == ""


# Any load -----------------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(1, 45), st.booleans()), max_size=12))
@settings(max_examples=80, deadline=None)
def test_it_is_as_if_all_of_the_last_quarter_were_looked_at_again_and_a_restart_forgets_nothing(runs):
    play, live_at = a_play()
    seen: list[bool] = []
    for polls, busy in runs:
        for _ in range(polls):
            play.poll(**(BUSY if busy else CALM))
            seen.append(busy)
        last = seen[-(15 * MINUTE // EVERY + 1) :]
        assert bool(strained(play, live_at)) is (len(last) == 15 * MINUTE // EVERY + 1 and all(last))
    again = State(play.policy, EVERY)
    for one in play.seen:
        again.fold(one)
    assert strain(again, "mvp", live_at, play.now) == strained(play, live_at)


@given(st.integers(1, 48 * 60), st.sampled_from(("memory_usage > 1MB for {}m", "p95(memory_usage over {}m) > 1MB")))
def test_a_quarter_is_never_shorter_than_five_minutes_nor_longer_than_the_whole(minutes, sentence):
    condition = parse_condition(sentence.format(minutes))
    short = quarter(condition).window
    assert short == min(minutes * MINUTE, max(minutes * MINUTE // 4, 5 * MINUTE))
    assert (quarter(condition) is condition) is (short == condition.window)
