"""What several instances show together: ratios of all, the worst gauge of any, and the needs of all for a smaller tier."""

import pytest

from autoscaler.core.durations import MINUTE
from autoscaler.core.evaluate import Ask
from tests.support.balanced import HOT, POLICY, Fleet, Instance, by_chance, in_turn, policy, two
from tests.support.evidence import EVERY, MB


@pytest.mark.parametrize("turns", (in_turn, by_chance))
def test_what_all_instances_breach_holds(turns):
    fleet = Fleet()
    fleet.polls(turns(*two(seconds=3.0, failing=0.2, rate=6.0, **HOT)), 15)
    assert fleet.holding() == {
        "avg_response_time", "concurrent_requests", "memory_percent", "error_rate", "request_rate"
    }  # fmt: skip


@pytest.mark.parametrize("turns", (in_turn, by_chance))
def test_one_hot_instance_is_enough_for_an_up_and_too_much_for_a_down(turns):
    fleet, (a, b) = Fleet(), two()
    b.memory, b.concurrency = 95.0, 20.0
    fleet.polls(turns(a, b), 35)
    assert fleet.holding() == {"concurrent_requests", "memory_percent"}
    assert fleet.progress("concurrent_requests >").value == 20.0
    assert not fleet.progress("concurrent_requests <").holds
    assert fleet.progress("avg_response_time <").holds


def test_a_down_holds_when_all_are_calm():
    fleet = Fleet()
    fleet.polls(by_chance(*two()), 35)
    assert fleet.decision.ask is Ask.DOWN
    assert fleet.decision.target == "one"


def test_ratios_are_pooled_over_the_instances_and_a_rate_is_that_of_all():
    fleet, (a, b) = Fleet(), two()
    a.rate, a.seconds, b.rate, b.seconds = 9.0, 0.2, 1.0, 2.0
    fleet.polls(in_turn(a, b), 20)
    assert fleet.progress("avg_response_time >").value == pytest.approx((9 * 0.2 + 2) / 10)
    assert fleet.progress("request_rate").value == pytest.approx(10, rel=0.01)


def test_of_the_cache_less_is_worse():
    text = POLICY.replace("cache_hit_ratio < 20% for 10m", "cache_share < 20% for 10m")
    fleet = Fleet(policy(text + "metrics: {cache_share: {path: mine.share, unit: '%'}}\n"))
    a, b = two()
    a.more, b.more = {"mine": {"share": 90}}, {"mine": {"share": 10}}
    fleet.polls(in_turn(a, b), 15)
    assert fleet.holding() == {"cache_share"}
    assert fleet.progress("cache_share").value == 10


@pytest.mark.parametrize(("rule", "worse"), (("down", "queue > 3 for 30m"), ("alert", "queue < 3 for 10m")))
def test_of_the_policys_own_metrics_its_rules_say_which_way_is_worse(rule, worse):
    more = f'alerts: [{{name: x, when: "{worse}", do: notify}}]\n' if rule == "alert" else ""
    text = POLICY.replace("concurrent_requests < 5 for 30m", worse) if rule == "down" else POLICY + more
    fleet = Fleet(policy(text + "metrics: {queue: mine.queue}\n"))
    a, b = two()
    a.more, b.more = {"mine": {"queue": 9}}, {"mine": {"queue": 1}}
    fleet.polls(in_turn(a, b), 10)
    assert fleet.state.reading.gauges["queue"] == 1


def test_of_the_policys_own_metrics_more_is_worse_where_rules_for_up_say_so():
    text = POLICY.replace("cache_hit_ratio < 20% for 10m", "queue > 5 for 10m")
    fleet = Fleet(policy(text + "metrics: {queue: mine.queue}\n"))
    a, b = two()
    a.more, b.more = {"mine": {"queue": 9}}, {"mine": {"queue": 1}}
    fleet.polls(in_turn(a, b), 10)
    assert fleet.state.reading.gauges["queue"] == 9


def test_a_business_value_is_the_last_word_of_any():
    fleet, (a, b) = Fleet(), two()
    a.more, b.more = {"business": {"daily_active_users": 80}}, {"business": {"daily_active_users": 70}}
    fleet.polls(in_turn(a, b), 2)
    assert fleet.state.reading.gauges["daily_active_users"] == 70


