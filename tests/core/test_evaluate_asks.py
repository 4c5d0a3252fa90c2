"""What the evidence asks for: up beats down, any and all, floors, emergencies, the ends of the ladder."""

import pytest

from autoscaler.core.durations import HOUR, MINUTE
from autoscaler.core.evaluate import Ask, Role
from tests.support.evidence import EVERY, MB, START, Play, a_policy

BIG = "memory_usage > 400MB for 30m"
CROWDED = "concurrent_requests > 10 for 15m"


def _play(tier: str | None = "mvp", **parts: str) -> Play:
    play = Play(a_policy(**parts))
    play.on(tier)
    return play


def test_any_rule_upward_is_enough():
    play = _play(up=f"{BIG}, {CROWDED}")
    play.polls(minutes=31, concurrency=11)
    assert (play.decision.ask, play.decision.target) == (Ask.UP, "scaled")
    assert [reason.condition for reason in play.decision.reasons] == [CROWDED]


def test_all_rules_upward_must_hold_where_the_policy_says_all():
    play = _play(up=f"{BIG}, {CROWDED}", way="all")
    play.polls(minutes=31, concurrency=11)
    assert play.decision.ask is Ask.HOLD
    play.polls(minutes=31, concurrency=11, memory=450 * MB)
    assert play.decision.ask is Ask.UP
    assert len(play.decision.reasons) == 2


def test_every_rule_downward_must_hold():
    play = _play("scaled", down="memory_usage < 200MB for 1h, concurrent_requests < 5 for 2h")
    play.polls(hours=1.5, memory=150 * MB)
    assert play.decision.ask is Ask.HOLD
    play.polls(hours=1, memory=150 * MB)
    assert (play.decision.ask, play.decision.target) == (Ask.DOWN, "mvp")
    assert len(play.decision.reasons) == 2


def test_up_beats_down():
    play = _play("scaled", down="concurrent_requests < 5 for 1h")
    play.polls(hours=2, memory=1900 * MB, concurrency=1)
    assert (play.decision.ask, play.decision.target) == (Ask.UP, "large")


def test_one_rung_at_a_time():
    play = _play(more="alerts: [{name: rich, when: monthly_revenue >= 50, do: {at_least: large}}]")
    play.poll(business={"monthly_revenue": 99.0})
    assert (play.decision.floor, play.decision.target) == ("large", "scaled")


def test_an_emergency_may_name_a_rung():
    play = _play(more='emergency: {any: ["memory_percent > 95% for 2m"], to: large}')
    play.polls(minutes=2.5, memory=500 * MB)
    assert (play.decision.ask, play.decision.target, play.decision.emergency) == (Ask.UP, "large", True)


@pytest.mark.parametrize(
    ("tier", "to", "target"), (("scaled", "scaled", "large"), ("scaled", "mvp", "large"), ("large", "scaled", None))
)
def test_an_emergency_whose_rung_is_not_above_goes_one_up(tier, to, target):
    play = _play(tier, more=f'emergency: {{any: ["memory_percent > 95% for 2m"], to: {to}}}')
    play.polls(minutes=2.5, memory_percent=96)
    assert (play.decision.ask, play.decision.target, play.decision.emergency) == (Ask.UP, target, True)


def test_an_emergency_comes_before_an_ordinary_up():
    play = _play(more='emergency: {any: ["memory_percent > 95% for 2m"]}')
    play.polls(minutes=31, memory=500 * MB)
    assert play.decision.emergency
    assert [reason.role for reason in play.decision.reasons] == [Role.EMERGENCY]


def test_the_top_of_the_ladder_has_no_target():
    play = _play("large", more='emergency: {any: ["memory_percent > 95% for 2m"]}')
    play.polls(minutes=3, memory_percent=99)
    assert (play.decision.ask, play.decision.target) == (Ask.UP, None)


def test_the_bottom_of_the_ladder_asks_for_nothing_downward():
    policy_wide = "scale_down: {all: [concurrent_requests < 5 for 1h]}"
    play = _play("mvp", more=policy_wide)
    play.polls(hours=2)
    assert play.decision.ask is Ask.HOLD
    assert not [one for one in play.decision.progress if one.role is Role.DOWN]


@pytest.mark.parametrize("tier", (None, "somebody-elses"))
def test_off_the_ladder_nothing_is_asked(tier):
    play = _play()
    play.polls(hours=1, memory=500 * MB)
    play.state.tier = tier
    assert (play.decision.ask, play.decision.target, play.decision.tier) == (Ask.HOLD, None, tier)


def test_before_the_first_look_nothing_is_asked():
    play = Play(a_policy())
    play.polls(hours=1, memory=500 * MB)
    assert play.decision.ask is Ask.HOLD


