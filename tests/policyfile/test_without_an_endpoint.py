"""A policy without `service: health:`: only what Render measures, or people tell, may stand in its conditions."""

import pytest

from autoscaler.core.durations import MINUTE
from autoscaler.policyfile import load_text
from tests.support.policy_texts import edited, lines

HEALTH = "  health:\n    url: https://app.example.com/api/health/scaling\n"
RULE = "memory_usage > 400MB for 30m"


def without(rule: str = RULE, more: str = "") -> str:
    return edited((HEALTH, ""), (RULE, rule)) + more


def test_it_is_read_once_a_minute_which_is_how_fine_render_s_metrics_are():
    assert load_text(without(), "p.yaml").policy.every == MINUTE


@pytest.mark.parametrize(
    "rule",
    (
        "cpu_percent > 80% for 15m",
        "memory_percent > 80% for 30m",
        "p95_response_time > 2s for 1h",
        "error_rate > 5% for 1h",
        "request_rate > 10/s for 1h",
        "oom_kills >= 2 within 1h",
        "server_failed >= 2 within 1h",
        "complaints >= 3 within 24h",
        "monthly_revenue > 50",
    ),
)
def test_what_render_measures_and_people_tell_may_be_spoken_of(rule):
    load_text(without(rule), "p.yaml")


@pytest.mark.parametrize(
    ("rule", "why"),
    (
        ("avg_response_time > 8s for 1h", "of response times Render knows percentiles only: write p95_response_time"),
        ("concurrent_requests > 10 for 15m", "only the app itself knows that"),
        ("loop_lag > 100ms for 15m", "only the app itself knows that"),
        ("cache_hit_ratio < 20% for 1h", "only the app itself knows that"),
        ("stalled for 5m", "that is seen by polling the app, and there is no endpoint to poll"),
        ("poll_timeouts >= 3 within 1h", "that is seen by polling the app, and there is no endpoint to poll"),
    ),
)
def test_what_nobody_can_know_is_an_error_with_its_reason(rule, why):
    metric = rule.split()[0]
    assert f"p.yaml:11:11: error: without 'service: health:' nothing tells {metric}: {why}" in lines(without(rule))


def test_a_path_into_an_endpoint_that_is_not_there_is_an_error_at_its_place():
    text = without("queue > 3 for 1h", "metrics:\n  queue: jobs.waiting\n")
    found = lines(text)
    assert any(
        line.startswith("p.yaml:19:") and "no 'service: health:' in which 'queue' could stand" in line for line in found
    )


def test_a_value_that_people_tell_needs_no_endpoint():
    load_text(without("paying > 3", "metrics:\n  paying: {kind: business}\n"), "p.yaml")
