"""`explain`: every rule and guard from what the worker has recorded, as of now."""

import time
from pathlib import Path

import pytest

from autoscaler.core.durations import HOUR, MINUTE
from autoscaler.core.observations import Signal, TierChanged
from tests.support.cli import autoscaler
from tests.support.recorded import MB, Load, recorded

POLICY = """\
version: 1
mode: act
service:
  id: srv-cukr0123456789abcdef
  health: {url: "http://127.0.0.1:1/api/health/scaling"}
tiers:
  - name: mvp
    plan: starter
    env: {MAX_CONCURRENT: 8}
    scale_up: {any: [avg_response_time > 8s for 1h, memory_usage > 400MB for 30m, complaints >= 3 within 24h]}
  - name: scaled
    plan: standard
    env: {MAX_CONCURRENT: 20}
    scale_down: {all: [memory_usage < 200MB for 2h, avg_response_time < 3s for 1h]}
emergency: {any: [memory_percent > 95% for 2m]}
alerts: [{name: growth, when: daily_active_users >= 100, do: prepare_for_scaling}]
guards: {budget: {monthly: 60}}
approval: {scale_down: required}
"""


def slow_for(ago: int) -> "object":
    return lambda at: Load(seconds=9.4 if at <= ago else 0.8)


@pytest.fixture
def place(tmp_path: Path):
    """A folder with one policy; `await place(...)` adds the worker's records and gives the environment."""
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "api.yaml").write_text(POLICY)

    async def build(until: int | None = None, **world) -> dict[str, str]:
        url = await recorded(tmp_path, POLICY, until or int(time.time() * 1000), **world)
        return {"DATABASE_URL": url, "AUTOSCALER_POLICIES": str(folder), "TZ": "Europe/Berlin"}

    build.folder = folder
    return build


def rule(document, condition):
    return next(one for one in document["conditions"] if one["condition"] == condition)


def way(document, role):
    return next(one for one in document["ways"] if one["role"] == role)


async def test_a_rule_that_builds_says_its_value_its_trend_how_much_is_held_and_seen_and_when_it_could_act(place):
    env = await place(load=slow_for(40 * MINUTE))
    (told,) = (await autoscaler("explain", "holisticos-api", "--json", **env)).json
    slow = rule(told, "avg_response_time > 8s for 1h")
    assert slow["value"] == pytest.approx(9.4)
    assert slow["held"] == pytest.approx(35 / 60, abs=0.03), "the pool of five minutes has to fill first"
    assert slow["covered"] > 0.98
    assert (slow["trend"]["values"][0], slow["trend"]["values"][-1]) == pytest.approx((0.8, 9.4))
    assert told["why"] == "steady"
    up = way(told, "up")
    assert (up["target"], up["monthly"], up["waits_for"]) == ("scaled", 25, "avg_response_time > 8s for 1h")
    assert up["blockers"] == []
    assert up["not_before"] == pytest.approx(time.time() * 1000 + 25 * MINUTE, abs=2 * MINUTE)


async def test_it_shows_the_text_within_80_columns_with_the_local_time_and_utc(place):
    env = await place(load=slow_for(40 * MINUTE))
    ended = await autoscaler("explain", "api", **(env | {"COLUMNS": "80"}))
    assert ended.code == 0, ended.err
    assert max(map(len, ended.out.splitlines())) <= 80
    assert "avg_response_time > 8s for 1h" in ended.out
    assert "Earliest: in 2" in ended.out
    assert "CE" in ended.out, "CET or CEST"
    assert "UTC)" in ended.out
    assert "No guard would be in the way." in ended.out


