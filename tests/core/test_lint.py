"""What does not fit together in a policy whose values are sound one by one."""

from typing import Any

import pytest

from autoscaler.core.findings import Path, Problem, Severity
from autoscaler.core.lint import problems
from autoscaler.core.policy import Policy


def tier(name: str, plan: str, up: str | None = None, down: str | None = None, **more: Any) -> dict[str, Any]:
    rules = ({"scale_up": {"any": [up]}} if up else {}) | ({"scale_down": {"all": [down]}} if down else {})
    return {"name": name, "plan": plan, **rules, **more}


UP, DOWN = "memory_usage > 400MB for 30m", "memory_usage < 200MB for 48h"
SHARED = {"env": {"REDIS_URL": "redis://red-1:6379"}}
"""Of tiers that run several instances."""
BUSY = {"scale_up": {"any": ["error_rate > 5% for 1h"]}}
SMALL, LARGE = tier("small", "starter", up=UP), tier("large", "standard", down=DOWN)


def found(*tiers: dict[str, Any], **sections: Any) -> list[Problem]:
    service = {"id": "srv-a", "health": {"url": "https://a.example/h"} | sections.pop("health", {})}
    return problems(
        Policy.model_validate({"version": "1", "service": service, "tiers": tiers or (SMALL, LARGE)} | sections)
    )


def brief(problem: Problem) -> tuple[str, Path, Path | None]:
    return problem.code, problem.path, problem.related


def test_a_sound_ladder_has_no_problems():
    assert found() == []


@pytest.mark.parametrize(
    ("lower", "upper"),
    (
        (tier("small", "standard"), tier("large", "starter", down=DOWN)),
        (tier("small", "starter"), tier("large", "0.5c-512mb", down=DOWN)),
        (tier("small", "8c-16g"), tier("large", "4c-32g", down=DOWN)),  # more memory, but less CPU
        (tier("small", "standard", instances="2"), tier("large", "standard", down=DOWN)),
        (tier("small", "standard", instances="4"), tier("large", "pro", down=DOWN)),  # each larger, in all smaller
    ),
)
def test_a_tier_that_is_not_larger_than_the_one_below_is_an_error_with_both_places(
    lower: dict[str, Any], upper: dict[str, Any]
):
    (problem,) = found(lower | BUSY, upper)
    assert brief(problem) == ("ladder", ("tiers", 1, "plan"), ("tiers", 0, "plan"))
    assert problem.severity is Severity.ERROR
    assert "is not larger than 'small'" in problem.message


@pytest.mark.parametrize(
    ("lower", "upper"),
    (
        (tier("small", "starter"), tier("large", "1c-2g", down=DOWN)),
        (tier("small", "pro"), tier("large", "2c-8g", down=DOWN)),  # the same CPU, more memory
        (tier("small", "4c-16g"), tier("large", "8c-16g", down=DOWN)),
        (tier("small", "standard"), tier("large", "standard", instances="2", down=DOWN)),
        (tier("small", "standard", instances="2"), tier("large", "pro", down=DOWN)),  # each larger, in all the same
    ),
)
def test_more_of_one_and_not_less_of_the_other_or_more_instances_is_larger(
    lower: dict[str, Any], upper: dict[str, Any]
):
    assert found(lower | BUSY | SHARED, upper | SHARED) == []


def test_two_tiers_of_one_name_are_an_error_at_the_second():
    (problem,) = found(SMALL, LARGE | {"name": "small"})
    assert brief(problem) == ("duplicate_name", ("tiers", 1, "name"), ("tiers", 0, "name"))


def test_tiers_with_different_env_keys_are_errors_that_name_the_missing_ones():
    first, second = found(SMALL | {"env": {"A": "1", "B": "2", "C": "3"}}, LARGE | {"env": {"A": "1", "D": "4"}})
    assert brief(first) == ("env_keys", ("tiers", 0, "env"), ("tiers", 1, "env", "D"))
    assert "tier 'small' does not set D:" in first.message
    assert brief(second) == ("env_keys", ("tiers", 1, "env"), ("tiers", 0, "env", "B"))
    assert "tier 'large' does not set B, C:" in second.message


