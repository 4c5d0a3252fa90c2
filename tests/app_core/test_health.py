"""GET /api/health/scaling: the contract with the bot."""

import json
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest

from app_core import ScalingMiddleware, SettingError
from tests.support.asgi import Clock, cgroup_v2, fetch, fresh_report, reply

HEALTH = "/api/health/scaling"
ROOT = Path(__file__).parents[2]

CONTRACT = json.loads((ROOT / "docs" / "health.schema.json").read_text())


async def app(scope, receive, send):
    await reply(send)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def measured(clock, tmp_path):
    return ScalingMiddleware(app, clock=clock, cgroup_root=cgroup_v2(tmp_path))


async def test_the_report_of_a_fresh_instance_keeps_the_contract(measured):
    jsonschema.validate(await fresh_report(measured), CONTRACT)


async def test_the_report_of_a_busy_instance_keeps_the_contract(measured, clock):
    for _ in range(200):
        clock.advance(10)
        await fetch(measured)
    measured.instruments.gauges.pool("database", lambda: (1, 3))
    measured.instruments.gauges.business("monthly_revenue", lambda: 49.5)
    measured.instruments.gauges.signal("complaints")
    report = await fresh_report(measured)
    jsonschema.validate(report, CONTRACT)
    assert "reason" not in report["scaling"]
    assert report["counters"]["requests_total"] == 200
    assert report["windows"]["1m"]["requests"] == 7


async def test_a_mean_of_no_requests_is_null_and_not_zero(measured):
    report = await fresh_report(measured)
    assert report["current_metrics"]["avg_response_time"] is None
    assert report["windows"]["15m"]["p95"] is None
    assert report["scaling"]["metrics"]["error_rate_percent"] is None


async def test_the_timestamp_is_utc_and_of_this_moment(measured):
    before = datetime.now(UTC)
    stamp = datetime.fromisoformat((await fresh_report(measured))["timestamp"])
    assert before <= stamp <= datetime.now(UTC)


async def test_the_instance_is_named_as_render_names_it(clock, tmp_path, monkeypatch):
    monkeypatch.setenv("RENDER_INSTANCE_ID", "srv-abc-xyz12")
    monkeypatch.setenv("RENDER_SERVICE_ID", "srv-abc")
    monkeypatch.setenv("RENDER_GIT_COMMIT", "c0ffee")
    instance = (await fresh_report(ScalingMiddleware(app, clock=clock, cgroup_root=cgroup_v2(tmp_path))))["instance"]
    assert (instance["id"], instance["service"], instance["commit"]) == ("srv-abc-xyz12", "srv-abc", "c0ffee")
    assert instance["plan_guess"] == "starter"


async def test_the_settings_in_force_are_told_by_the_names_of_their_variables(clock, tmp_path, monkeypatch):
    monkeypatch.setenv("MAX_CONCURRENT", "11")
    report = await fresh_report(ScalingMiddleware(app, clock=clock, cgroup_root=cgroup_v2(tmp_path)))
    assert report["instance"]["settings"]["MAX_CONCURRENT"] == 11
    assert report["instance"]["settings"]["DB_POOL_SIZE"] == 3
    assert report["service_stats"]["memory_profile"]["max_concurrent"] == 11


async def test_no_cache_may_keep_the_answer(measured):
    answer = await fetch(measured, HEALTH)
    assert answer.headers[b"cache-control"] == b"no-store"
    assert answer.headers[b"content-type"] == b"application/json"
    assert answer.headers[b"content-length"] == str(len(answer.body)).encode()


async def test_head_gives_the_headers_alone_and_other_methods_are_refused(measured):
    head = await fetch(measured, HEALTH, "HEAD")
    assert (head.status, head.body) == (200, b"")
    refused = await fetch(measured, HEALTH, "POST")
    assert (refused.status, refused.headers[b"allow"]) == (405, b"GET, HEAD")


async def test_the_path_is_an_option(tmp_path):
    measured = ScalingMiddleware(app, path="/internal/scaling", cgroup_root=cgroup_v2(tmp_path))
    assert b"schema_version" in (await fetch(measured, "/internal/scaling")).body
    assert (await fetch(measured, HEALTH)).body == b"ok"


@pytest.mark.parametrize("sent", (None, b"", b"Bearer", b"Bearer wrong", b"Bearer secrets", b"Basic secret", b"secret"))
async def test_without_the_right_token_the_answer_is_401_and_tells_nothing(sent, tmp_path):
    measured = ScalingMiddleware(app, token="secret", cgroup_root=cgroup_v2(tmp_path))
    answer = await fetch(measured, HEALTH, headers=[] if sent is None else [(b"authorization", sent)])
    assert answer.status == 401
    assert answer.headers[b"www-authenticate"] == b"Bearer"
    assert b"windows" not in answer.body
    assert b"secret" not in answer.body


@pytest.mark.parametrize("sent", (b"Bearer secret", b"bearer secret", b"Bearer  secret "))
async def test_with_the_token_the_answer_is_the_report(sent, tmp_path):
    measured = ScalingMiddleware(app, token="secret", cgroup_root=cgroup_v2(tmp_path))
    assert (await fetch(measured, HEALTH, headers=[(b"authorization", sent)])).status == 200


@pytest.mark.parametrize("empty", ("", " "))
def test_a_token_that_is_set_but_empty_is_refused_at_start(monkeypatch, empty):
    monkeypatch.setenv("SCALING_HEALTH_TOKEN", empty)
    with pytest.raises(SettingError, match="SCALING_HEALTH_TOKEN is set but empty: give it a value"):
        ScalingMiddleware(app)


async def test_the_token_may_come_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("SCALING_HEALTH_TOKEN", "secret")
    measured = ScalingMiddleware(app, cgroup_root=cgroup_v2(tmp_path))
    assert (await fetch(measured, HEALTH)).status == 401
    assert (await fetch(measured, HEALTH, headers=[(b"authorization", b"Bearer secret")])).status == 200


@pytest.mark.parametrize("reading", (None, (1,), (1, "three"), (1, 2, 3)))
async def test_a_pool_that_cannot_be_read_is_left_out_and_the_rest_is_told(measured, caplog, reading):
    measured.instruments.gauges.pool("broken", lambda: reading)
    measured.instruments.gauges.pool("database", lambda: (2, 3))
    assert (await fresh_report(measured))["pools"] == {"database": {"in_use": 2, "size": 3}}
    assert "'broken'" in caplog.text


@pytest.mark.parametrize("reading", (None, float("nan"), float("inf"), "many"))
async def test_a_business_metric_that_is_no_number_is_left_out(measured, caplog, reading):
    measured.instruments.gauges.business("broken", lambda: reading)
    measured.instruments.gauges.business("daily_active_users", lambda: 120)
    assert (await fresh_report(measured))["business"] == {"daily_active_users": 120}
    assert "'broken'" in caplog.text


async def test_signals_are_counted_since_the_start(measured):
    measured.instruments.gauges.signal("complaints", 2)
    measured.instruments.gauges.signal("complaints")
    assert (await fresh_report(measured))["signals"] == {"complaints": 3}
