"""What a backtest tells: verdicts when they change, when conditions held, time past a bound, cost."""

import pytest

from autoscaler.core.backtest import Interval, Stay, backtest, differences
from autoscaler.core.durations import DAY, HOUR, MINUTE
from autoscaler.core.observations import Miss, Missed, Signal
from autoscaler.core.recording import recorded
from autoscaler.core.rehearsal import Terms
from autoscaler.core.why import Why
from tests.support.evidence import EVERY, MB, START, Load, a_policy, a_reading

UP = "memory_usage > 400MB for 30m"
DOWN = "memory_usage < 200MB for 1h"
QUICK = "evidence: {fit_window: 1h}"


def a_recording(*parts):
    """(hours, memory in MB) after (hours, memory); None is a miss."""
    seen, at = [], START
    for hours, memory in parts:
        for _ in range(round(hours * HOUR / EVERY)):
            seen.append(Missed(at, Miss.REFUSED) if memory is None else a_reading(at, Load(memory=memory * MB)))
            at += EVERY
    return recorded("made up", seen)


def played(policy, *parts, tier="mvp", **more):
    return backtest("p.yaml", policy, a_recording(*parts), Terms(tier, EVERY, **more))


def test_verdicts_are_kept_when_they_differ_from_the_one_before():
    done = played(a_policy(UP), (1, 250), (1, 450))
    assert [one.why for one in done.verdicts] == [Why.STEADY, Why.GO, Why.CHANGE_OPEN, Why.STEADY]
    assert done.verdicts[1].at == START + HOUR + 30 * MINUTE
    assert done.misses == 0


def test_each_condition_tells_when_it_held():
    done = played(a_policy(UP), (1, 250), (1, 450))
    go = START + HOUR + 30 * MINUTE
    assert done.holding == {UP: (Interval(go, go + 2 * MINUTE),)}  # until the new plan runs, where the rule is no more


def test_what_holds_at_the_end_held_until_then():
    done = played(a_policy(UP, mode="observe"), (1, 450), consents=False)
    assert done.holding[UP] == (Interval(START + 30 * MINUTE, done.recording.ended),)


def test_time_past_a_bound_counts_from_the_first_bad_value_and_on_the_rung_of_that_time():
    done = played(a_policy(UP), (1, 250), (2, 450), (1, 250))
    assert done.breach_before == 2 * HOUR - 5 * MINUTE  # what a starting instance shows counts neither way
    assert done.breach_after == 32 * MINUTE


def test_without_any_change_both_times_past_a_bound_are_the_same():
    done = played(a_policy(UP), (1, 250), (0.25, 450), (1, 250))
    assert done.breach_before == done.breach_after == 15 * MINUTE


def test_a_gap_counts_as_no_breach_and_misses_are_counted():
    done = played(a_policy("memory_usage > 400MB for 5h"), (0.5, 450), (2, None), (0.5, 450))
    assert done.breach_before == HOUR - EVERY  # after the last poll nobody knows
    assert done.misses == 240


def test_a_hole_in_the_recording_counts_as_no_more_than_a_lost_poll():
    seen = [a_reading(START + minute * MINUTE, Load(memory=450 * MB)) for minute in (0, 120, 240)]
    done = backtest("p.yaml", a_policy("memory_usage > 400MB for 5h"), recorded("holes", seen), Terms("mvp", MINUTE))
    assert done.breach_before == 2 * 2.5 * MINUTE


def test_costs_are_those_of_the_stays_spread_over_the_month():
    done = played(a_policy(UP), (24, 450))
    month = 30 * DAY
    up = done.changes[0].live_at
    length = done.recording.ended - START
    assert done.stays == (Stay("mvp", START, up), Stay("scaled", up, done.recording.ended))
    assert done.costs.never == pytest.approx(7 * length / month)
    assert done.costs.largest == pytest.approx(85 * length / month)
    assert done.costs.policy == pytest.approx((7 * (up - START) + 25 * (done.recording.ended - up)) / month)


def test_costs_go_over_the_end_of_a_month():
    seen = [a_reading(START + day * DAY, Load()) for day in range(60)]  # 1 June to 30 July
    done = backtest("p.yaml", a_policy(UP), recorded("long", seen), Terms("mvp", DAY))
    june, july = 30 - 8 / 24, 29 + 8 / 24
    assert done.costs.never == pytest.approx(7 * (june / 30 + july / 31))


def test_changes_a_week_are_those_of_the_recording_s_length():
    done = played(a_policy(UP, DOWN, more=QUICK), (1, 450), (47, 100), (1, 450), (35, 100))
    assert len(done.changes) == 4
    assert done.changes_a_week == pytest.approx(4 * 7 * DAY / done.length)


def test_signals_of_a_poll_count_in_the_look_at_that_poll():
    policy = a_policy("complaints >= 3 within 24h")
    seen = [a_reading(START, Load()), Signal(START, "complaints", 3.0), a_reading(START + EVERY, Load())]
    done = backtest("p.yaml", policy, recorded("made up", seen), Terms("mvp", EVERY))
    assert [change.at for change in done.changes] == [START]


def test_what_render_tells_counts_from_the_next_poll_on():
    policy = a_policy(more="emergency: {any: [oom_kills >= 1 within 10m]}")
    seen = [a_reading(START, Load()), Signal(START, "oom_kills", who="evt-1"), a_reading(START + EVERY, Load())]
    done = backtest("p.yaml", policy, recorded("made up", seen), Terms("mvp", EVERY))
    assert [change.at for change in done.changes] == [START + EVERY]


def test_metrics_that_the_recording_does_not_tell_are_named():
    done = played(
        a_policy(f"{UP}, db_pool_usage > 90% for 1h, avg_response_time > 8s for 1h, complaints >= 3 within 24h"),
        (1, 250),
    )
    assert done.untold == ("db_pool_usage",)


def test_two_policies_differ_when_their_rungs_do():
    quick, slow = a_policy(UP), a_policy("memory_usage > 400MB for 2h")
    first, second = played(quick, (1, 250), (3, 450)), played(slow, (1, 250), (3, 450))
    (difference,) = differences(first, second)
    assert (difference.first, difference.second) == ("scaled", "mvp")
    assert (difference.begun, difference.ended) == (first.changes[0].live_at, second.changes[0].live_at)
    assert differences(first, first) == ()


def test_curves_hold_every_metric_with_its_bounds_and_how_full_each_window_was():
    recording = a_recording((1, 250), (1, 450))
    done = backtest("p.yaml", a_policy(UP), recording, Terms("mvp", EVERY), curves=True)
    (curve,) = done.curves
    assert [bound.condition.text for bound in curve.bounds] == [
        UP,
        "memory_usage > 1800MB for 30m",
        "memory_usage < 200MB for 48h",
    ]
    assert (curve.points[0].last / MB, curve.points[-1].last / MB) == (250, 450)
    filling = next(one for one in done.fillings if one.condition == UP)
    assert max(held for _, held in filling.points) == 1.0


def test_curves_stay_as_fine_as_a_screen_however_long_the_recording():
    seen = [a_reading(START + step * EVERY, Load(memory=(250 + step % 2) * MB)) for step in range(5000)]
    done = backtest("p.yaml", a_policy(UP), recorded("long", seen), Terms("mvp", EVERY), curves=True)
    (curve,) = done.curves
    assert len(curve.points) <= 481
    assert {(point.low / MB, point.high / MB) for point in curve.points} == {(250, 251)}


def test_a_recording_without_a_poll_is_refused():
    with pytest.raises(ValueError, match="no poll"):
        recorded("nothing", [Signal(START, "complaints")])