def test_every_name_of_a_tier_that_is_none_is_an_error():
    told = found(
        emergency={"any": ["oom_kills >= 2 within 10m"], "to": "huge"},
        alerts=[{"name": "rich", "when": "monthly_revenue >= 50", "do": {"at_least": "hug"}}],
        schedules=[
            {"during": "mon-fri 08:00-20:00 UTC", "at_least": "large"},
            {"during": "sat 08:00-20:00 UTC", "at_least": "x"},
        ],
    )
    assert [brief(problem) for problem in told] == [
        ("unknown_tier", ("emergency", "to"), None),
        ("unknown_tier", ("alerts", 0, "do", "at_least"), None),
        ("unknown_tier", ("schedules", 1, "at_least"), None),
    ]
    assert "no tier is called 'huge': use one of small, large" in told[0].message


def test_rules_that_lead_off_the_ladder_are_errors_only_where_the_tier_itself_has_them():
    told = found(
        tier("small", "starter", up=UP, down=DOWN),
        tier("large", "standard", up="memory_usage > 1GB for 30m", down=DOWN),
    )
    assert [(problem.code, problem.path) for problem in told] == [
        ("end_of_ladder", ("tiers", 0, "scale_down")),
        ("end_of_ladder", ("tiers", 1, "scale_up")),
    ]
    shared = found(
        tier("small", "starter"), tier("large", "standard"), scale_up={"any": [UP]}, scale_down={"all": [DOWN]}
    )
    assert shared == []


@pytest.mark.parametrize(
    ("up", "down", "code"),
    (
        (UP, "memory_usage < 500MB for 48h", "overlap"),
        (UP, "memory_usage < 400MB for 48h", "overlap"),
        (UP, "memory_usage < 300MB for 48h", "thin_band"),
        (UP, "memory_usage < 280MB for 48h", None),
        (UP, "memory_usage > 100MB for 48h", "overlap"),  # both ways upwards: always room for both
        (UP, "error_rate < 50% for 48h", None),
        ("avg_response_time > 8s for 1h", "avg_response_time < 9000ms for 24h", "overlap"),
        ("mean(cpu_percent over 10m) > 70%", "max(cpu_percent over 1h) < 75%", "overlap"),
        ("cache_hit_ratio < 50% for 1h", "cache_hit_ratio > 40% for 24h", "overlap"),
        ("cache_hit_ratio < 50% for 1h", "cache_hit_ratio > 60% for 24h", "thin_band"),
        ("cache_hit_ratio < 50% for 1h", "cache_hit_ratio > 90% for 24h", None),
        ("memory_percent > 80% for 1h", "memory_percent < 40% for 24h", "other_plan"),  # 819 MB against 410 MB
        ("memory_percent > 80% for 1h", "memory_percent < 15% for 24h", None),
        ("memory_percent > 80% for 1h", "memory_usage < 450MB for 24h", "other_plan"),
        ("cpu_percent > 80% for 1h", "cpu_percent < 50% for 24h", "other_plan"),
    ),
)
def test_going_up_and_coming_down_need_room_between_them(up: str, down: str, code: str | None):
    told = found(tier("small", "starter", up=up), tier("large", "standard", down=down))
    places = (("tiers", 1, "scale_down", "all", 0), ("tiers", 0, "scale_up", "any", 0))
    assert [brief(problem) for problem in told] == ([(code, *places)] if code else [])
    assert all((problem.severity is Severity.ERROR) is (code == "overlap") for problem in told)


def test_shared_rules_that_overlap_are_told_once_where_they_stand():
    tiers = (tier("a", "starter"), tier("b", "standard"), tier("c", "pro"))
    told = found(*tiers, scale_up={"any": [UP]}, scale_down={"all": ["memory_usage < 500MB for 48h"]})
    assert [brief(problem) for problem in told] == [("overlap", ("scale_down", "all", 0), ("scale_up", "any", 0))]


