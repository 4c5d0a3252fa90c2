"""Whatever an endpoint answers: a reading whose numbers can be, or a miss with its reason. Never a crash."""

import json
import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.json_values import LARGEST
from autoscaler.core.observations import Miss, Missed, Reading
from autoscaler.core.readings import read
from tests.support.evidence import EVERY, START

JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from((0, 0.0, -0.0, 1e-308, 1e308, LARGEST, 10**400, "12", "NaN")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NUMBERS = st.one_of(JUNK, st.integers(0, 1000), st.floats(0, 1e18))


def _at(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1000, UTC).isoformat()


def _part(**values: st.SearchStrategy) -> st.SearchStrategy:
    return st.fixed_dictionaries({}, optional=values) | JUNK


WINDOW = _part(p50=NUMBERS, p95=NUMBERS, p99=NUMBERS, requests=NUMBERS)
BODIES = st.fixed_dictionaries(
    {
        "timestamp": st.just(_at(START)) | st.datetimes().map(str) | JUNK,
        "current_metrics": _part(
            concurrent_requests=NUMBERS,
            avg_response_time=NUMBERS,
            memory_usage_mb=NUMBERS,
            request_count=NUMBERS,
            error_count=NUMBERS,
        ),
    },
    optional={
        "counters": _part(
            requests_total=NUMBERS, errors_total=NUMBERS, response_seconds_total=NUMBERS, cpu_seconds_total=NUMBERS
        ),
        "instance": _part(id=JUNK, started_at=st.just(_at(START)) | JUNK, plan_guess=JUNK, settings=JUNK),
        "concurrency": _part(running=NUMBERS, queued=NUMBERS, peak=_part(**{"1m": NUMBERS})),
        "windows": _part(**{"1m": WINDOW}),
        "resources": _part(
            memory_used_bytes=NUMBERS, memory_limit_bytes=NUMBERS, cpu_limit_cores=NUMBERS, loop_lag_seconds=NUMBERS
        ),
        "pools": _part(database=_part(size=NUMBERS, in_use=NUMBERS)),
        "business": _part(monthly_revenue=NUMBERS, daily_active_users=NUMBERS),
        "cache": _part(hits_total=NUMBERS, lookups_total=NUMBERS),
    },
)
PREVIOUS = Reading(
    START - EVERY,
    {},
    timestamp=START - EVERY,
    counters={"requests": 5.0, "errors": 1.0, "response_seconds": 2.0, "cpu_seconds": 1.0},
)


@given(body=BODIES | st.dictionaries(st.text(max_size=9), JUNK, max_size=4), previous=st.none() | st.just(PREVIOUS))
def test_any_json_is_a_reading_with_numbers_that_can_be_or_a_miss_with_a_reason(body, previous):
    found = read(body, START, previous, EVERY)
    if isinstance(found, Missed):
        assert found.reason in {Miss.MISCONFIGURED, Miss.FROZEN}
        assert found.detail
        assert len(found.detail) < 200
        return
    numbers = [*found.gauges.values(), *found.increases.values(), *found.counters.values()]
    assert all(isinstance(number, float) and math.isfinite(number) and number >= 0 for number in numbers)
    assert all(isinstance(name, str) and isinstance(value, str) for name, value in found.settings.items())
    assert not (found.idle and found.stalled)


GOOD = {
    "timestamp": _at(START),
    "current_metrics": {"concurrent_requests": 1},
    "instance": {"id": "srv-1", "started_at": _at(START - 60_000), "plan_guess": "starter"},
    "counters": {"requests_total": 10, "errors_total": 1, "response_seconds_total": 4.0, "cpu_seconds_total": 2.5},
    "concurrency": {"running": 2, "queued": 1, "peak": {"1m": 6}},
    "windows": {"1m": {"p50": 0.1, "p95": 0.2, "p99": 0.9, "requests": 250}},
    "resources": {
        "memory_used_bytes": 2**28,
        "memory_limit_bytes": 2**29,
        "cpu_limit_cores": 0.5,
        "loop_lag_seconds": 0.01,
    },
    "pools": {"database": {"size": 4, "in_use": 3}},
    "business": {"monthly_revenue": 51.5},
}


def _with(path: str, value: object) -> dict[str, object]:
    body = json.loads(json.dumps(GOOD))
    *parents, last = path.split(".")
    place = body
    for parent in parents:
        place = place[parent]
    place[last] = value
    return body


def _read(body: dict[str, object], previous: Reading | None = None) -> Reading:
    found = read(body, START, previous, EVERY)
    assert isinstance(found, Reading), found
    return found


def test_a_whole_report_becomes_gauges_in_base_units():
    assert _read(GOOD).gauges == {
        "p50_response_time": 0.1,
        "p95_response_time": 0.2,
        "concurrent_requests": 6.0,
        "memory_usage": 2.0**28,
        "memory_percent": 50.0,
        "loop_lag": 0.01,
        "db_pool_usage": 75.0,
        "monthly_revenue": 51.5,
        "stalled": 0.0,
        "unreachable": 0.0,
    }


@pytest.mark.parametrize(
    ("requests", "known"),
    ((19, set()), (20, {"p50"}), (199, {"p50"}), (200, {"p50", "p95"}), (1000, {"p50", "p95", "p99"})),
)
def test_a_percentile_needs_enough_requests(requests, known):
    gauges = _read(_with("windows.1m.requests", requests)).gauges
    assert {name.partition("_")[0] for name in gauges if name.startswith("p")} == known


@pytest.mark.parametrize(
    "value", (math.nan, math.inf, -math.inf, -1, -0.001, True, False, "12", "many", [], {}, 10**19)
)
@pytest.mark.parametrize(
    "path",
    (
        "resources.memory_used_bytes",
        "counters.response_seconds_total",
        "concurrency.running",
        "current_metrics.concurrent_requests",
    ),
)
def test_a_number_that_cannot_be_makes_the_whole_report_a_miss(path, value):
    if path == "current_metrics.concurrent_requests":
        body = {key: part for key, part in _with(path, value).items() if key != "concurrency"}
    else:
        body = _with(path, value)
    found = read(body, START, None, EVERY)
    assert isinstance(found, Missed), found
    assert found.reason is Miss.MISCONFIGURED
    assert "which is no count or measure" in found.detail


@pytest.mark.parametrize(
    ("path", "value"),
    (("resources.memory_limit_bytes", 1e-300), ("resources.cpu_limit_cores", 1e-300), ("pools.database.size", 1e-310)),
)
def test_a_share_of_next_to_nothing_is_no_emergency(path, value):
    before = Reading(
        START - EVERY, {}, timestamp=1, counters={"cpu_seconds": 1.0}, instance="srv-1", started_at=START - 60_000
    )
    found = read(_with(path, value), START, before, EVERY)
    assert isinstance(found, Missed), found
    assert found.reason is Miss.MISCONFIGURED


@pytest.mark.parametrize(
    ("timestamp", "reason"),
    (
        (None, "its 'timestamp' is null"),
        ("yesterday", "which is no ISO 8601 time"),
        ("2026-06-01T08:00:00", "which has no time zone"),
        (1780300800, "which is no ISO 8601 time"),
        (["2026"], "which is no ISO 8601 time"),
    ),
)
def test_a_report_without_a_time_is_none(timestamp, reason):
    found = read(_with("timestamp", timestamp), START, None, EVERY)
    assert isinstance(found, Missed)
    assert reason in found.detail


@pytest.mark.parametrize("missing", ("timestamp", "current_metrics"))
def test_another_json_is_no_report(missing):
    found = read({key: value for key, value in GOOD.items() if key != missing}, START, None, EVERY)
    assert isinstance(found, Missed)
    hint = "is this the scaling health endpoint? One of another form needs 'metrics:' in the policy"
    assert found.detail == f"it has no '{missing}': {hint}"


def test_a_report_whose_time_stands_still_is_a_gap():
    before = _read(GOOD)
    found = read(GOOD, START + EVERY, before, EVERY)
    assert isinstance(found, Missed)
    assert found.reason is Miss.FROZEN


def test_idle_is_an_answer_with_nothing_in_flight_and_no_request():
    before = Reading(
        START - EVERY, {}, timestamp=1, counters={"requests": 10.0}, instance="srv-1", started_at=START - 60_000
    )
    calm = _read(_with("concurrency", {"running": 0, "queued": 0}), before)
    assert (calm.idle, calm.stalled, calm.gauges["stalled"]) == (True, False, 0.0)
    hanging = _read(GOOD, before)
    assert (hanging.idle, hanging.stalled, hanging.gauges["stalled"]) == (False, True, 1.0)
    busy = _read(_with("counters.requests_total", 11), before)
    assert (busy.idle, busy.stalled) == (False, False)
    unknown = _read(GOOD)
    assert (unknown.idle, unknown.stalled) == (False, False)


def test_cpu_is_a_share_of_the_instances_limit():
    before = Reading(
        START - EVERY, {}, timestamp=1, counters={"cpu_seconds": 1.0}, instance="srv-1", started_at=START - 60_000
    )
    assert _read(GOOD, before).gauges["cpu_percent"] == pytest.approx(1.5 / 30 / 0.5 * 100)


def test_settings_are_kept_as_an_environment_would_spell_them():
    settings = {"A": 8, "B": 5.0, "C": "x", "D": 1234567.5, "E": None, "F": [1], "G": True}
    kept = {"A": "8", "B": "5", "C": "x", "D": "1234567.5", "G": "true"}
    assert _read(_with("instance.settings", settings)).settings == kept
