"""Lists, filters, errors and bodies of the public API."""

import httpx
import pytest

from render_client.sim import BlueprintSpec, ServiceSpec, WorldSpec
from tests.support.sim import SERVICE, caller, manual_simulator, service_with, world_with

URL = f"/services/{SERVICE}"
FLEET = WorldSpec(
    services=(
        *(ServiceSpec(name=f"web-{number}") for number in range(30)),
        ServiceSpec(name="worker", type="background_worker", region="frankfurt", suspenders=("billing",)),
        ServiceSpec(name="preview", parent_server="srv-cukr0123456789abcdef"),
    ),
    blueprints=(BlueprintSpec(name="main", services=("worker",)),),
)


async def pages(http, path, name, **query):
    found, cursor = [], None
    for _ in range(10):
        reply = await http.get(path, params={**query, **({"cursor": cursor} if cursor else {})})
        items = reply.json()
        if not items:
            return found
        found.append([item[name] for item in items])
        cursor = items[-1]["cursor"]
    raise AssertionError("the pages do not end")


async def test_services_come_in_pages_of_twenty_up_to_a_hundred():
    async with manual_simulator(FLEET) as sim, caller(sim) as http:
        assert [len(page) for page in await pages(http, "/services", "service")] == [20, 12]
        everything = await pages(http, "/services", "service", limit=100)
        assert len({service["id"] for page in everything for service in page}) == 32
        assert [len(page) for page in await pages(http, "/services", "service", limit=15)] == [15, 15, 2]


@pytest.mark.parametrize(
    ("query", "names"),
    (
        ("name=web-3,worker", {"web-3", "worker"}),
        ("name=web-3&name=web-4", {"web-3", "web-4"}),
        ("type=background_worker", {"worker"}),
        ("suspended=suspended", {"worker"}),
        ("region=frankfurt", {"worker"}),
        ("name=preview", {"preview"}),
        ("name=preview&includePreviews=false", set()),
        ("ownerId=tea-other", set()),
        ("createdAfter=2026-01-05T00:00:00Z", set()),
    ),
)
async def test_services_are_filtered_by_joined_or_repeated_values(query, names):
    async with manual_simulator(FLEET) as sim, caller(sim) as http:
        found = (await http.get(f"/services?{query}")).json()
        assert {item["service"]["name"] for item in found} == names


async def test_env_vars_come_in_pages_and_a_page_survives_that_its_last_item_is_deleted():
    service = service_with(env={f"KEY_{number}": str(number) for number in range(47)})
    async with manual_simulator(world_with(services=(service,))) as sim, caller(sim) as http:
        assert [len(page) for page in await pages(http, f"{URL}/env-vars", "envVar")] == [20, 20, 7]
        first = (await http.get(f"{URL}/env-vars")).json()
        await http.delete(f"{URL}/env-vars/{first[-1]['envVar']['key']}")
        second = (await http.get(f"{URL}/env-vars", params={"cursor": first[-1]["cursor"]})).json()
        assert len(second) == 20
        assert not {item["envVar"]["key"] for item in first} & {item["envVar"]["key"] for item in second}


async def test_replacing_all_env_vars_drops_the_others_and_null_drops_all(http):
    reply = await http.put(f"{URL}/env-vars", json=[{"key": "A", "value": "1"}, {"key": "B", "generateValue": True}])
    assert [item["envVar"]["key"] for item in reply.json()] == ["A", "B"]
    assert len(reply.json()[1]["envVar"]["value"]) == 44
    assert (await http.get(f"{URL}/env-vars/DB_POOL_SIZE")).status_code == 404
    assert (await http.put(f"{URL}/env-vars", content="null")).json() == []


async def test_deleting_an_env_var_answers_204_and_then_404(http):
    assert (await http.delete(f"{URL}/env-vars/DB_POOL_SIZE")).status_code == 204
    assert (await http.delete(f"{URL}/env-vars/DB_POOL_SIZE")).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    (
        ("GET", "/services/srv-none", None, 404, "not found: srv-none"),
        ("GET", f"{URL}/deploys/dep-none", None, 404, "not found: dep-none"),
        ("GET", "/nothing", None, 404, "not found"),
        ("DELETE", "/services", None, 404, "not found"),
        ("GET", "/services?limit=101", None, 400, "invalid limit: from 1 to 100"),
        ("GET", "/services?cursor=mine", None, 400, "invalid cursor"),
        ("GET", f"{URL}/events?startTime=yesterday", None, 400, "invalid startTime: not an RFC 3339 time"),
        ("PATCH", URL, {"serviceDetails": {"plan": "huge"}}, 400, "invalid plan: huge"),
        (
            "PATCH",
            URL,
            {"serviceDetails": {"schedule": "* * * * *"}},
            400,
            "invalid request body: serviceDetails.schedule: Extra inputs are not permitted",
        ),
        ("PATCH", URL, {"numInstances": 2}, 400, "invalid request body: numInstances: Extra inputs are not permitted"),
        ("PUT", f"{URL}/env-vars/1=2", {"value": "x"}, 400, None),
        ("PUT", f"{URL}/env-vars/A", {}, 400, "an env var needs either value or generateValue"),
        ("POST", f"{URL}/scale", {"numInstances": 0}, 400, None),
        ("POST", f"{URL}/rollback", {"deployId": "dep-none"}, 404, "not found: dep-none"),
        ("POST", f"{URL}/deploys", {"commitId": "f" * 40}, 400, "commitId is not a commit of the repository"),
    ),
)
async def test_a_wrong_call_is_refused_with_an_id_and_a_message(http, method, path, body, status, message):
    reply = await http.request(method, path, json=body)
    assert reply.status_code == status
    assert set(reply.json()) == {"id", "message"}
    assert message is None or reply.json()["message"] == message


