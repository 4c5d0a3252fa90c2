"""A policy played through on paper meets the same fold, decide and judge as live; its changes happen only here."""

import pytest

from autoscaler.core.durations import DAY, HOUR, MINUTE
from autoscaler.core.evaluate import Ask
from autoscaler.core.observations import Signal, TierChanged
from autoscaler.core.rehearsal import Rehearsal, Terms
from autoscaler.core.why import Why
from tests.support.evidence import EVERY, MB, START, Load, a_policy, a_reading

UP = "memory_usage > 400MB for 30m"
DOWN = "memory_usage < 200MB for 1h"
QUICK = "evidence: {fit_window: 1h}"


class Rehearsed:
    """A rehearsal that is fed poll by poll."""

    def __init__(self, policy, tier="mvp", **terms):
        self.rehearsal = Rehearsal(policy, Terms(tier, EVERY, **terms))
        self.now = START
        self.verdicts = []

    def polls(self, hours, **load):
        for _ in range(round(hours * HOUR / EVERY)):
            self.now += EVERY
            self.rehearsal.observe(a_reading(self.now, Load(**load)))
            self.verdicts.append(self.rehearsal.look(self.now))
        return self

    @property
    def changes(self):
        return self.rehearsal.changes


def test_an_up_goes_live_after_its_deploy_and_the_rung_is_the_new_one_from_then_on():
    played = Rehearsed(a_policy(UP)).polls(0.6, memory=450 * MB)
    (change,) = played.changes
    assert (change.origin, change.target, change.ask) == ("mvp", "scaled", Ask.UP)
    assert change.at == START + EVERY + 30 * MINUTE
    assert change.live_at == change.at + 2 * MINUTE
    assert [reason.condition for reason in change.reasons] == [UP]
    assert (change.monthly_before, change.monthly_after) == (7.0, 25.0)
    on = {verdict.at: verdict.tier for verdict in played.verdicts}
    assert (on[change.live_at - EVERY], on[change.live_at]) == ("mvp", "scaled")
    assert played.rehearsal.tier == "scaled"


def test_while_the_new_instance_warms_up_nothing_is_evidence():
    played = Rehearsed(a_policy(UP)).polls(1, memory=450 * MB)
    (change,) = played.changes
    warm = change.live_at + 5 * MINUTE
    assert all(played.rehearsal.state.is_masked(at) for at in range(change.live_at, warm, EVERY))
    assert not played.rehearsal.state.is_masked(warm)


def test_the_way_down_waits_for_its_cooldown_which_counts_from_the_end_of_the_soak():
    played = Rehearsed(a_policy(UP, DOWN, more=f"{QUICK}\nguards: {{cooldown: {{down: 6h}}}}"))
    played.polls(0.6, memory=450 * MB).polls(12, memory=100 * MB)
    up, down = played.changes
    assert down.ask is Ask.DOWN
    assert up.ended_at == up.live_at + 15 * MINUTE
    assert down.at == up.ended_at + 6 * HOUR
    assert Why.COOLDOWN in {verdict.why for verdict in played.verdicts}


def test_the_days_changes_are_counted():
    policy = a_policy(UP, DOWN, more=f"{QUICK}\nguards: {{cooldown: {{up: 1m, down: 1m}}, max_changes: 2 per day}}")
    played = Rehearsed(policy).polls(0.6, memory=450 * MB).polls(3, memory=100 * MB).polls(21, memory=100 * MB)
    (up, down) = played.changes
    assert Why.MAX_CHANGES in {verdict.why for verdict in played.verdicts}
    assert down.at >= up.at + DAY


def test_the_budget_counts_what_was_spent_on_paper():
    played = Rehearsed(a_policy(UP, more="guards: {budget: {monthly: 8}}")).polls(1, memory=450 * MB)
    assert played.changes == ()
    assert played.verdicts[-1].why is Why.BUDGET


@pytest.mark.parametrize(
    ("policy", "asked"),
    (
        ({"mode": "observe"}, (Why.MODE_OBSERVE,)),
        ({"mode": "ask"}, (Why.MODE_ASK,)),
        ({"more": "approval: {scale_up: required}"}, (Why.APPROVAL_REQUIRED,)),
    ),
)
def test_what_has_to_be_asked_is_answered_yes_and_counted(policy, asked):
    (change,) = Rehearsed(a_policy(UP, **policy)).polls(1, memory=450 * MB).changes
    assert change.asked == asked
    without = Rehearsed(a_policy(UP, **policy), consents=False).polls(1, memory=450 * MB)
    assert without.changes == ()
    assert without.verdicts[-1].why is asked[0]


def test_a_yes_lifts_no_other_guard():
    policy = a_policy(UP, mode="observe", more="guards: {budget: {monthly: 8}}")
    played = Rehearsed(policy).polls(1, memory=450 * MB)
    assert played.changes == ()
    assert [blocker.why for blocker in played.verdicts[-1].blockers] == [Why.BUDGET]


def test_a_tier_change_made_by_people_overtakes_what_is_not_live_yet():
    played = Rehearsed(a_policy(UP), deploy=10 * MINUTE).polls(0.6, memory=450 * MB)
    assert played.changes[0].live_at is not None
    played.rehearsal.observe(TierChanged(played.now, "large", "pro", 1))
    played.polls(0.5, memory=450 * MB)
    (change,) = played.changes
    assert change.live_at is None
    assert played.rehearsal.tier == "large"


def test_a_signal_that_caused_an_up_is_spent_by_it():
    played = Rehearsed(a_policy("complaints >= 3 within 24h")).polls(0.1)
    played.rehearsal.observe(Signal(played.now, "complaints", 3.0))
    played.polls(1)
    (change,) = played.changes
    assert change.target == "scaled"
    played.rehearsal.observe(TierChanged(played.now, "mvp", "starter", 1))
    played.polls(0.1)
    assert len(played.changes) == 1


def test_verdicts_say_since_when_they_stand():
    played = Rehearsed(a_policy(UP)).polls(0.2)
    assert {verdict.since for verdict in played.verdicts} == {START + EVERY}


def test_a_tier_that_the_policy_does_not_have_is_refused_with_those_it_has():
    with pytest.raises(ValueError, match="no tier 'huge': mvp, scaled, large"):
        Rehearsed(a_policy(UP), "huge")