@pytest.mark.parametrize("tier", ("mvp", None))
def test_alerts_are_told_on_the_ladder_and_off_it(tier):
    play = _play(tier, more="alerts: [{name: growth, when: daily_active_users >= 100, do: investigate}]")
    play.poll(business={"daily_active_users": 99.0})
    assert play.decision.alerts == ()
    play.poll(business={"daily_active_users": 100.0})
    assert play.decision.alerts == ("growth",)
    assert play.decision.ask is Ask.HOLD


def test_a_floor_by_an_alert_lifts_the_service_and_then_holds_it_there():
    play = _play(
        down="concurrent_requests < 5 for 1h",
        more="alerts: [{name: rich, when: monthly_revenue >= 50, do: {at_least: scaled}}]",
    )
    play.poll(business={"monthly_revenue": 50.0})
    assert (play.decision.ask, play.decision.target) == (Ask.UP, "scaled")
    assert [reason.role for reason in play.decision.reasons] == [Role.ALERT]
    play.on("scaled")
    play.polls(hours=2)
    assert (play.decision.ask, play.decision.floor) == (Ask.DOWN, "scaled")  # the guard FLOOR holds it


def test_a_floor_by_a_schedule_stands_in_its_hours():
    """START is Monday, 8 o'clock UTC."""
    play = _play(more='schedules: [{during: "mon-fri 09:00-10:00 UTC", at_least: scaled}]')
    assert play.until(lambda decision: decision.ask is Ask.UP, hours=3) == HOUR + EVERY
    assert play.decision.reasons[0].condition == "schedule mon-fri 09:00-10:00 UTC"
    assert play.until(lambda decision: decision.ask is Ask.HOLD, hours=3) == HOUR


def test_the_highest_of_several_floors_counts():
    play = _play(
        "scaled",
        more="alerts: [{name: rich, when: monthly_revenue >= 50, do: {at_least: scaled}}, {name: richer, when: monthly_revenue >= 90, do: {at_least: large}}]",
    )
    play.poll(business={"monthly_revenue": 60.0})
    assert (play.decision.floor, play.decision.ask) == ("scaled", Ask.HOLD)
    play.poll(business={"monthly_revenue": 95.0})
    assert (play.decision.floor, play.decision.target) == ("large", "large")
    assert [reason.condition for reason in play.decision.reasons] == ["monthly_revenue >= 90"]


def test_a_down_names_the_rules_that_would_send_the_smaller_tier_up_again():
    play = _play(
        "scaled",
        up=f"{CROWDED}, {BIG}",
        down="memory_usage < 300MB for 1h",
        more='emergency: {any: ["memory_percent > 95% for 2m"]}',
    )
    play.polls(hours=2, concurrency=12)
    assert play.decision.against == (CROWDED,)
    assert play.decision.ask is Ask.DOWN


def test_a_rule_that_needs_all_of_its_conditions_stands_in_the_way_with_all_of_them():
    play = _play("scaled", up=f"{CROWDED}, {BIG}", way="all", down="memory_usage < 300MB for 1h")
    play.polls(hours=2, concurrency=12)
    assert play.decision.ask is Ask.DOWN
    assert play.decision.against == ()


def test_a_down_says_what_would_not_fit_and_how_little_it_knows():
    play = _play("scaled", down="memory_usage < 390MB for 1h")
    play.polls(hours=2, memory=388 * MB)
    assert [misfit.metric.name for misfit in play.decision.misfits] == ["memory_usage"]
    assert play.decision.fit_note == "only 2h of 7d history"


def test_a_rule_of_the_whole_policy_serves_a_tier_without_its_own():
    play = _play("large", more="scale_down: {all: [concurrent_requests < 5 for 1h]}")
    play.polls(hours=2)
    assert (play.decision.ask, play.decision.target) == (Ask.DOWN, "scaled")


def test_without_a_window_the_latest_fresh_reading_counts():
    play = _play(up="memory_percent > 90%")
    play.poll(memory=500 * MB)
    assert play.decision.ask is Ask.UP
    play.miss()
    assert play.decision.ask is Ask.UP
    play.misses(minutes=1)
    assert play.decision.ask is Ask.HOLD
    assert play.progress("memory_percent > 90%").lacking == "no sample for 1m"


def test_a_function_is_held_by_its_own_window_first():
    text = "p95(loop_lag over 5m) > 100ms for 10m"
    play = _play(up=text)
    found = play.until(lambda decision: decision.ask is Ask.UP, hours=1, business={"loop_lag": 0.2})
    assert found == 15 * MINUTE + EVERY


def test_progress_tells_how_far_a_condition_is():
    play = _play()
    play.polls(minutes=15.5, memory=450 * MB)
    found = play.progress(BIG)
    assert (found.value, found.held, found.holds) == (450 * MB, 0.5, False)
    assert found.not_before == START + 30 * MINUTE