@pytest.mark.parametrize(
    ("sections", "code", "path"),
    (
        ({"health": {"every": "5s", "timeout": "6s"}}, "timeout", ("service", "health", "timeout")),
        ({"health": {"every": "0.5s", "timeout": "0.4s"}}, "every", ("service", "health", "every")),
        ({"verify": {"soak": "2h", "watch": "1h"}}, "soak", ("verify", "soak")),
        ({"evidence": {"rate_window": "45s"}}, "rate_window", ("evidence", "rate_window")),
        ({"guards": {"headroom": "100%"}}, "headroom", ("guards", "headroom")),
    ),
)
def test_times_that_contradict_each_other_are_errors(sections: dict[str, Any], code: str, path: Path):
    (problem,) = found(**sections)
    assert (problem.code, problem.path, problem.severity) == (code, path, Severity.ERROR)


@pytest.mark.parametrize(
    ("sections", "code", "path"),
    (
        ({"scale_up": {"any": ["error_rate > 5% for 1m"]}}, "short_window", ("scale_up", "any", 0)),
        ({"emergency": {"any": ["mean(cpu_percent over 1m) > 95%"]}}, "short_window", ("emergency", "any", 0)),
        ({"guards": {"budget": {"monthly": "20"}}}, "budget", ("guards", "budget", "monthly")),
        ({"approval": {"scale_down": "required"}}, "no_approvers", ("approval", "scale_down")),
        ({"mode": "ask"}, "no_approvers", ("mode",)),
        ({"emergency": {"any": ["memory_usage > 600MB for 2m"]}}, "never_holds", ("emergency", "any", 0)),
        ({"emergency": {"any": ["memory_percent > 100% for 2m"]}}, "never_holds", ("emergency", "any", 0)),
    ),
)
def test_a_doubt_is_a_warning(sections: dict[str, Any], code: str, path: Path):
    (problem,) = found(**sections)
    assert (problem.code, problem.path, problem.severity) == (code, path, Severity.WARNING)


@pytest.mark.parametrize(
    "sections",
    (
        {"scale_up": {"any": ["error_rate > 5% for 90s"]}},
        {"emergency": {"any": ["oom_kills >= 2 within 1m"]}},  # an event needs no three polls
        {"emergency": {"any": ["memory_percent > 95%"]}},  # the latest reading, on purpose
        {"guards": {"budget": {"monthly": "25"}}},
        {"approval": {"scale_down": "required", "approvers": ["U024BE7LH"]}},
        {"mode": "ask", "approval": {"approvers": ["U024BE7LH"]}},
        {"emergency": {"any": ["memory_usage > 500MB for 2m"]}},
    ),
)
def test_what_only_looks_like_one_is_none(sections: dict[str, Any]):
    assert found(**sections) == []


def test_a_tier_that_never_comes_down_is_a_warning_with_its_cost():
    (problem,) = found(SMALL | SHARED, tier("large", "standard", instances="2") | SHARED)
    assert (problem.code, problem.path, problem.severity) == ("no_way_down", ("tiers", 1), Severity.WARNING)
    assert "50 USD a month" in problem.message


def test_a_shared_memory_rule_is_doubted_only_on_the_tiers_where_it_cannot_hold():
    tiers = (tier("a", "starter"), tier("b", "standard"), tier("c", "pro"))
    (problem,) = found(*tiers, scale_up={"any": ["memory_usage > 1GB for 1h"]}, scale_down={"all": [DOWN]})
    assert problem.message == "'memory_usage > 1GB for 1h' can never hold on 'a' (starter, 512 MB)"


@pytest.mark.parametrize("where", ("tier", "shared", "emergency"))
def test_an_app_that_is_away_is_by_itself_no_reason_for_a_larger_plan(where: str):
    away = "unreachable for 5m"
    small = tier("small", "starter", up=away) if where == "tier" else tier("small", "starter")
    sections = {"shared": {"scale_up": {"any": [away]}}, "emergency": {"emergency": {"any": [away]}}}.get(where, {})
    (problem,) = [one for one in found(small, LARGE, **sections) if one.code == "unreachable_alone"]
    assert problem.severity is Severity.WARNING
    assert found(alerts=[{"name": "away", "when": away, "do": "investigate"}]) == []
