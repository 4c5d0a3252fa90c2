"""What nobody outside of Render knows for sure can be either way, as the world says."""

import pytest

from render_client.sim import Disk
from render_client.sim.worldfile import load_world
from tests.support.sim import SERVICE, caller, manual_simulator, service_with, world_with

URL = f"/services/{SERVICE}"
DEPLOY_ONLY = {"deployMode": "deploy_only"}
SPELLINGS = (
    ("as_set", "1c-2g", "1c-2g"),
    ("canonical", "1c-2g", "standard"),
    ("compute", "standard", "1c-2g"),
    ("canonical", "2c-8g", "2c-8g"),
    ("compute", "2c-8g", "2c-8g"),
)


@pytest.fixture
async def world_of():
    """A running simulator and a caller of it, for a world with such settings."""
    opened = []

    async def open_(**settings):
        simulator = manual_simulator(world_with(**settings))
        sim = await simulator.__aenter__()
        opened.append(simulator)
        client = caller(sim)
        opened.append(client)
        return sim, await client.__aenter__()

    yield open_
    for one in reversed(opened):
        await one.__aexit__(None, None, None)


async def configure(http, plan, pool):
    await http.patch(URL, json={"serviceDetails": {"plan": plan}})
    await http.put(f"{URL}/env-vars/DB_POOL_SIZE", json={"value": pool})


async def updated_at(http):
    return (await http.get(URL)).json()["updatedAt"]


def runs(sim):
    """What the live instance was started with."""
    snapshot = sim.world.find(SERVICE).serving()[-1].snapshot
    return snapshot.plan, snapshot.env["DB_POOL_SIZE"]


async def rolled_back_build(sim, http):
    """A commit that went live and was rolled back, so that the newest build is not the live one; its id, and the live one's."""
    first = (await http.get(f"{URL}/deploys")).json()[0]["deploy"]
    pushed = (await http.post(f"{sim.control_url}{URL}/push", json={})).json()["commit"]
    sim.clock.advance(100)
    await http.post(f"{URL}/rollback", json={"deployId": first["id"]})
    sim.clock.advance(100)
    return pushed, first["commit"]["id"]


@pytest.mark.parametrize("build", ("newest", "live"))
async def test_deploy_only_ships_the_newest_build_or_the_live_one(world_of, build):
    sim, http = await world_of(deploy_only_build=build)
    newest, live = await rolled_back_build(sim, http)
    deploy = (await http.post(f"{URL}/deploys", json=DEPLOY_ONLY)).json()
    assert deploy["commit"]["id"] == {"newest": newest, "live": live}[build]


@pytest.mark.parametrize(("brings", "pool"), ((True, "6"), (False, "3")))
async def test_deploy_only_brings_the_env_vars_that_are_configured_or_leaves_the_live_ones(world_of, brings, pool):
    sim, http = await world_of(deploy_only_env=brings)
    await configure(http, "standard", "6")
    await http.post(f"{URL}/deploys", json=DEPLOY_ONLY)
    sim.clock.advance(100)
    assert runs(sim) == ("standard", pool)
    await http.post(f"{URL}/deploys", json={})
    sim.clock.advance(100)
    assert runs(sim) == ("standard", "6")


@pytest.mark.parametrize(("taken", "status"), ((True, 201), (False, 400)))
async def test_deploy_only_is_taken_for_an_image_or_not(world_of, taken, status):
    _, http = await world_of(deploy_only_images=taken, services=(service_with(image="nginx"),))
    assert (await http.post(f"{URL}/deploys", json=DEPLOY_ONLY)).status_code == status
    assert (await http.post(f"{URL}/deploys", json={})).status_code == 201


@pytest.mark.parametrize(("runs_it", "status"), ((True, "pre_deploy_in_progress"), (False, "update_in_progress")))
async def test_a_deploy_that_builds_nothing_runs_the_pre_deploy_command_or_not(world_of, runs_it, status):
    service = service_with(pre_deploy_command="migrate")
    sim, http = await world_of(deploy_only_pre_deploy=runs_it, services=(service,))
    assert (await http.post(f"{URL}/deploys", json=DEPLOY_ONLY)).json()["status"] == status
    await http.post(f"{URL}/deploys", json={})
    sim.clock.advance(20)
    assert (await http.get(f"{URL}/deploys")).json()[0]["deploy"]["status"] == "pre_deploy_in_progress"


