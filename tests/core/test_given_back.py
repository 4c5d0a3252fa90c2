"""What a schedule raised is given back when it ends: without windows, as soon as what is used fits and no up rule is building."""

from dataclasses import replace

import pytest

from autoscaler.core.durations import DAY, HOUR, MINUTE
from autoscaler.core.evaluate import Ask
from autoscaler.core.guards import judge
from autoscaler.core.rehearsal import Rehearsal, Terms
from autoscaler.core.why import Why
from tests.support.evidence import EVERY, MB, START, Load, Play, a_policy, a_reading, facts

UP = "memory_usage > 400MB for 30m"
SCHEDULE = 'schedules: [{during: "mon 08:00-10:00 UTC", at_least: scaled}]'
"""START is Monday, 8 o'clock UTC."""
CALM = {"memory": 150 * MB, "concurrency": 1}


def _lent(up: str = UP, more: str = SCHEDULE, **load) -> Play:
    """Ten minutes before the schedule ends, on the rung that it raised."""
    play = Play(a_policy(up, more=more))
    play.on("mvp")
    play.polls(minutes=5, **CALM)
    play.on("scaled", by="chg-1", scheduled=True)
    play.polls(minutes=105, **CALM | load)
    return play


def _why(play: Play) -> Why:
    return judge(play.policy, play.decision, facts()).why


def test_it_goes_down_with_the_first_poll_after_its_schedule():
    play = _lent()
    assert play.decision.ask is Ask.HOLD
    assert play.until(lambda decision: decision.ask is Ask.DOWN, hours=1, **CALM) == 10 * MINUTE + EVERY
    decision = play.decision
    assert (decision.target, decision.scheduled) == ("mvp", True)
    assert [reason.condition for reason in decision.reasons] == ["the schedule is over"]
    assert _why(play) is Why.GO


def test_a_rung_that_no_schedule_raised_waits_for_its_windows():
    play = Play(a_policy(more=SCHEDULE))
    play.on("scaled")
    play.polls(hours=3, **CALM)
    assert play.decision.ask is Ask.HOLD


def test_a_rung_that_rules_raised_while_the_schedule_ran_is_not_given_back():
    play = _lent()
    play.on("large", by="chg-2")
    play.polls(hours=1, **CALM)
    assert play.decision.ask is Ask.HOLD


def test_the_load_of_the_working_day_does_not_keep_it_when_it_has_gone():
    """Seven days of peaks would: a schedule is there because of them."""
    play = _lent(memory=390 * MB, concurrency=12)
    play.polls(minutes=12, **CALM)
    assert _why(play) is Why.DOES_NOT_FIT
    play.polls(minutes=15, **CALM)
    assert _why(play) is Why.GO


def test_what_does_not_fit_now_stays():
    play = _lent()
    play.polls(hours=3, memory=390 * MB, concurrency=1)
    assert _why(play) is Why.DOES_NOT_FIT


@pytest.mark.parametrize(
    ("up", "load"),
    (
        (UP, {"memory": 410 * MB}),
        ("concurrent_requests > 4 for 30m", {"concurrency": 5}),
        ("avg_response_time > 8s for 1h", {"requests": 9, "seconds": 9.0}),
        ("memory_percent > 80%", {"memory_percent": 81.0}),
    ),
)
def test_an_up_rule_that_is_building_keeps_it(up, load):
    play = _lent(up)
    play.polls(minutes=12, **CALM | load)
    assert play.decision.building == (up,)
    assert Why.UP_BUILDING in {blocker.why for blocker in judge(play.policy, play.decision, facts()).blockers}


def test_a_complaint_builds_nothing():
    play = _lent("complaints >= 3 within 24h")
    play.signal("complaints")
    play.polls(minutes=12, **CALM)
    assert _why(play) is Why.GO
    play.signal("complaints", 2.0)
    assert play.decision.building == ("complaints >= 3 within 24h",)


def test_a_floor_that_goes_on_keeps_it():
    rich = "alerts: [{name: rich, when: monthly_revenue >= 50, do: {at_least: scaled}}]"
    play = _lent(more=f"{SCHEDULE}\n{rich}")
    play.signal("monthly_revenue", 60.0)
    play.polls(hours=1, **CALM)
    assert play.decision.ask is Ask.HOLD


def test_what_two_rungs_were_raised_is_given_back_rung_by_rung():
    play = _lent(more=SCHEDULE.replace("scaled}", "large}"))
    play.on("large", by="chg-2", scheduled=True)
    play.polls(minutes=15, **CALM)
    assert (play.decision.target, play.decision.scheduled) == ("scaled", True)
    play.on("scaled", by="chg-3", scheduled=True)
    play.polls(minutes=5, **CALM)
    assert (play.decision.target, play.decision.scheduled) == ("mvp", True)
    play.on("mvp", by="chg-4", scheduled=True)
    play.polls(minutes=5, **CALM)
    assert play.decision.ask is Ask.HOLD


def test_working_days_go_up_and_down_by_the_clock_and_teach_nothing():
    """Two weeks: ten mornings up, ten evenings down, and no window, cooldown or lesson in the way."""
    hours = 'schedules: [{during: "mon-fri 08:00-20:00 UTC", at_least: scaled}]'
    policy = a_policy(more=f"{hours}\nguards: {{max_changes: 2 per day}}")
    rehearsal, every = Rehearsal(policy, Terms("mvp", 5 * MINUTE)), 5 * MINUTE
    for at in range(START - HOUR, START + 14 * DAY, every):
        rehearsal.observe(a_reading(at, Load(**CALM), every=every))
        rehearsal.look(at)
    directions = [change.ask for change in rehearsal.changes]
    assert directions == [Ask.UP, Ask.DOWN] * 10
    for up, down in zip(rehearsal.changes[::2], rehearsal.changes[1::2], strict=True):
        assert down.at - up.at == 12 * HOUR
    assert rehearsal.state.lessons.patience(policy.tiers[1]) == 1


def test_the_end_of_a_schedule_does_not_pass_what_people_decided():
    play = _lent()
    play.polls(minutes=12, **CALM)
    observed = a_policy(more=SCHEDULE, mode="observe")
    assert judge(observed, play.decision, facts()).why is Why.MODE_OBSERVE
    assert judge(play.policy, replace(play.decision, taken_over_at=play.now), facts()).why is Why.RESPECT
