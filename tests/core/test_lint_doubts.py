"""What is sound, and hardly meant so: each doubt at its place with its code, and what only looks like one is none."""

from typing import Any

import pytest

from autoscaler.core.findings import Path, Problem, Severity
from autoscaler.core.lint import problems
from autoscaler.core.policy import read_policy
from autoscaler.core.rule_doubts import READINGS_KEPT
from autoscaler.engine.worker import KEEP_READINGS

UP, DOWN = "memory_usage > 400MB for 30m", "memory_usage < 200MB for 48h"


def policy(
    *, up: list[str] | None = None, down: list[str] | None = None, env: dict[str, str] | None = None, **sections: Any
):
    health = {"url": "https://a.example/h"} | sections.pop("health", {})
    small = {"name": "small", "plan": "starter", "scale_up": {"any": up or [UP]}, "env": env or {}}
    large = {"name": "large", "plan": "standard", "scale_down": {"all": down or [DOWN]}, "env": env or {}}
    text = {"version": "1", "service": {"id": "srv-a", "health": health}, "tiers": [small, large]}
    return read_policy(text | sections)


def found(**sections: Any) -> list[tuple[str, Path]]:
    told = problems(policy(**sections))
    assert all(problem.severity is Severity.WARNING for problem in told)
    return [(problem.code, problem.path) for problem in told]


UP_RULE, DOWN_RULE = ("tiers", 0, "scale_up", "any", 0), ("tiers", 1, "scale_down", "all", 0)


@pytest.mark.parametrize(
    ("rule", "code"),
    (
        ("cpu_percent > 100% for 10m", "never_holds"),
        ("error_rate >= 101% for 10m", "never_holds"),
        ("memory_percent > 100% for 10m", "never_holds"),
        ("memory_usage > 512MB for 10m", "never_holds"),
        ("concurrent_requests > 72 for 10m", "never_holds"),
        ("stalled > 1 for 10m", "never_holds"),
        ("poll_timeouts > 21 within 10m", "never_holds"),
        ("avg_response_time > 8s for 31d", "long_window"),
        ("mean(memory_usage over 31d) > 400MB", "long_window"),
        ("avg_response_time > 8s for 80s", "short_window"),
        ("memory_usage > 400MB for 15m in 99% of samples", "idle_share"),
        ("p95(memory_usage over 9m) > 400MB", "few_samples"),
        ("avg_response_time < 8s for 1h", "wrong_way"),
        ("request_rate <= 1/s for 1h", "wrong_way"),
    ),
)
def test_a_rule_upward_that_is_hardly_meant_so(rule: str, code: str):
    assert found(up=[rule], down=["error_rate < 1% for 24h"], env={"MAX_CONCURRENT": "8"}) == [(code, UP_RULE)]


@pytest.mark.parametrize(
    "rule",
    (
        "cpu_percent >= 100% for 10m",
        "error_rate > 99% for 10m",
        "memory_usage > 511MB for 10m",
        "concurrent_requests > 71 for 10m",
        "stalled for 10m",
        "poll_timeouts > 20 within 10m",
        "avg_response_time > 8s for 30d",
        "complaints >= 3 within 90d",
        "memory_usage > 400MB for 10m in 95% of samples",
        "p95(memory_usage over 10m) > 400MB",
        "cache_hit_ratio < 50% for 1h",
        "db_pool_usage > 110% for 10m",
    ),
)
def test_a_rule_upward_that_may_well_be_meant(rule: str):
    assert found(up=[rule], down=["error_rate < 1% for 24h"], env={"MAX_CONCURRENT": "8"}) == []


@pytest.mark.parametrize(
    ("rule", "code"),
    (
        ("memory_usage < 3GB for 48h", "always_holds"),
        ("error_rate <= 100% for 48h", "always_holds"),
        ("memory_percent < 101% for 48h", "always_holds"),
        ("avg_response_time < 0s for 48h", "never_holds"),
        ("request_rate > 1/s for 48h", "wrong_way"),
        ("complaints >= 3 within 24h", "wrong_way"),
    ),
)
def test_a_rule_downward_that_is_hardly_meant_so(rule: str, code: str):
    assert (code, DOWN_RULE) in found(up=["loop_lag > 1s for 1h"], down=[rule])


