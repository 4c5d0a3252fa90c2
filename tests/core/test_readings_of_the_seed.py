"""The endpoint of the seed's own plan, word for word: fewer keys, averages of its own, and the poll counted as a request."""

from datetime import UTC, datetime

from autoscaler.core.evaluate import Ask
from autoscaler.core.observations import Reading
from autoscaler.core.readings import read
from tests.support.evidence import EVERY, MB, START, Play, a_policy


def _body(at: int, **metrics: float) -> dict[str, object]:
    return {
        "timestamp": datetime.fromtimestamp(at / 1000, UTC).isoformat(),
        "scaling": {"should_scale": False, "triggers": [], "metrics": {}},
        "current_metrics": {
            "concurrent_requests": 1,
            "avg_response_time": 0.4,
            "memory_usage_mb": 210.5,
            "request_count": 100,
            "error_count": 2,
        }
        | metrics,
        "service_stats": {
            "active_requests": 0,
            "in_progress": 0,
            "cached_results": 3,
            "memory_profile": {"profile": "mvp"},
        },
        "recommendations": {"current_instance": "0.5 CPU + 512MB", "suggested_action": "monitor"},
    }


def _read(at: int, previous: Reading | None = None, **metrics: float) -> Reading:
    found = read(_body(at, **metrics), at, previous, EVERY)
    assert isinstance(found, Reading), found
    return found


def test_its_averages_are_gauges_and_its_totals_are_counters():
    first = _read(START)
    assert first.gauges == {
        "avg_response_time": 0.4,
        "concurrent_requests": 1.0,
        "memory_usage": 210.5 * MB,
        "stalled": 0.0,
        "unreachable": 0.0,
    }
    assert first.counters == {"requests": 100.0, "errors": 2.0}
    later = _read(START + EVERY, first, request_count=150, error_count=7)
    assert (later.increases["requests"], later.increases["errors"]) == (50.0, 5.0)


def test_the_poll_that_it_counts_itself_is_not_in_flight():
    first = _read(START)
    assert _read(START + EVERY, first).idle
    assert _read(START + EVERY, first, concurrent_requests=2).stalled


def test_a_slow_hour_is_seen_in_its_averages():
    play = Play(a_policy("avg_response_time > 8s for 1h"))
    play.on("mvp")
    for poll in range(121):
        at = START + poll * EVERY
        play.fold(_read(at, play.state.reading, request_count=100 + poll, avg_response_time=9.5))
        play.now = at
        assert (play.decision.ask is Ask.UP) == (poll == 120)


def test_a_calm_day_is_seen_in_its_averages():
    play = Play(a_policy("avg_response_time > 8s for 1h", "avg_response_time < 3s for 24h, error_rate < 1% for 24h"))
    play.on("scaled")
    for poll in range(24 * 120 + 2):
        at = play.now = START + poll * EVERY
        play.fold(_read(at, play.state.reading, request_count=100 + poll))
        if poll % 240 == 0 or poll > 24 * 120 - 3:
            assert (play.decision.ask is Ask.DOWN) == (poll > 24 * 120)
