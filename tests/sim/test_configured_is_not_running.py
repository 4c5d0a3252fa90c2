"""A plan or an env var that was written runs only after the next deploy that goes live."""

import pytest

from render_client.sim import Disk
from tests.support.sim import SERVICE, caller, manual_simulator, service_with, world_with

URL = f"/services/{SERVICE}"


async def running(http, sim):
    """Plan, SIZE and state of every instance, from the control routes."""
    state = (await http.get(f"{sim.control_url}/state")).json()["services"][0]
    return [(item["plan"], item["env"]["DB_POOL_SIZE"], item["state"]) for item in state["instances"]]


async def configure(http, plan, pool):
    await http.patch(URL, json={"serviceDetails": {"plan": plan}})
    await http.put(f"{URL}/env-vars/DB_POOL_SIZE", json={"value": pool})


async def deploy(http):
    return (await http.post(f"{URL}/deploys", json={"deployMode": "deploy_only"})).json()["id"]


async def test_get_shows_the_new_plan_at_once_and_the_instance_runs_the_old_one_until_a_deploy_is_live(sim, http):
    await configure(http, "standard", "6")
    assert (await http.get(URL)).json()["serviceDetails"]["plan"] == "standard"
    assert (await http.get(f"{URL}/env-vars/DB_POOL_SIZE")).json() == {"key": "DB_POOL_SIZE", "value": "6"}
    sim.clock.advance(3600)
    assert await running(http, sim) == [("starter", "3", "serving")]
    await deploy(http)
    assert await running(http, sim) == [("starter", "3", "serving"), ("standard", "6", "starting")]
    sim.clock.advance(10)
    assert await running(http, sim) == [("starter", "3", "draining"), ("standard", "6", "serving")]
    sim.clock.advance(60)
    assert await running(http, sim) == [("standard", "6", "serving")]


async def test_what_is_written_after_the_instance_started_waits_for_the_next_deploy(sim, http):
    await deploy(http)
    await configure(http, "standard", "6")
    sim.clock.advance(100)
    assert await running(http, sim) == [("starter", "3", "serving")]


async def test_what_is_written_during_the_build_is_taken(sim, http):
    await http.post(f"{URL}/deploys", json={})
    await configure(http, "standard", "6")
    sim.clock.advance(100)
    assert await running(http, sim) == [("standard", "6", "serving")]


async def test_a_failed_deploy_leaves_configured_and_running_apart(sim, http):
    await configure(http, "standard", "6")
    await http.post(f"{sim.control_url}{URL}/fail_next_deploy", json={})
    await deploy(http)
    sim.clock.advance(100)
    assert await running(http, sim) == [("starter", "3", "serving")]
    assert (await http.get(URL)).json()["serviceDetails"]["plan"] == "standard"
    await http.post(f"{sim.control_url}{URL}/push", json={})
    sim.clock.advance(100)
    assert await running(http, sim) == [("standard", "6", "serving")]


async def test_a_rollback_brings_the_env_vars_of_its_target_and_the_configured_plan(sim, http):
    first = (await http.get(f"{URL}/deploys")).json()[0]["deploy"]["id"]
    await configure(http, "standard", "6")
    await deploy(http)
    sim.clock.advance(100)
    rolled = (await http.post(f"{URL}/rollback", json={"deployId": first})).json()
    assert rolled["trigger"] == "rollback"
    sim.clock.advance(100)
    assert await running(http, sim) == [("standard", "3", "serving")]


async def test_a_restart_and_a_scale_out_run_what_the_live_deploy_runs(sim, http):
    await configure(http, "standard", "6")
    assert (await http.post(f"{URL}/restart")).status_code == 200
    assert (await http.post(f"{URL}/scale", json={"numInstances": 2})).status_code == 202
    sim.clock.advance(100)
    assert await running(http, sim) == [("starter", "3", "serving")] * 2


async def test_with_a_disk_the_old_instance_stops_before_the_new_one_starts():
    async with manual_simulator(world_with(services=(service_with(disk=Disk()),))) as sim, caller(sim) as http:
        await deploy(http)
        assert await running(http, sim) == [("starter", "3", "starting")]
        assert (await http.get(f"{URL}/instances")).json() == []
        assert (await http.post(f"{URL}/scale", json={"numInstances": 2})).status_code == 400


async def test_a_change_in_the_dashboard_deploys_it_at_once(sim, http):
    body = {"plan": "standard", "env": {"DB_POOL_SIZE": "6"}}
    reply = (await http.post(f"{sim.control_url}{URL}/dashboard", json=body)).json()
    assert reply["deploy"]["trigger"] == "service_updated"
    sim.clock.advance(100)
    assert await running(http, sim) == [("standard", "6", "serving")]


async def test_a_count_that_changed_during_a_deploy_is_reached_when_it_is_live(sim, http):
    await deploy(http)
    await http.post(f"{URL}/scale", json={"numInstances": 3})
    sim.clock.advance(100)
    assert len((await http.get(f"{URL}/instances")).json()) == 3
    await http.post(f"{URL}/scale", json={"numInstances": 1})
    assert len((await http.get(f"{URL}/instances")).json()) == 1


async def test_autoscaling_holds_the_count_within_its_bounds_and_the_manual_setting_waits(http):
    criterion = {"enabled": True, "percentage": 60}
    body = {"enabled": True, "min": 2, "max": 4, "criteria": {"cpu": criterion, "memory": criterion}}
    assert (await http.put(f"{URL}/autoscaling", json=body)).json() == body
    assert (await http.get(URL)).json()["serviceDetails"]["autoscaling"] == body
    await http.post(f"{URL}/scale", json={"numInstances": 9})
    assert (await http.get(URL)).json()["serviceDetails"]["numInstances"] == 9
    changes = (await http.get(f"{URL}/events?type=instance_count_changed")).json()
    assert [item["event"]["details"]["toInstances"] for item in changes] == [4, 2]
    assert (await http.delete(f"{URL}/autoscaling")).status_code == 204
    assert "autoscaling" not in (await http.get(URL)).json()["serviceDetails"]


@pytest.mark.parametrize("plan", ("1c-2g", "standard"))
async def test_get_echoes_the_spelling_that_was_set(http, plan):
    await http.patch(URL, json={"serviceDetails": {"plan": plan}})
    assert (await http.get(URL)).json()["serviceDetails"]["plan"] == plan


async def test_a_patch_that_changes_nothing_leaves_updated_at_alone(sim, http):
    before = (await http.get(URL)).json()["updatedAt"]
    sim.clock.advance(1)
    await http.patch(URL, json={"serviceDetails": {"plan": "starter"}})
    assert (await http.get(URL)).json()["updatedAt"] == before
    await http.patch(URL, json={"serviceDetails": {"plan": "pro"}})
    assert (await http.get(URL)).json()["updatedAt"] == "2026-01-05T08:00:01.000000Z"