def test_of_any_the_rule_that_another_one_contains_changes_nothing():
    assert found(up=[UP, "memory_usage > 450MB for 30m"]) == [("redundant", ("tiers", 0, "scale_up", "any", 1))]
    assert found(up=[UP, "memory_usage > 450MB for 1h"]) == [("redundant", ("tiers", 0, "scale_up", "any", 1))]
    assert found(up=["memory_usage > 450MB for 1h", UP]) == [("redundant", ("tiers", 0, "scale_up", "any", 0))]
    assert found(up=[UP, "memory_usage > 450MB for 10m", "memory_percent > 80% for 30m"]) == []


def test_of_all_the_rule_that_another_one_contains_changes_nothing():
    assert found(down=[DOWN, "memory_usage < 250MB for 24h"]) == [("redundant", ("tiers", 1, "scale_down", "all", 1))]
    assert found(down=[DOWN, "memory_usage < 100MB for 24h"]) == []


def test_a_rule_that_stands_twice_is_told_once_at_the_second():
    assert found(up=[UP, UP]) == [("redundant", ("tiers", 0, "scale_up", "any", 1))]


def test_what_holds_all_along_holds_in_a_share_of_the_samples_and_not_the_other_way_round():
    share = "memory_usage > 400MB for 30m in 80% of samples"
    assert found(up=[UP, share]) == [("redundant", ("tiers", 0, "scale_up", "any", 0))]
    assert found(up=[share, "memory_usage > 450MB for 30m in 90% of samples"]) == [
        ("redundant", ("tiers", 0, "scale_up", "any", 1))
    ]
    assert found(up=[share.replace("400", "450"), "memory_usage > 440MB for 30m in 90% of samples"]) == []


def test_two_rules_that_can_never_hold_together():
    emergency = {"all": ["memory_percent > 90% for 2m", "memory_percent < 50% for 2m"]}
    told = found(emergency=emergency)
    assert [code for code, path in told if path[0] == "emergency"] == ["never_holds", "wrong_way"]
    assert ("never_holds", ("emergency", "all", 1)) in told


WORK, NIGHT, WEEK = "mon-fri 09:00-17:00 UTC", "mon-fri 07:00-20:00 UTC", "mon-sun 00:00-24:00 UTC"
YES = {"scale_down": "required", "approvers": ["U024BE7LH"]}


@pytest.mark.parametrize(
    ("sections", "code", "path"),
    (
        ({"guards": {"budget": {"monthly": "5"}}}, "budget", ("guards", "budget", "monthly")),
        ({"guards": {"max_changes": "0 per day"}}, "max_changes", ("guards", "max_changes")),
        ({"guards": {"max_changes": "1 per day"}}, "max_changes", ("guards", "max_changes")),
        ({"guards": {"not_during": {"scale_up": WEEK}}}, "never_allowed", ("guards", "not_during", "scale_up")),
        ({"verify": {"soak": "50s"}}, "short_soak", ("verify", "soak")),
        ({"emergency": {"any": ["oom_kills >= 2 within 10m"], "to": "small"}}, "idle_floor", ("emergency", "to")),
        ({"schedules": [{"during": WORK, "at_least": "small"}]}, "idle_floor", ("schedules", 0, "at_least")),
        ({"approval": YES | {"expires": "5m"}}, "short_expiry", ("approval", "expires")),
        (
            {
                "approval": YES | {"ask": "mon 09:00-10:00 UTC"},
                "guards": {"not_during": {"scale_down": "mon-wed 00:00-24:00 UTC"}},
            },
            "never_askable",
            ("approval", "ask"),
        ),
        ({"env": {"DATABASE_PASSWORD": "x"}}, "secret", ("tiers", 0, "env", "DATABASE_PASSWORD")),
        (
            {"health": {"url": "http://app.example.com/h", "token": {"env": "T"}}},
            "token_in_clear",
            ("service", "health", "url"),
        ),
        ({"evidence": {"fit_window": "40d"}}, "long_window", ("evidence", "fit_window")),
    ),
)
def test_a_guard_that_is_hardly_meant_so(sections: dict[str, Any], code: str, path: Path):
    assert (code, path) in found(**sections)