async def test_what_is_asked_for_and_held_shows_its_guards_and_what_it_would_save(place):
    now = int(time.time() * 1000)
    tenancy = (TierChanged(now - 90 * HOUR, "mvp", "starter", 1), TierChanged(now - 60 * HOUR, "scaled", "standard", 1))
    env = await place(load=lambda ago: Load(seconds=0.4, memory=90 * MB), tenancy=tenancy)
    (told,) = (await autoscaler("explain", "--json", **env)).json
    assert (told["tier"], told["plan"], told["ask"], told["why"]) == ("scaled", "standard", "down", "approval_required")
    assert (told["monthly_now"], told["monthly_then"]) == (25, 7)
    down = way(told, "down")
    assert down["asked"]
    assert down["wants"] == "all"
    assert [one["holds"] for one in told["conditions"] if one["role"] == "down"] == [True, True]
    emergency = way(told, "emergency")
    assert [one["why"] for one in emergency["blockers"]] == ["at_top"]


async def test_what_guards_would_say_is_known_before_any_rule_asks(place):
    now = int(time.time() * 1000)
    tenancy = (TierChanged(now - 90 * HOUR, "mvp", "starter", 1), TierChanged(now - HOUR, "scaled", "standard", 1))
    env = await place(load=lambda ago: Load(seconds=0.4, memory=190 * MB), tenancy=tenancy)
    (told,) = (await autoscaler("explain", "--json", **env)).json
    assert told["why"] == "steady"
    assert "approval_required" in [one["why"] for one in way(told, "down")["blockers"]]


async def test_counted_signals_and_business_values_are_told_as_they_are(place):
    now = int(time.time() * 1000)
    signals = [Signal(now - 3 * HOUR, "complaints"), Signal(now - HOUR, "daily_active_users", 62)]
    env = await place(signals=signals)
    (told,) = (await autoscaler("explain", "--json", **env)).json
    complaints = rule(told, "complaints >= 3 within 24h")
    assert (complaints["value"], sum(one or 0 for one in complaints["trend"]["values"])) == (1, 1)
    assert rule(told, "daily_active_users >= 100")["trend"]["values"][-1] == 62


async def test_a_worker_that_stopped_is_seen_by_its_last_poll(place):
    env = await place(until=int(time.time() * 1000) - 3 * HOUR)
    ended = await autoscaler("explain", **env)
    assert "3h ago: is the worker running? `autoscaler status` says." in ended.out
    assert "no sample for 3h" in ended.out


async def test_without_a_policy_at_hand_it_shows_what_the_worker_last_said(place, tmp_path):
    env = await place(load=slow_for(40 * MINUTE))
    ended = await autoscaler("explain", "holisticos-api", "-p", tmp_path / "nowhere", **env)
    assert ended.code == 0
    assert "No policy at hand is for holisticos-api" in ended.err
    assert "avg_response_time > 8s for 1h" in ended.out


async def test_an_unknown_service_gets_the_nearest_name_and_the_next_command(place):
    env = await place()
    ended = await autoscaler("explain", "holistico-api", **env)
    assert ended.code == 2
    assert ended.err == (
        "error: There is no service 'holistico-api'. Did you mean holisticos-api? "
        "`autoscaler status` shows all that are looked after.\n"
    )


async def test_a_policy_that_no_worker_has_looked_at_says_what_to_do(place):
    env = await place()
    (place.folder / "new.yaml").write_text(POLICY.replace("srv-cukr0123456789abcdef", "srv-new00123456789abcdef"))
    ended = await autoscaler("explain", "new", **env)
    assert ended.code == 1
    assert "no worker has looked at it yet. Start `autoscaler run`" in ended.err


async def test_without_a_database_it_says_how_to_get_one_and_makes_none(place, tmp_path):
    env = {"DATABASE_URL": f"sqlite:///{tmp_path}/none.db", "AUTOSCALER_POLICIES": str(place.folder)}
    ended = await autoscaler("explain", "api", **env)
    assert ended.code == 1
    assert "no worker has recorded anything here. Start `autoscaler run`" in ended.err
    assert "autoscaler check" in ended.err
    assert not (tmp_path / "none.db").exists()