@pytest.mark.parametrize(("spelling", "plan", "told"), SPELLINGS)
async def test_a_plan_is_told_in_one_spelling_everywhere_and_is_the_same_machine(world_of, spelling, plan, told):
    sim, http = await world_of(plan_spelling=spelling)
    patched = await http.patch(URL, json={"serviceDetails": {"plan": plan}})
    listed = (await http.get("/services")).json()[0]["service"]
    for body in (patched.json(), listed, (await http.get(URL)).json()):
        assert body["serviceDetails"]["plan"] == told
    event = (await http.get(f"{URL}/events?type=plan_changed")).json()[0]["event"]
    assert event["details"]["to"] == told
    await http.post(f"{URL}/deploys", json=DEPLOY_ONLY)
    sim.clock.advance(100)
    assert runs(sim)[0] in {"standard", "2c-8g"}


@pytest.mark.parametrize(("spelling", "moves"), (("as_set", True), ("canonical", False), ("compute", False)))
async def test_the_other_name_of_a_plan_is_news_only_where_it_is_told(world_of, spelling, moves):
    sim, http = await world_of(plan_spelling=spelling)
    before = await updated_at(http)
    sim.clock.advance(1)
    await http.patch(URL, json={"serviceDetails": {"plan": "0.5c-512mb"}})
    assert ((await updated_at(http)) != before) is moves
    assert bool((await http.get(f"{URL}/events?type=plan_changed")).json()) is moves


@pytest.mark.parametrize("touches", (True, False))
@pytest.mark.parametrize(
    ("method", "path", "body"),
    (
        ("PUT", "/env-vars/DB_POOL_SIZE", {"value": "6"}),
        ("PUT", "/env-vars", [{"key": "DB_POOL_SIZE", "value": "6"}]),
        ("PUT", "/env-vars", []),
        ("DELETE", "/env-vars/DB_POOL_SIZE", None),
    ),
)
async def test_a_write_of_env_vars_moves_updated_at_or_not_and_a_plan_always_does(
    world_of, method, path, body, touches
):
    sim, http = await world_of(env_touches=touches)
    before = await updated_at(http)
    sim.clock.advance(1)
    assert (await http.request(method, URL + path, json=body)).status_code < 300
    assert ((await updated_at(http)) != before) is touches
    await http.patch(URL, json={"serviceDetails": {"plan": "pro"}})
    assert (await updated_at(http)) != before


@pytest.mark.parametrize(
    ("rollback_plan", "running", "configured"),
    (
        ("kept", ("standard", "3"), "standard"),
        ("run", ("starter", "3"), "standard"),
        ("set", ("starter", "3"), "starter"),
    ),
)
async def test_a_rollback_leaves_the_plan_alone_or_runs_it_or_sets_it(world_of, rollback_plan, running, configured):
    sim, http = await world_of(rollback_plan=rollback_plan)
    first = (await http.get(f"{URL}/deploys")).json()[0]["deploy"]["id"]
    await configure(http, "standard", "6")
    await http.post(f"{URL}/deploys", json=DEPLOY_ONLY)
    sim.clock.advance(100)
    await http.post(f"{URL}/rollback", json={"deployId": first})
    sim.clock.advance(100)
    assert runs(sim) == running
    assert (await http.get(URL)).json()["serviceDetails"]["plan"] == configured


@pytest.mark.parametrize("resume_deploys", (True, False))
@pytest.mark.parametrize("disk", (None, Disk()))
async def test_a_resume_starts_a_deploy_or_just_the_instance(world_of, resume_deploys, disk):
    sim, http = await world_of(resume_deploys=resume_deploys, services=(service_with(disk=disk),))
    await http.post(f"{URL}/suspend")
    await http.post(f"{URL}/resume")
    sim.clock.advance(100)
    assert len((await http.get(f"{URL}/deploys")).json()) == (2 if resume_deploys else 1)
    assert len((await http.get(f"{URL}/instances")).json()) == 1


def test_a_world_file_says_which(tmp_path):
    path = tmp_path / "world.yaml"
    path.write_text(
        "deploy_only_build: live\nplan_spelling: compute\nenv_touches: no\nrollback_plan: set\ndeploy_only_env: false\n"
    )
    world = load_world(path)
    assert (world.deploy_only_build, world.plan_spelling, world.rollback_plan) == ("live", "compute", "set")
    assert (world.env_touches, world.deploy_only_env) == (False, False)