@pytest.mark.parametrize(
    "sections",
    (
        {"guards": {"max_changes": "2 per day", "budget": {"monthly": "25"}}},
        {
            "approval": YES | {"ask": WORK},
            "guards": {"not_during": {"scale_down": NIGHT}},
        },  # agreed by day, done by night
        {"approval": YES | {"ask": WORK}},
        {"health": {"url": "http://holisticos-api:10000/h", "token": {"env": "T"}}},  # Render's private network
        {"health": {"url": "http://127.0.0.1:8000/h", "token": {"env": "T"}}},
        {"env": {"TOKENIZER_THREADS": "2", "CACHE_KEYS": "5"}},
    ),
)
def test_a_guard_that_may_well_be_meant(sections: dict[str, Any]):
    assert found(**sections) == []


def wide(env: dict[str, str]) -> list[Problem]:
    bare = policy(env=env)
    tiers = (bare.tiers[0], bare.tiers[1].model_copy(update={"instances": 3}))
    return problems(bare.model_copy(update={"tiers": tiers}))


def test_several_instances_whose_tier_names_no_shared_cache_are_told_of_it():
    """The seed's "Multi-Instance Deployment": Redis for distributed caching."""
    (problem,) = wide({"MAX_CACHE_ENTRIES": "500"})
    assert (problem.code, problem.path) == ("wide_cache", ("tiers", 1, "instances"))
    assert problem.severity is Severity.WARNING
    assert "3 instances of 'large'" in problem.message
    assert "RedisBackend" in problem.message
    assert "REDIS_URL" in problem.message


@pytest.mark.parametrize(
    "env",
    (
        {"REDIS_URL": "redis://red-1:6379"},
        {"APP_REDIS_HOST": "red-1"},
        {"VALKEY_URL": "x"},
        {"KEY_VALUE_HOST": "red-1"},
        {"keyvalue_host": "red-1"},
        {"CACHE_URL": "rediss://red-1:6379"},
        {"CACHE_BACKEND": "redis"},
    ),
)
def test_several_instances_whose_tier_names_a_shared_cache_are_well(env: dict[str, str]):
    assert wide(env) == []


@pytest.mark.parametrize("env", ({"MODE": "predisposed"}, {"CACHE_KEYS": "5"}, {}))
def test_a_word_that_only_looks_like_one_names_no_shared_cache(env: dict[str, str]):
    assert [one.code for one in wide(env)] == ["wide_cache"]


def test_a_rung_that_nothing_sends_up_is_told_unless_an_emergency_or_a_floor_does():
    bare = policy()
    tiers = (bare.tiers[0].model_copy(update={"scale_up": None}), bare.tiers[1])
    assert [one.code for one in problems(bare.model_copy(update={"tiers": tiers}))] == ["no_way_up"]
    floor = policy(schedules=[{"during": WORK, "at_least": "large"}])
    assert problems(floor.model_copy(update={"tiers": tiers})) == []


def test_a_ladder_of_one_rung_leads_nowhere():
    bare = policy()
    tiers = (bare.tiers[0].model_copy(update={"scale_up": None}),)
    assert [one.code for one in problems(bare.model_copy(update={"tiers": tiers}))] == ["one_tier"]


def test_what_the_endpoint_itself_defines_may_have_any_size():
    assert found(up=["error_rate > 120% for 1h"], metrics={"error_rate": {"path": "e", "unit": "%"}}) == []


def test_readings_are_kept_as_long_as_the_worker_keeps_them():
    assert READINGS_KEPT == KEEP_READINGS
