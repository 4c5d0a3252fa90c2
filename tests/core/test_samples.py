"""Render's own metrics as evidence: late, coarse, silent about much, and never trusted for more than they say."""

from dataclasses import replace

import pytest

from autoscaler.core.durations import MINUTE
from autoscaler.core.metrics import METRICS, Kind
from autoscaler.core.observations import Miss, Missed, Reading
from autoscaler.core.samples import MEASURED, STALE, STEP, Sample, measured, why_unknown
from tests.support.evidence import MB, START

EVERY = MINUTE
FULL = Sample(
    START,
    cpu=0.4,
    cpu_limit=0.5,
    memory=128 * MB,
    memory_limit=512 * MB,
    requests=300,
    errors=3,
    latency={"p50_response_time": 0.1, "p95_response_time": 0.4, "p99_response_time": 0.9},
)


def later(minutes: int, **changes) -> Sample:
    return replace(FULL, at=START + minutes * MINUTE, **changes)


def reading(samples, at, previous=None) -> Reading:
    found = measured(samples, at, previous, EVERY)
    assert isinstance(found, Reading), found
    return found


def test_a_minute_becomes_gauges_and_percentiles_only_of_enough_requests():
    gauges = reading([FULL], START + 2 * MINUTE).gauges
    assert gauges == {
        "cpu_percent": 80.0,
        "memory_usage": 128 * MB,
        "memory_percent": 25.0,
        "p50_response_time": 0.1,
        "p95_response_time": 0.4,
        "stalled": 0.0,
        "unreachable": 0.0,
    }


def test_what_was_counted_since_the_last_reading_is_counted_once():
    first = reading([FULL], START + 2 * MINUTE)
    assert first.increases == {}
    second = reading([FULL, later(1), later(2)], START + 4 * MINUTE, first)
    assert second.increases == {"seconds": 120.0, "requests": 600.0, "errors": 6.0}
    assert reading([FULL, later(1), later(2)], START + 5 * MINUTE, second).increases == {}


def test_a_coarser_span_counts_for_as_long_as_it_stands():
    first = reading([replace(FULL, span=5 * STEP)], START + 6 * MINUTE)
    second = reading([replace(later(5), span=5 * STEP)], START + 11 * MINUTE, first)
    assert second.increases == {"seconds": 300.0, "requests": 300.0, "errors": 3.0}


def test_after_a_long_silence_nobody_knows_when_it_was_counted():
    first = reading([FULL], START + 2 * MINUTE)
    assert reading([later(9)], START + 11 * MINUTE, first).increases == {}


def test_no_word_of_requests_is_not_no_requests():
    first = reading([FULL], START + 2 * MINUTE)
    silent = reading([later(1, requests=None)], START + 3 * MINUTE, first)
    assert (silent.increases, silent.idle) == ({}, False)
    none = reading([later(1, requests=0.0, errors=0.0)], START + 3 * MINUTE, first)
    assert (none.increases["requests"], none.idle) == (0.0, True)


def test_a_value_that_render_does_not_give_is_missing_and_no_zero():
    gauges = reading([Sample(START, memory=5.0)], START + 2 * MINUTE).gauges
    assert set(gauges) == {"memory_usage", "stalled", "unreachable"}


@pytest.mark.parametrize("age", (0, STALE))
def test_the_newest_minute_is_shown_again_while_it_is_fresh(age):
    assert reading([FULL], START + STEP + age).timestamp == START


def test_old_metrics_and_none_are_a_gap():
    old = measured([FULL], START + STEP + STALE + 1, None, EVERY)
    assert isinstance(old, Missed)
    assert (old.reason, old.detail) == (Miss.FROZEN, "Render's newest metrics are 5m old")
    none = measured([], START, None, EVERY)
    assert isinstance(none, Missed)
    assert none.reason is Miss.FROZEN


@pytest.mark.parametrize("junk", (1e30, -1.0, float("nan"), float("inf")))
def test_a_value_that_can_not_be_is_a_miss(junk):
    assert isinstance(measured([replace(FULL, memory=junk)], START + 2 * MINUTE, None, EVERY), Missed)


def test_of_every_metric_it_is_known_whether_and_why_not():
    known = {name for name, metric in METRICS.items() if why_unknown(name, metric.kind) is None}
    told = {name for name, metric in METRICS.items() if metric.kind is Kind.BUSINESS}
    assert known == MEASURED | told | {"oom_kills", "server_failed", "complaints"}
    assert "p95_response_time" in (why_unknown("avg_response_time", Kind.RATIO) or "")
