"""What a deploy goes through, and what it does to the ones before and after it."""

import pytest

from render_client.sim import Durations
from tests.support.sim import SERVICE, caller, manual_simulator, service_with, world_with

DEPLOYS = f"/services/{SERVICE}/deploys"


async def statuses(http):
    return [item["deploy"]["status"] for item in (await http.get(DEPLOYS)).json()]


async def test_a_build_and_deploy_passes_build_and_update_and_then_is_live(sim, http):
    deploy = (await http.post(DEPLOYS, json={})).json()
    assert (deploy["status"], deploy["finishedAt"], "startedAt" in deploy) == ("build_in_progress", None, False)
    sim.clock.advance(20)
    assert await statuses(http) == ["update_in_progress", "live"]
    sim.clock.advance(9.9)
    assert await statuses(http) == ["update_in_progress", "live"]
    sim.clock.advance(0.1)
    assert await statuses(http) == ["live", "deactivated"]
    after = (await http.get(f"{DEPLOYS}/{deploy['id']}")).json()
    assert after["startedAt"] == "2026-01-05T08:00:00.000000Z"
    assert after["finishedAt"] == "2026-01-05T08:00:30.000000Z"


async def test_deploy_only_makes_no_build_and_keeps_the_commit_of_the_newest_build(sim, http):
    before = (await http.get(DEPLOYS)).json()[0]["deploy"]["commit"]
    await http.post(f"{sim.control_url}/services/{SERVICE}/dashboard", json={"deploy": False})
    sim.world.find(SERVICE).document["autoDeploy"] = "no"
    await http.post(f"{sim.control_url}/services/{SERVICE}/push", json={"message": "not reviewed"})
    deploy = (await http.post(DEPLOYS, json={"deployMode": "deploy_only"})).json()
    assert deploy["status"] == "update_in_progress"
    assert deploy["commit"] == before
    head = (await http.post(DEPLOYS, json={})).json()
    assert head["commit"]["message"] == "not reviewed"


async def test_a_pre_deploy_command_is_a_phase_of_every_deploy():
    world = world_with(services=(service_with(pre_deploy_command="alembic upgrade head"),))
    async with manual_simulator(world) as sim, caller(sim) as http:
        deploy = (await http.post(DEPLOYS, json={"deployMode": "deploy_only"})).json()
        assert deploy["status"] == "pre_deploy_in_progress"
        sim.clock.advance(5)
        assert await statuses(http) == ["update_in_progress", "live"]


@pytest.mark.parametrize(
    ("stage", "status"),
    (("build", "build_failed"), ("pre_deploy", "pre_deploy_failed"), ("update", "update_failed")),
)
async def test_a_failed_deploy_leaves_the_live_one_and_its_instance_alone(stage, status):
    world = world_with(services=(service_with(pre_deploy_command="true"),))
    async with manual_simulator(world) as sim, caller(sim) as http:
        instances = (await http.get(f"/services/{SERVICE}/instances")).json()
        await http.post(f"{sim.control_url}/services/{SERVICE}/fail_next_deploy", json={"stage": stage})
        await http.post(DEPLOYS, json={})
        sim.clock.advance(60)
        assert await statuses(http) == [status, "live"]
        assert (await http.get(f"/services/{SERVICE}/instances")).json() == instances
        await http.post(DEPLOYS, json={})
        sim.clock.advance(60)
        assert (await statuses(http))[0] == "live"


async def test_a_new_deploy_overrides_the_running_one(sim, http):
    first = (await http.post(DEPLOYS, json={})).json()["id"]
    sim.clock.advance(5)
    await http.post(DEPLOYS, json={"deployMode": "deploy_only"})
    sim.clock.advance(60)
    assert await statuses(http) == ["live", "canceled", "deactivated"]
    assert (await http.get(f"{DEPLOYS}/{first}")).json()["finishedAt"] == "2026-01-05T08:00:05.000000Z"


