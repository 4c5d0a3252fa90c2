"""`policies/`: the seed's plan complete, and the demo's."""

import re
from pathlib import Path

import pytest

from autoscaler.core.policy import Policy
from autoscaler.policyfile import load_file

ROOT = Path(__file__).parents[2]
PLAN = ROOT.parent / "shared" / "seed" / "holisticos-scaling-plan.md"


def policy(name: str) -> Policy:
    return load_file(ROOT / "policies" / name).policy


@pytest.mark.parametrize("name", ("holisticos.yaml", "demo.yaml"))
def test_it_is_sound_and_without_a_doubt(name: str):
    assert load_file(ROOT / "policies" / name).warnings == ()


def test_holisticos_has_every_trigger_and_every_alert_of_its_plan():
    plan = policy("holisticos.yaml")
    small, large = plan.tiers
    assert small.scale_up is not None
    assert large.scale_down is not None
    assert plan.emergency is not None
    assert [condition.text for condition in small.scale_up.conditions] == [
        "avg_response_time > 8s for 1h",
        "concurrent_requests > 10 for 15m in 80% of samples",
        "memory_usage > 400MB for 30m",
        "memory_percent > 80% for 30m",
        "error_rate > 5% for 1h",
        "complaints >= 3 within 24h",
    ]
    assert [condition.text for condition in large.scale_down.conditions] == [
        "avg_response_time < 3s for 24h",
        "concurrent_requests < 5 for 48h",
        "memory_usage < 200MB for 48h",
        "error_rate < 1% for 24h",
    ]
    assert [condition.text for condition in plan.emergency.conditions] == [
        "concurrent_requests > 20 for 3m",
        "memory_percent > 95% for 2m",
        "oom_kills >= 2 within 10m",
    ]
    assert [(alert.name, alert.when.text) for alert in plan.alerts] == [
        ("error-spike", "error_rate > 5% for 1h"),
        ("growth", "daily_active_users >= 100"),
        ("profitable", "monthly_revenue >= 50"),
        ("costs-exceed-revenue", "monthly_revenue < 25"),
        ("database-pool", "db_pool_usage > 90% for 10m"),
        ("cache-misses", "cache_hit_ratio < 50% for 6h"),
    ]
    assert plan.approval.scale_down == "required"
    assert (small.monthly, large.monthly) == (7, 25)


@pytest.mark.skipif(not PLAN.exists(), reason="the seed's plan is not part of the repository")
def test_both_tiers_set_every_variable_of_the_plan_to_its_value():
    text = PLAN.read_text(encoding="utf-8")
    first, second = (
        dict(re.findall(r"^([A-Z_]+)=(\S+)", block, re.MULTILINE)) for block in text.split("3.2 Scaling Execution")
    )
    overflow = re.findall(r"DB_POOL_(?:MAX_)?OVERFLOW\D+?'?(\d+)", text)
    stays = {"RESPONSE_TIME_WARNING": first["RESPONSE_TIME_WARNING"]}
    small, large = policy("holisticos.yaml").tiers
    assert small.env == first | {"DB_POOL_OVERFLOW": overflow[0]}
    assert large.env == second | stays | {"DB_POOL_OVERFLOW": overflow[-1]}


def test_the_demo_runs_the_same_ladder_with_seconds():
    demo, plan = policy("demo.yaml"), policy("holisticos.yaml")
    assert [(tier.name, tier.plan, tier.env) for tier in demo.tiers] == [
        (tier.name, tier.plan, tier.env) for tier in plan.tiers
    ]
    assert max(condition.window for condition in demo.conditions()) <= 20_000


def test_the_demo_polls_the_address_that_the_demo_puts_its_port_into():
    text = (ROOT / "policies" / "demo.yaml").read_text(encoding="utf-8")
    assert text.count("    url: http://127.0.0.1:8788/api/health/scaling\n") == 1