def test_requests_that_hang_on_one_instance_are_no_calm_of_all():
    fleet, (a, b) = Fleet(), two()
    b.rate, b.more = 0.0, {"concurrency": {"running": 2, "queued": 0, "peak": {"1m": 2}}}
    fleet.polls(in_turn(a, b), 35)
    assert not fleet.progress("avg_response_time <").holds
    for instance in (a, b):
        fleet.poll(instance)
        assert fleet.state.reading.stalled
        assert fleet.state.reading.gauges["stalled"] == 1.0


def test_only_when_nobody_is_asked_all_are_idle():
    fleet, (a, b) = Fleet(), two()
    b.rate = 0.0
    fleet.polls(in_turn(a, b), 3)
    assert not fleet.state.reading.idle
    quiet = Fleet()
    quiet.polls(in_turn(*two(rate=0.0)), 3)
    assert quiet.state.reading.idle


def test_what_an_instance_said_stands_for_it_for_as_long_as_it_is_fresh():
    fleet, (a, b) = Fleet(), two()
    b.memory = 95.0
    fleet.poll(b)
    fleet.polls(in_turn(a), fleet.state.instances.fresh / MINUTE)
    assert fleet.state.reading.gauges["memory_percent"] == 95.0
    fleet.poll(a)
    assert fleet.state.reading.gauges["memory_percent"] == 20.0


def test_a_new_process_may_have_taken_the_place_of_any_other():
    """After a deploy the hot one of before is gone, and its memory with it: memory is not masked."""
    fleet, (a, b) = Fleet(), two()
    b.memory = 95.0
    fleet.polls(in_turn(a, b), 5)
    fleet.poll(Instance("c", began=fleet.at))
    assert fleet.state.reading.gauges["memory_percent"] == 20.0


def test_another_tier_begins_without_what_the_instances_of_the_last_one_said():
    fleet, (a, b) = Fleet(), two()
    b.memory = 95.0
    fleet.polls(in_turn(a, b), 5)
    fleet.on("three")
    fleet.poll(a)
    assert fleet.state.reading.gauges["memory_percent"] == 20.0
    assert fleet.poll(b).increases["requests"], "the same process is still counted from where it was"


def test_what_an_instance_showed_while_it_started_is_no_evidence_after_that():
    fleet, (a, b) = Fleet(), two()
    fleet.polls(in_turn(a), 5)
    b.began, b.concurrency = fleet.at, 20.0
    fleet.poll(b)
    warm = fleet.at + 4 * MINUTE + EVERY
    while fleet.at < warm:
        fleet.poll(a)
    assert not fleet.state.is_masked(fleet.at)
    assert fleet.state.reading.gauges["concurrent_requests"] == 1.0
    fleet.poll(b)
    assert fleet.state.reading.gauges["concurrent_requests"] == 20.0


def _misfits(fleet: Fleet) -> dict[str, float]:
    lower = fleet.policy.tiers[0].model_copy(update={"env": {"MAX_CONCURRENT": "0"}})
    return {one.metric.name: one.peak for one in fleet.state.peaks.misfits(lower, headroom=1.0)}


@pytest.mark.parametrize("turns", (in_turn, by_chance))
def test_the_peaks_are_what_all_of_them_used_and_the_memory_of_the_largest(turns):
    fleet, (a, b) = Fleet(), two()
    a.cpu, a.concurrency, a.memory = 0.5, 3.0, 40.0
    b.cpu, b.concurrency, b.memory = 0.1, 8.0, 10.0
    fleet.polls(turns(a, b), 40)
    found = _misfits(fleet)
    assert found["cpu_percent"] == pytest.approx(60)
    assert found["concurrent_requests"] == 11
    assert found["memory_usage"] == pytest.approx(0.4 * 2048 * MB)


def test_where_one_of_two_was_heard_the_other_is_taken_to_use_as_much():
    fleet, (a, _) = Fleet(), two(cpu=0.5, concurrency=3.0)
    fleet.polls(in_turn(a), 40)
    found = _misfits(fleet)
    assert found["cpu_percent"] == pytest.approx(100)
    assert found["concurrent_requests"] == 6


def test_two_instances_make_no_longer_history_than_there_was():
    fleet, lower = Fleet(), policy().tiers[0]
    fleet.polls(in_turn(*two()), 15)
    assert fleet.state.peaks.note(lower) == "only 14m of 30m history"
