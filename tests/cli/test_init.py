"""`init` writes a first policy that can be used as it is."""

import time

import pytest
from aiohttp import web

from autoscaler.core.plans import PLANS
from autoscaler.core.policy import Mode
from autoscaler.policyfile import load_file, load_text
from autoscaler.report.draft import Found, draft
from render_client.sim.load import set_load
from render_client.sim.state import Load
from tests.cli.conftest import SERVICE
from tests.support.cli import autoscaler


async def test_a_first_policy_is_written_and_can_be_used_as_it_is(place):
    place.policy.unlink()
    ended = await autoscaler("init", "holisticos-api", "--health-url", place.app.url, cwd=place.folder, **place.env)
    assert ended.code == 0, ended.err
    assert "policies/holisticos-api.yaml: a first policy for holisticos-api (starter), in mode observe." in ended.out
    file = load_file(place.policies / "holisticos-api.yaml")
    assert (file.policy.mode, file.warnings) == (Mode.OBSERVE, ())
    assert [(tier.plan, dict(tier.env)) for tier in file.policy.tiers] == [
        ("starter", {"MAX_CONCURRENT": "8", "DB_POOL_SIZE": "3"}),
        ("standard", {"MAX_CONCURRENT": "16", "DB_POOL_SIZE": "6"}),
    ]
    checked = await autoscaler("check", "-p", file.path, cwd=place.folder, **place.env)
    assert "Steady at starter" in checked.out, checked.err
    assert place.writes == []


async def test_a_file_that_is_there_is_not_written_over(place):
    before = place.policy.read_text()
    ended = await autoscaler("init", "holisticos-api", "--health-url", place.app.url, "-o", place.policy, **place.env)
    assert ended.code == 2
    assert f"{place.policy} is there already: nothing was written." in ended.err
    assert place.policy.read_text() == before


async def test_an_endpoint_behind_a_token_is_named_with_it(place):
    async def closed(request):
        return web.json_response({"detail": "unauthorized"}, status=401)

    place.app.handler = closed
    ended = await autoscaler(
        "init", "holisticos-api", "--health-url", place.app.url, "-o", place.folder / "new.yaml", **place.env
    )
    assert "set SCALING_HEALTH_TOKEN for the bot" in ended.out
    health = load_file(place.folder / "new.yaml").policy.service.health
    assert health.token.env == "SCALING_HEALTH_TOKEN"


async def test_without_an_endpoint_render_s_own_metrics_are_judged(place):
    elsewhere = place.app.url.replace("/api/health/scaling", "/elsewhere")
    ended = await autoscaler("init", SERVICE, "--health-url", elsewhere, "-o", place.folder / "new.yaml", **place.env)
    assert ended.code == 0, ended.err
    assert "does not answer as a scaling health endpoint (HTTP 404" in ended.out
    assert "so Render's metrics are judged" in ended.out
    assert "What it would have done: this policy over" in ended.out
    assert "Nothing: the plan fitted all along." in ended.out
    file = load_file(place.folder / "new.yaml")
    assert (file.policy.service.health, file.warnings) == (None, ())


async def test_what_it_would_have_done_is_said_at_once(place):
    service = place.sim.world.services[SERVICE]
    hour = 3600_000
    now = round(time.time() * 1000)
    for ago, megabytes in ((20, 200), (5, 450)):
        set_load(service, Load(now - ago * hour, rate=5, memory=megabytes * 1024**2))
    ended = await autoscaler("init", "holisticos-api", "-o", place.folder / "new.yaml", **place.env)
    assert ended.code == 0, ended.err
    words = " ".join(ended.out.split())
    assert "What it would have done: this policy over" in words
    assert "▲ starter → standard $7/mo → $25/mo" in words
    assert "memory_percent 87.9% > 80% for 30m" in words
    assert place.writes == []


async def test_a_service_that_does_not_exist_is_one_line(place):
    ended = await autoscaler("init", "no-such-api", cwd=place.folder, **place.env)
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert "No service is called 'no-such-api'" in ended.err


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("instances", (1, 3))
def test_a_draft_is_sound_on_every_plan(plan, instances):
    env = {"MAX_CONCURRENT": "8", "DB_POOL_SIZE": "3", "REQUEST_CACHE_TTL": "600", "WEB_CONCURRENCY": "auto: 2 {#}"}
    url = "https://my-api.onrender.com/api/health/scaling"
    found = Found(
        "srv-cukr0123456789abcdef", "my-api", plan, instances, has_disk=True, health_url=url, token=False, env=env
    )
    file = load_text(draft(found), "draft")
    here = file.policy.tier(plan)
    doubts = {problem.code for problem in file.warnings}  # several instances have a cache each, as it is
    assert (doubts, dict(here.env), here.instances) == ({"wide_cache"} if instances > 1 else set(), env, instances)
    assert len(file.policy.tiers) >= 2


def test_a_plan_that_is_no_rung_is_named():
    found = Found("srv-cukr0123456789abcdef", "my-api", "free", 1, has_disk=False, health_url=None, token=False, env={})
    with pytest.raises(ValueError, match="the plan 'free' can't be a rung"):
        draft(found)
