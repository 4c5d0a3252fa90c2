"""The app of a policy test: its reports are read like any other, and mean what its series say."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.core.observations import Miss, Missed, Reading
from autoscaler.engine.policytest_app import App
from autoscaler.policyfile.cases_check import Script
from autoscaler.policyfile.cases_load import CaseFile, read_cases
from tests.support.policy_texts import SOUND

EVERY = 30_000
MB = 1024.0**2


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("policies")
    (path / "p.yaml").write_text(SOUND, encoding="utf-8")
    own = (
        SOUND
        + "metrics: {queue_depth: jobs.waiting, reply: {path: stats.reply, unit: ms}, hits: {path: a, of: b, kind: counter, unit: fraction}}\n"
    )
    (path / "own.yaml").write_text(own, encoding="utf-8")
    return path


def a_file(folder: Path, series: str, policy: str = "p") -> CaseFile:
    text = f"tests: [{{name: t, lasts: 1h, changes: [], series: {{{series}}}}}]"
    return read_cases(text, folder / f"{policy}.test.yaml")


class Polled:
    """An app that is polled on its policy's first tier."""

    def __init__(self, folder: Path, series: str, policy: str = "p") -> None:
        file = a_file(folder, series, policy)
        self.policy = file.policy.policy
        self.script: Script = file.scripts[0]
        self.app = App(self.script, self.policy)
        self.at = self.script.start.at

    def polls(self, count: int, tier: str = "small") -> list[Reading | Missed | None]:
        rung = self.policy.tier(tier)
        assert rung is not None
        seen = []
        for _ in range(count):
            seen.append(self.app.poll(self.at, rung))
            self.at += EVERY
        return seen

    def reading(self, tier: str = "small") -> Reading:
        (seen,) = self.polls(1, tier)
        assert isinstance(seen, Reading)
        return seen


@given(
    polls=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 30), st.integers(0, 100)), min_size=2, max_size=30),
    data=st.data(),
)
@settings(deadline=None)
def test_what_is_pooled_over_any_time_is_what_the_series_say(folder, polls, data):
    lines = {
        "requests": " ".join(f"{requests}x1" for requests, _, _ in polls),
        "avg_response_time": " ".join(f"{seconds}x1" for _, seconds, _ in polls),
        "error_rate": " ".join(f"{errors}%x1" for _, _, errors in polls),
    }
    readings = Polled(folder, ", ".join(f"{name}: {text}" for name, text in lines.items())).polls(len(polls))
    first = data.draw(st.integers(0, len(polls) - 1))
    span = [one.increases for one in readings[first:] if isinstance(one, Reading)]
    asked = polls[first:]
    assert sum(one["requests"] for one in span) == pytest.approx(sum(requests for requests, _, _ in asked))
    assert sum(one["response_seconds"] for one in span) == pytest.approx(sum(n * s for n, s, _ in asked))
    assert sum(one["errors"] for one in span) == pytest.approx(sum(n * e / 100 for n, _, e in asked))


def test_requests_are_enough_to_be_judged_unless_it_says_how_many(folder):
    assert Polled(folder, "avg_response_time: 2s").reading().increases["requests"] == 20
    assert Polled(folder, "request_rate: 2/s").reading().increases["requests"] == 60
    idle = Polled(folder, "requests: 0, avg_response_time: 2s").reading()
    assert (idle.increases["requests"], idle.idle, idle.stalled) == (0, True, False)


def test_percentiles_rest_on_enough_requests_unless_it_says_how_many(folder):
    assert Polled(folder, "p95_response_time: 3s").reading().gauges["p95_response_time"] == 3
    assert "p95_response_time" not in Polled(folder, "p95_response_time: 3s, requests: 100").reading().gauges


def test_memory_is_a_share_of_the_tier_that_runs(folder):
    app = Polled(folder, "memory_usage: 256MB")
    assert app.reading("small").gauges["memory_percent"] == 50
    assert app.reading("large").gauges["memory_percent"] == 12.5
    share = Polled(folder, "memory_percent: 25%").reading()
    assert (share.gauges["memory_usage"], share.gauges["memory_percent"]) == (128 * MB, 25)
    both = Polled(folder, "memory_usage: 300MB, memory_percent: 75%").reading()
    assert (both.gauges["memory_usage"], both.gauges["memory_percent"]) == (300 * MB, 75)