async def test_where_the_workspace_waits_a_second_deploy_is_queued_with_an_empty_202_and_only_the_newest_proceeds():
    async with manual_simulator(world_with(overlap="wait")) as sim, caller(sim) as http:
        await http.post(DEPLOYS, json={})
        replies = [await http.post(DEPLOYS, json={"deployMode": "deploy_only"}) for _ in range(2)]
        assert [(reply.status_code, reply.content) for reply in replies] == [(202, b""), (202, b"")]
        assert await statuses(http) == ["queued", "canceled", "build_in_progress", "live"]
        sim.clock.advance(30)
        assert await statuses(http) == ["update_in_progress", "canceled", "live", "deactivated"]
        sim.clock.advance(10)
        assert await statuses(http) == ["live", "canceled", "deactivated", "deactivated"]


async def test_a_build_that_was_overridden_after_it_succeeded_is_the_newest_build(sim, http):
    pushed = await http.post(f"{sim.control_url}/services/{SERVICE}/push", json={"message": "new"})
    sim.clock.advance(25)
    deploy = (await http.post(DEPLOYS, json={"deployMode": "deploy_only"})).json()
    assert deploy["commit"]["id"] == pushed.json()["commit"]


async def test_a_cancelled_deploy_ends_and_cannot_be_cancelled_twice(sim, http):
    deploy = (await http.post(DEPLOYS, json={})).json()["id"]
    assert (await http.post(f"{DEPLOYS}/{deploy}/cancel")).json()["status"] == "canceled"
    assert (await http.post(f"{DEPLOYS}/{deploy}/cancel")).status_code == 400
    sim.clock.advance(60)
    assert await statuses(http) == ["canceled", "live"]


async def test_a_new_deploy_may_be_missing_from_the_list_for_a_while():
    async with manual_simulator(world_with(list_lag=3)) as sim, caller(sim) as http:
        deploy = (await http.post(DEPLOYS, json={})).json()["id"]
        assert await statuses(http) == ["live"]
        assert (await http.get(f"{DEPLOYS}/{deploy}")).status_code == 200
        sim.clock.advance(3)
        assert await statuses(http) == ["build_in_progress", "live"]


async def test_a_suspended_service_cannot_be_deployed_and_a_resume_deploys_it(sim, http):
    assert (await http.post(f"/services/{SERVICE}/suspend")).status_code == 202
    assert (await http.get(f"/services/{SERVICE}/instances")).json() == []
    refused = await http.post(DEPLOYS, json={})
    assert (refused.status_code, refused.json()["message"]) == (400, "cannot deploy suspended service")
    assert (await http.post(f"/services/{SERVICE}/resume")).status_code == 202
    sim.clock.advance(10)
    newest = (await http.get(DEPLOYS)).json()[0]["deploy"]
    assert (newest["trigger"], newest["status"]) == ("service_resumed", "live")
    assert len((await http.get(f"/services/{SERVICE}/instances")).json()) == 1


async def test_an_image_service_sends_a_null_commit_and_skips_the_build():
    async with manual_simulator(world_with(services=(service_with(image="nginx"),))) as sim, caller(sim) as http:
        deploy = (await http.post(DEPLOYS, json={})).json()
        assert deploy["commit"] is None
        assert deploy["image"]["ref"] == "docker.io/library/nginx:latest"
        assert deploy["status"] == "update_in_progress"


async def test_phases_without_a_duration_are_over_at_once():
    durations = Durations(build=0, update=0, drain=0)
    async with manual_simulator(world_with(durations=durations)) as sim, caller(sim) as http:
        await http.post(DEPLOYS, json={})
        assert await statuses(http) == ["live", "deactivated"]


@pytest.mark.parametrize(
    "extra", ({"commitId": "0" * 40}, {"imageUrl": "nginx"}, {"clearCache": "clear"}, {"clearCache": "do_not_clear"})
)
async def test_deploy_only_cannot_be_combined(http, extra):
    reply = await http.post(DEPLOYS, json={"deployMode": "deploy_only", **extra})
    assert reply.status_code == 400
    assert set(reply.json()) == {"id", "message"}