async def test_a_body_that_is_no_json_is_refused(http):
    assert (await http.post(f"{URL}/deploys", content="{")).status_code == 400


@pytest.mark.parametrize("header", ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer é"}))
async def test_a_missing_or_wrong_key_is_a_401(sim, header):
    async with httpx.AsyncClient(base_url=sim.base_url) as stranger:
        reply = await stranger.get("/services", headers={k: v.encode() for k, v in header.items()})
    assert (reply.status_code, reply.json()["message"]) == (401, "Unauthorized")


async def test_a_reply_that_the_caller_does_not_accept_is_a_406(http):
    assert (await http.get(URL, headers={"Accept": "text/html"})).status_code == 406
    assert (await http.get(URL, headers={"Accept": "text/html, */*;q=0.1"})).status_code == 200


async def test_the_free_plan_is_for_web_services_alone():
    async with manual_simulator(FLEET) as sim, caller(sim) as http:
        worker = sim.world.named("worker").id
        assert (await http.patch(f"/services/{worker}", json={"serviceDetails": {"plan": "free"}})).status_code == 400
        web = sim.world.named("web-1").id
        assert (await http.patch(f"/services/{web}", json={"serviceDetails": {"plan": "free"}})).status_code == 200


async def test_only_a_suspension_by_a_user_can_be_resumed():
    async with manual_simulator(FLEET) as sim, caller(sim) as http:
        reply = await http.post(f"/services/{sim.world.named('worker').id}/resume")
        assert reply.status_code == 400
        assert reply.json()["message"] == "only services suspended by a user can be resumed"


async def test_a_blueprint_lists_the_services_that_it_manages():
    async with manual_simulator(FLEET) as sim, caller(sim) as http:
        listed = (await http.get("/blueprints")).json()[0]["blueprint"]
        assert "resources" not in listed
        whole = (await http.get(f"/blueprints/{listed['id']}")).json()
        assert [resource["name"] for resource in whole["resources"]] == ["worker"]


async def test_the_default_world_has_no_blueprints_and_one_owner(http):
    assert (await http.get("/blueprints")).json() == []
    assert [item["owner"]["type"] for item in (await http.get("/owners")).json()] == ["team"]


async def test_a_deleted_service_is_not_found(http):
    assert (await http.delete(URL)).status_code == 204
    assert (await http.get(URL)).status_code == 404


async def test_deploys_are_filtered_by_status_and_time(sim, http):
    sim.clock.advance(60)
    await http.post(f"{URL}/deploys", json={})
    statuses = [item["deploy"]["status"] for item in (await http.get(f"{URL}/deploys?status=live,queued")).json()]
    assert statuses == ["live"]
    fresh = (await http.get(f"{URL}/deploys?createdAfter=2026-01-05T08:00:30Z")).json()
    assert [item["deploy"]["status"] for item in fresh] == ["build_in_progress"]
    assert (await http.get(f"{URL}/deploys?finishedAfter=2026-01-05T08:00:30Z")).json() == []


async def test_events_without_times_are_those_of_the_last_hour_newest_first(sim, http):
    await http.patch(URL, json={"serviceDetails": {"plan": "standard"}})
    await http.post(f"{URL}/deploys", json={"deployMode": "deploy_only"})
    sim.clock.advance(600)
    events = [item["event"] for item in (await http.get(f"{URL}/events")).json()]
    assert [event["type"] for event in events] == ["server_available", "deploy_ended", "deploy_started", "plan_changed"]
    assert events[3]["details"] == {"from": "starter", "to": "standard"}
    assert events[1]["details"]["deployStatus"] == "succeeded"
    sim.clock.advance(3600)
    assert (await http.get(f"{URL}/events")).json() == []
    query = {"startTime": "2026-01-05T08:00:00Z", "type": "plan_changed,service_suspended"}
    assert [item["event"]["id"] for item in (await http.get(f"{URL}/events", params=query)).json()] == [events[3]["id"]]


async def test_an_out_of_memory_kill_is_an_event_and_a_new_instance(sim, http):
    before = (await http.get(f"{URL}/instances")).json()
    killed = (await http.post(f"{sim.control_url}{URL}/oom_kill")).json()["instanceId"]
    assert [killed] == [item["id"] for item in before]
    event = (await http.get(f"{URL}/events")).json()[0]["event"]
    assert event["type"] == "server_failed"
    expected = {"instanceID": killed, "reason": {"evicted": False, "oomKilled": {"memoryLimit": "512Mi"}}}
    assert event["details"] == expected
    assert (await http.get(f"{URL}/instances")).json() == []
    sim.clock.advance(5)
    assert len((await http.get(f"{URL}/instances")).json()) == 1
