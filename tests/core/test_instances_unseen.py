"""Nothing comes down while not all of its instances were heard: one that is calm says nothing of the others."""

from dataclasses import replace

from autoscaler.core.durations import MINUTE
from autoscaler.core.evaluate import Ask, decide
from autoscaler.core.guards import judge
from autoscaler.core.observations import TierChanged
from autoscaler.core.rehearsal import Rehearsal, Terms
from autoscaler.core.samples import Sample, measured
from autoscaler.core.state import State
from autoscaler.core.together import Heard
from autoscaler.core.why import Why
from tests.support.balanced import HOT, POLICY, Fleet, Instance, by_chance, in_turn, policy, two
from tests.support.evidence import EVERY, START, facts


def test_where_all_were_heard_nothing_holds_the_down():
    fleet = Fleet()
    fleet.polls(by_chance(*two()), 35)
    assert fleet.why_down() == []


def test_where_the_balancer_always_takes_the_same_one_the_down_is_held():
    fleet, (a, _) = Fleet(), two()
    fleet.polls(in_turn(a), 35)
    assert fleet.why_down() == ["of its 2 instances only 1 was heard within 5m"]


def test_two_of_three_are_not_all():
    fleet = Fleet(tier="three")
    fleet.polls(in_turn(*two()), 35)
    assert fleet.why_down() == ["of its 3 instances only 2 were heard within 9m"]


def test_where_reports_do_not_say_whose_they_are_the_down_is_held():
    fleet, heard = Fleet(), two(tells=())
    fleet.policy = policy(POLICY.replace("avg_response_time < 500ms for 30m, ", ""))
    fleet.__post_init__()
    fleet.polls(in_turn(*heard), 35)
    assert fleet.why_down() == ["its report does not say which of its 2 instances answers"]


def test_one_that_shows_itself_at_the_very_end_has_not_been_calm_all_along():
    fleet, (a, b) = Fleet(), two()
    fleet.polls(in_turn(a), 33)
    fleet.polls(in_turn(b), 2)
    assert fleet.why_down() == ["all of its 2 instances were heard in 5% of the last 30m"]
    fleet.polls(in_turn(a, b), 24)
    assert fleet.why_down() != []
    fleet.polls(in_turn(a, b), 3)
    assert fleet.why_down() == []


def test_one_that_falls_silent_holds_the_down_until_it_is_heard_again():
    fleet, (a, b) = Fleet(), two()
    fleet.polls(in_turn(a, b), 35)
    fleet.polls(in_turn(a), 5.5)
    assert fleet.why_down() == []
    fleet.poll(a)
    assert fleet.why_down() == ["of its 2 instances only 1 was heard within 5m"]
    fleet.poll(b)
    assert fleet.why_down() == []


def test_an_up_goes_by_what_is_seen():
    fleet, (a, _) = Fleet(), two(**HOT)
    fleet.polls(in_turn(a), 15)
    assert judge(fleet.policy, fleet.decision, facts()).goes


def test_what_a_schedule_raised_is_given_back_by_what_is_heard_at_the_time():
    heard = Heard(runs=2, fresh=2, within=1, lately=2, named=True, gap="a gap")
    assert heard.lacking(autoscaled=False, at_once=True) == ""
    assert heard.lacking(autoscaled=False, at_once=False) == "a gap"
    assert replace(heard, fresh=1).lacking(autoscaled=False, at_once=True) != ""


def test_under_renders_own_autoscaling_it_is_who_was_heard_that_counts():
    fleet, (a, b) = Fleet(), two()
    fleet.polls(in_turn(a), 35)
    assert fleet.why_down(render_autoscaling=True) == []
    fleet.polls(in_turn(a, b), 5)
    assert fleet.why_down(render_autoscaling=True) == []
    fleet.polls(in_turn(a), 6)
    assert fleet.why_down(render_autoscaling=True) == ["of 2 instances of the last hour only 1 was heard within 5m"]
    fleet.polls(in_turn(a), 60)
    assert fleet.why_down(render_autoscaling=True) == []


def test_under_renders_own_autoscaling_a_tier_of_one_may_be_several():
    text = POLICY.replace("name: one, plan: standard", "name: one, plan: starter")
    fleet = Fleet(policy(text.replace("name: two, plan: standard, instances: 2", "name: two, plan: standard")))
    a, b = two()
    fleet.polls(in_turn(a, b), 35)
    assert fleet.why_down(render_autoscaling=True) == []
    fleet.polls(in_turn(a), 9.5)
    assert fleet.why_down(render_autoscaling=True) == ["of 2 instances of the last hour only 1 was heard within 5m"]
    assert fleet.why_down() == []


def test_renders_own_metrics_are_of_all_instances():
    text = POLICY.replace(', health: {url: "https://app.example.com/h", every: 30s}', "")
    rules = "scale_up: {any: [cpu_percent > 90% for 10m]}\nscale_down: {all: [cpu_percent < 20% for 30m]}\n"
    bare = policy(text[: text.index("scale_up:")] + rules)
    state, previous = State(bare, MINUTE), None
    state.fold(TierChanged(START, "two", "standard", 2))
    for minute in range(1, 40):
        at = START + minute * MINUTE
        sample = Sample(at - MINUTE, cpu=0.1, cpu_limit=1.0, requests=60.0)
        previous = measured([sample], at, previous, MINUTE)
        state.fold(previous)
    decision = decide(state, at)
    assert decision.ask is Ask.DOWN
    assert decision.heard is None
    assert previous.increases["requests"] == 60.0


def test_on_paper_nobody_could_be_heard():
    """What was recorded of one instance stays as it was, whatever tier the policy would have chosen."""
    rehearsal, source = Rehearsal(policy(), Terms("two", EVERY)), Fleet(tier="one")
    for one in source.polls(in_turn(Instance("a")), 35):
        rehearsal.observe(one)
    verdict = rehearsal.look(source.at)
    assert verdict.ask is Ask.DOWN
    assert Why.INSTANCES_UNSEEN not in [one.why for one in verdict.blockers]
