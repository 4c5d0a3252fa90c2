"""The requests of every recording of the real API, sent to a simulator whose world is made from that recording."""

import json
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from render_client.sim import ManualClock, World, WorldSpec, running_simulator
from render_client.sim.building import add_service
from render_client.sim.operations import operations
from render_client.sim.state import Service
from tests.support.sim import caller
from tests.support.worlds import FEW, name_of

RECORDINGS = Path(__file__).parents[3] / "shared" / "render" / "recordings"
pytestmark = pytest.mark.skipif(not RECORDINGS.exists(), reason="the recordings (../shared/render) are not here")

SERVED = {(operation.method, operation.path) for operation in operations()}
# Of what was recorded, only these are not for a client that changes the plan of a service.
NOT_SERVED = {
    ("POST", "/services"),
    ("GET", "/services/{serviceId}/secret-files"),
    ("PUT", "/services/{serviceId}/secret-files"),
    ("PATCH", "/disks/{diskId}"),
}


def shape(value):
    """The keys and types of a JSON value; without the environment, into which calls not recorded move services."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items() if key != "environmentId"}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return type(value).__name__


def moment(interaction):
    return round(parsedate_to_datetime(interaction["response_headers"]["Date"]).timestamp() * 1000)


def world_of(created, rest, answers, *, waits):
    world = World(WorldSpec(**{**answers, "limits": {"writes": 100}, "overlap": "wait" if waits else "override"}))
    # As first read back: the reply to the creation lacks what was set up around it (environment, notifications).
    first = next(item for item in rest if item["path_template"] in {"/services", "/services/{serviceId}"})
    body = first["response_body"]
    document = body[0]["service"] if isinstance(body, list) else body
    # The owner is scrubbed in the queries, but not in all bodies.
    document["ownerId"] = created["request_body"]["ownerId"]
    env = {var["key"]: var["value"] for var in created["request_body"]["envVars"] or ()}
    add_service(world, Service(sequence=world.next_sequence(), document=document), env, moment(created))
    return world


def same_values(interaction):
    """The parts whose values, not only types, must be those of the recording."""
    body = interaction["response_body"]
    if isinstance(body, dict):
        details = body.get("serviceDetails", {})
        wanted = ("name", "imagePath", "status", "trigger", "suspended")
        kept = ("plan", "numInstances", "autoscaling", "envSpecificDetails", "previews", "healthCheckPath")
        return {**{k: body.get(k) for k in wanted}, **{k: details.get(k) for k in kept}}
    if isinstance(body, list) and body and "envVar" in body[0]:
        return [item["envVar"]["key"] for item in body]
    return None


def test_everything_recorded_is_either_served_or_left_out_on_purpose():
    recorded = {
        (item["method"], item["path_template"])
        for path in RECORDINGS.glob("*.json")
        for item in json.loads(path.read_text())["interactions"]
    }
    assert recorded - SERVED == NOT_SERVED


@pytest.mark.parametrize(
    "answers", FEW[:2], ids=name_of
)  # the last tells plans by names that are newer than the recordings
@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("*.json")), ids=lambda path: path.stem)
async def test_every_recorded_request_is_answered_in_the_recorded_shape(path, answers):
    interactions = json.loads(path.read_text())["interactions"]
    created, *rest = interactions
    waits = any(item["status"] == 202 and item["path"].endswith("/deploys") for item in rest)
    clock = ManualClock(moment(created))
    async with (
        running_simulator(world_of(created, rest, answers, waits=waits), clock=clock) as sim,
        caller(sim) as http,
    ):
        if waits:
            await http.post(f"/services/{created['response_body']['service']['id']}/deploys", json={})
        asked, cursors = 0, {}
        for recorded in rest:
            if (recorded["method"], recorded["path_template"]) in NOT_SERVED:
                continue
            clock.advance(max(0, moment(recorded) - clock.now()) / 1000)
            query = {key: [cursors.get(value, value) for value in values] for key, values in recorded["query"].items()}
            content = recorded.get("request_body_raw") or json.dumps(recorded["request_body"])
            reply = await http.request(
                recorded["method"],
                recorded["path"],
                params=query,
                content=None if recorded["method"] in {"GET", "DELETE"} else content,
            )
            compare(recorded, reply)
            if isinstance(recorded["response_body"], list):
                cursors |= {
                    theirs["cursor"]: ours["cursor"]
                    for theirs, ours in zip(recorded["response_body"], reply.json(), strict=True)
                }
            asked += 1
        assert asked >= 15


def compare(recorded, reply):
    where = f"{recorded['id']} {recorded['method']} {recorded['path']}"
    assert reply.status_code == recorded["status"], where
    if recorded["response_body"] is None:
        assert reply.content == b"", where
    else:
        ours = reply.json()
        assert shape(ours) == shape(recorded["response_body"]), where
        assert same_values({"response_body": ours}) == same_values(recorded), where
        assert reply.content.endswith(b"\n"), where
    theirs = recorded["response_headers"]
    for name in ("Content-Type", "Ratelimit-Limit"):
        assert reply.headers.get(name) == theirs.get(name), f"{where}: {name}"
    for name in ("Ratelimit-Remaining", "Ratelimit-Reset", "Render-Request-Id", "Date"):
        assert name in reply.headers, f"{where}: {name}"
    if recorded["status"] in {202, 204}:
        assert reply.headers.get("Content-Length") == theirs.get("Content-Length"), where
