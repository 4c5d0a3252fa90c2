"""An endpoint of the app's own, read by the paths that its policy gives (`metrics:`)."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.conditions import parse_value
from autoscaler.core.evaluate import Ask
from autoscaler.core.json_values import LARGEST
from autoscaler.core.observations import Miss, Missed, Reading, Signal
from autoscaler.core.readings import read, signals
from tests.core.test_readings_junk import GOOD, JUNK
from tests.support.evidence import EVERY, MB, START, Play, a_policy

METRICS = """
metrics:
  queue_depth: jobs.waiting
  workers_busy: "length(jobs.running)"
  reply_time: {path: stats.latency_ms, unit: ms}
  mails_failed: {path: totals.mail_errors, kind: counter}
  job_rate: {path: totals.jobs, kind: counter, unit: /s}
  error_rate: {path: totals.failed, of: totals.served, kind: counter}
  avg_response_time: {path: totals.milliseconds, of: totals.served, kind: counter, unit: ms}
  memory_usage: {path: mem.used, unit: KB}
  memory_percent: {path: mem.used, of: mem.limit}
  cache_hit_ratio: {path: cache, unit: fraction}
  monthly_revenue: stats.revenue
"""
UP = "queue_depth > 20 for 10m"
VOCABULARY = a_policy(UP, more=METRICS).vocabulary


def body(**changed):
    return {
        "jobs": {"waiting": 7, "running": ["a", "b"]},
        "stats": {"latency_ms": 250, "revenue": 51.5},
        "totals": {"mail_errors": 4, "jobs": 1000, "failed": 3, "served": 100, "milliseconds": 40_000},
        "mem": {"used": 1024, "limit": 4096},
        "cache": 0.75,
    } | changed


def reading(at=START, previous=None, **changed) -> Reading:
    found = read(body(**changed), at, previous, EVERY, VOCABULARY)
    assert isinstance(found, Reading), found
    return found


def test_gauges_are_taken_from_where_the_policy_says_in_base_units():
    assert reading().gauges == {
        "queue_depth": 7.0,
        "workers_busy": 2.0,
        "reply_time": 0.25,
        "memory_usage": 1.0 * MB,
        "memory_percent": 25.0,
        "cache_hit_ratio": 75.0,
        "monthly_revenue": 51.5,
        "stalled": 0.0,
        "unreachable": 0.0,
    }


def test_counters_give_ratios_rates_and_signals_by_what_they_rose():
    later = body()["totals"] | {"mail_errors": 6, "jobs": 1300, "failed": 8, "served": 200, "milliseconds": 60_000}
    found = reading(START + EVERY, reading(), totals=later)
    assert found.increases["response_seconds"] == 20.0
    assert (found.increases["errors"], found.increases["requests"]) == (5.0, 100.0)
    assert found.increases["metrics.job_rate"] / found.increases["seconds"] == 10.0
    assert signals(found) == (Signal(START + EVERY, "mails_failed", 2.0),)


def test_a_counter_that_began_anew_counts_from_nothing():
    found = reading(START + EVERY, reading(), totals=body()["totals"] | {"served": 10, "failed": 1})
    assert (found.increases["requests"], found.increases["errors"]) == (10.0, 1.0)


def test_served_requests_tell_idle_from_stalled_here_too():
    assert reading(START + EVERY, reading()).idle


def test_what_is_missing_is_a_gap_of_that_metric_only():
    found = reading(jobs={"waiting": 2})
    assert "workers_busy" not in found.gauges  # which is a function, of null
    assert "queue_depth" not in reading(jobs={"running": []}).gauges
    assert found.gauges["queue_depth"] == 2.0


def test_a_share_of_nothing_is_no_value():
    assert "memory_percent" not in reading(mem={"used": 1, "limit": 0}).gauges


def test_an_answer_with_nothing_of_it_is_misconfigured_and_names_a_path():
    found = read({"status": "ok"}, START, None, EVERY, VOCABULARY)
    assert isinstance(found, Missed)
    assert found.reason is Miss.MISCONFIGURED
    assert found.detail == "it has none of what the policy looks for under 'metrics:', such as 'jobs.waiting'"


@pytest.mark.parametrize("stamp", ({}, {"timestamp": None}, {"timestamp": "noon"}, {"timestamp": True}))
def test_without_a_timestamp_nothing_can_stand_still(stamp):
    assert reading(START + EVERY, reading(**stamp), **stamp).at == START + EVERY


@pytest.mark.parametrize("stamp", (1_780_300_800, 1_780_300_800_000, 1_780_300_800.5, "2026-06-01T08:00:00Z"))
def test_one_with_a_timestamp_that_stands_still_is_frozen(stamp):
    first = reading(timestamp=stamp)
    assert abs(first.timestamp - START) <= 500
    found = read(body(timestamp=stamp), START + EVERY, first, EVERY, VOCABULARY)
    assert isinstance(found, Missed)
    assert found.reason is Miss.FROZEN


@pytest.mark.parametrize("junk", (math.nan, math.inf, -1, "12", True, 10**400, [], {"deep": {}}))
def test_a_value_that_can_not_be_makes_the_report_a_miss(junk):
    found = read(body(jobs={"waiting": junk, "running": []}), START, None, EVERY, VOCABULARY)
    assert isinstance(found, Missed)
    assert "jobs.waiting" in found.detail


def test_a_function_that_does_not_fit_makes_the_report_a_miss():
    found = read(body(jobs={"waiting": 1, "running": 3}), START, None, EVERY, VOCABULARY)
    assert isinstance(found, Missed)
    assert "length(jobs.running)" in found.detail


@pytest.mark.parametrize(
    "path", ("jobs.waiting < stats", "jobs.running[-1:1:0]", "to_number('nan')", "to_number('1e999')", "sum(jobs)")
)
def test_a_path_on_which_jmespath_itself_stumbles_makes_the_report_a_miss(path):
    own = a_policy("odd > 1 for 10m", more=f'metrics: {{odd: "{path}"}}').vocabulary
    found = read(body(jobs={"waiting": "x", "running": [1]}), START, None, EVERY, own)
    assert isinstance(found, Missed)
    assert found.reason is Miss.MISCONFIGURED


@given(st.dictionaries(st.sampled_from(sorted(body())), JUNK), st.dictionaries(st.text(max_size=9), JUNK, max_size=3))
def test_any_json_is_a_reading_with_numbers_that_can_be_or_a_miss(changed, more):
    found = read(body(**changed) | more, START + EVERY, reading(), EVERY, VOCABULARY)
    if isinstance(found, Missed):
        assert found.detail
        return
    numbers = [*found.gauges.values(), *found.counters.values(), *found.increases.values()]
    assert all(math.isfinite(number) and 0 <= number <= LARGEST * 1024 for number in numbers)


def test_a_report_of_app_core_keeps_its_meaning_beside_the_own_paths():
    own = a_policy(UP, more="metrics: {queue_depth: jobs.waiting, memory_usage: {path: rss, unit: MB}}").vocabulary
    usual = read(GOOD, START, None, EVERY)
    found = read(GOOD | {"jobs": {"waiting": 3}, "rss": 128}, START, None, EVERY, own)
    assert isinstance(usual, Reading)
    assert isinstance(found, Reading)
    assert found.gauges == {**usual.gauges, "queue_depth": 3.0, "memory_usage": 128 * MB, "memory_percent": 25.0}
    assert found.instance == usual.instance


def test_an_average_is_judged_as_a_gauge():
    policy = a_policy(
        "avg_response_time > 8s for 10m",
        "avg_response_time < 3s for 24h",
        more="metrics: {avg_response_time: {path: latency, unit: ms}}",
    )
    assert policy.tiers[0].scale_up.conditions[0].metric.kind == "gauge"
    played(policy, {"latency": 9000})


def test_own_gauges_rates_ratios_and_signals_move_the_service():
    played(a_policy(UP, more=METRICS), body(jobs={"waiting": 21, "running": []}))
    played(a_policy("mean(reply_time over 5m) > 200ms for 5m", more=METRICS), body())
    played(a_policy("monthly_revenue > 50", more=METRICS), body())


def played(policy, answer):
    """Every poll of half an hour gives that answer, and the service is sent up."""
    play = Play(policy)
    play.on("mvp")
    previous = None
    for _ in range(60):
        play.now += play.every
        previous = read(answer, play.now, previous, play.every, policy.vocabulary)
        play.fold(previous)
    assert play.decision.ask is Ask.UP


@pytest.mark.parametrize(
    ("metric", "text", "value"),
    (
        ("monthly_revenue", "62", 62.0),
        ("monthly_revenue", "1_250.50 USD", 1250.5),
        ("memory_usage", "3MB", 3 * MB),
        ("reply_time", " 20 ms ", 0.02),
    ),
)
def test_a_value_that_is_told_is_read_as_in_a_condition(metric, text, value):
    assert parse_value(VOCABULARY.by_name[metric], text) == value


@pytest.mark.parametrize("text", ("", "much", "nan", "inf", "1e9", "-3", "0x10", "٣", "9" * 400, "62 MB", "6 2", "6;2"))
def test_a_value_that_can_not_be_is_refused_by_name(text):
    with pytest.raises(ValueError, match="monthly_revenue"):
        parse_value(VOCABULARY.by_name["monthly_revenue"], text)