@pytest.mark.parametrize(
    ("series", "metric", "value"),
    (
        ("cpu_percent: 70%", "cpu_percent", 70),
        ("db_pool_usage: 95%", "db_pool_usage", 95),
        ("concurrent_requests: 7", "concurrent_requests", 7),
        ("peak_concurrent: 7", "concurrent_requests", 7),
        ("loop_lag: 250ms", "loop_lag", 0.25),
        ("monthly_revenue: 62", "monthly_revenue", 62),
        ("stalled: 1", "stalled", 1),
    ),
)
def test_every_gauge_arrives_in_its_base_unit(folder, series, metric, value):
    assert Polled(folder, series).reading().gauges[metric] == pytest.approx(value)


def test_what_the_app_waits_for_is_told_as_a_share(folder):
    assert Polled(folder, "dependency:api.openai.com: 95%").reading().gauges["dependency:api.openai.com"] == 95


def test_a_gap_does_not_change_what_a_share_of_cpu_is(folder):
    app = Polled(folder, "cpu_percent: 70%, polls: okx2 refusedx3 ok")
    assert [one.gauges["cpu_percent"] for one in app.polls(8) if isinstance(one, Reading)] == pytest.approx([70] * 5)


def test_a_cache_hits_as_often_as_it_says(folder):
    increases = Polled(folder, "cache_hit_ratio: 30%").reading().increases
    assert increases["cache_hits"] / increases["cache_lookups"] == pytest.approx(0.3)


def test_metrics_of_the_policy_itself_are_shown_too(folder):
    reading = Polled(folder, "queue_depth: 12, reply: 80ms, hits: 40%", "own").reading()
    metric = Polled(folder, "", "own").policy.vocabulary.by_name["hits"]
    assert (reading.gauges["queue_depth"], reading.gauges["reply"]) == (12, 0.08)
    share = reading.increases[metric.over or ""] / reading.increases[metric.under or ""]
    assert share * metric.scale == pytest.approx(40)


def test_polls_without_a_report_say_why_not(folder):
    app = Polled(folder, "memory_usage: 100MB, polls: okx1 _x1 timeoutx1 503x1 loginx1 stalex1 ok")
    seen = app.polls(7)
    assert [type(one) for one in seen] == [Reading, type(None), Missed, Missed, Missed, Missed, Reading]
    missed = [one for one in seen if isinstance(one, Missed)]
    reasons = [Miss.TIMED_OUT, Miss.SERVER_ERROR, Miss.MISCONFIGURED, Miss.FROZEN]
    assert [one.reason for one in missed] == reasons
    assert [one.timeout for one in missed] == [10_000, None, None, None]


def test_a_word_in_any_series_is_a_poll_without_a_report(folder):
    (first, second) = Polled(folder, "memory_usage: 100MBx1 refused, cpu_percent: 5%").polls(2)
    assert isinstance(first, Reading)
    assert isinstance(second, Missed)
    assert second.reason is Miss.REFUSED


def test_a_value_that_can_not_be_makes_the_report_unusable_and_the_next_is_good_again(folder):
    seen = Polled(folder, "error_rate: 1%x1 nanx1 1%").polls(3)
    assert isinstance(seen[1], Missed)
    assert seen[1].reason is Miss.MISCONFIGURED
    assert isinstance(seen[2], Reading)
    assert seen[2].increases["errors"] == pytest.approx(0.2)


def test_a_restart_is_another_process_that_counts_from_nothing(folder):
    app = Polled(folder, "avg_response_time: 2s")
    before = app.reading()
    app.app.restart(app.at, "another")
    after = app.reading()
    assert after.process == ("another", app.at - EVERY)
    assert before.process != after.process
    assert after.increases["requests"] == 20
    assert after.counters["requests"] == 20


def test_what_a_test_does_not_say_is_not_told(folder):
    reading = Polled(folder, "memory_usage: 100MBx1").reading()
    assert set(reading.gauges) == {"memory_usage", "memory_percent", "stalled", "unreachable"}
    assert not {"errors", "response_seconds", "cpu_seconds", "cache_hits"} & reading.counters.keys()


def test_a_series_that_ends_goes_on_as_the_file_says(folder):
    text = "series: {memory_usage: 100MBx2 200MB}\ntests: [{name: t, lasts: 1h, changes: [], series: {memory_usage: 300MBx3}}]"
    file = read_cases(text, folder / "p.test.yaml")
    app = Polled(folder, "")
    app.app = App(file.scripts[0], app.policy)
    shown = [one.gauges["memory_usage"] / MB for one in app.polls(5) if isinstance(one, Reading)]
    assert shown == [300, 300, 300, 200, 200]
