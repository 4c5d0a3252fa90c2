"""`check` on a service with an endpoint of its own, and on one with none, over real HTTP."""

from render_client.sim.load import set_load
from render_client.sim.state import Load
from tests.cli.conftest import SERVICE
from tests.support.cli import autoscaler

OWN = "metrics: {queue_depth: jobs.waiting, reply_time: {path: stats.latency_ms, unit: ms}}\n"


async def test_an_endpoint_of_the_app_s_own_moves_the_service_by_its_own_names(place):
    policy = place.policy.read_text().replace("memory_usage > 400MB", "queue_depth > 20, reply_time > 2s")
    place.policy.write_text(policy.replace("memory_usage < 200MB", "queue_depth < 2") + OWN)
    place.app.body = {"jobs": {"waiting": 21}, "stats": {"latency_ms": 300}}
    ended = await autoscaler("check", "-p", place.policies, **place.env)
    assert ended.code == 0, ended.err
    assert "queue_depth 21 > 20" in ended.out
    assert "300ms" in ended.out
    assert "PATCH" in ended.out
    place.app.body = {"status": "ok"}
    ended = await autoscaler("check", "-p", place.policies, **place.env)
    assert ended.code == 1
    assert "it has none of what the policy looks for under 'metrics:', such as 'jobs.waiting'" in " ".join(
        ended.out.split()
    )


async def test_a_service_without_an_endpoint_is_judged_by_render_s_metrics(place):
    lines = [line for line in place.policy.read_text().splitlines() if "health:" not in line]
    place.policy.write_text("\n".join(lines).replace("memory_usage > 400MB", "memory_percent > 80%") + "\n")
    set_load(place.sim.world.services[SERVICE], Load(0, rate=2, memory=450 * 1024**2))
    ended = await autoscaler("check", "-p", place.policies, **place.env)
    assert ended.code == 0, ended.err + ended.out
    assert "memory_percent 87.9% > 80%" in ended.out
    assert place.app.requests == []


async def test_the_seed_s_own_endpoint_has_a_memory_share_by_the_plan_that_runs(place):
    place.policy.write_text(place.policy.read_text().replace("memory_usage > 400MB", "memory_percent > 80%"))
    snapshot = {"concurrent_requests": 1, "avg_response_time": 0.4, "memory_usage_mb": 450, "request_count": 9}
    place.app.body = {"timestamp": "2026-06-01T08:00:00+00:00", "current_metrics": snapshot}
    ended = await autoscaler("check", "-p", place.policies, **place.env)
    assert ended.code == 0, ended.err
    assert "memory_percent 87.9% > 80%" in ended.out
