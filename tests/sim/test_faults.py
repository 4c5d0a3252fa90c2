"""Faults on demand: what the caller sees, and whether the call took effect."""

import httpx
import pytest

from render_client.sim import Fault, Match
from tests.support.sim import SERVICE

URL = f"/services/{SERVICE}"
PATCH = {"serviceDetails": {"plan": "standard"}}


async def plan(http):
    return (await http.get(URL)).json()["serviceDetails"]["plan"]


async def plant(sim, http, **fault):
    reply = await http.post(f"{sim.control_url}/faults", json={"match": {"method": "PATCH"}, **fault})
    assert reply.status_code == 201, reply.text


@pytest.mark.parametrize(("when", "after"), (("before", "starter"), ("after", "standard")))
async def test_an_error_status_comes_before_or_after_the_effect(sim, http, when, after):
    await plant(sim, http, kind="status", status=503, when=when, headers={"Retry-After": "7"})
    reply = await http.patch(URL, json=PATCH)
    assert (reply.status_code, reply.headers["Retry-After"]) == (503, "7")
    assert set(reply.json()) == {"id", "message"}
    assert await plan(http) == after
    assert (await http.patch(URL, json=PATCH)).status_code == 200


@pytest.mark.parametrize(("kind", "after"), (("timeout_before", "starter"), ("timeout_after", "standard")))
async def test_a_call_that_is_never_answered_took_effect_or_not(sim, http, kind, after):
    await plant(sim, http, kind=kind)
    with pytest.raises(httpx.ReadTimeout):
        await http.patch(URL, json=PATCH, timeout=0.1)
    assert await plan(http) == after
    assert sim.calls[0].fault == kind
    assert (sim.calls[0].status, sim.calls[0].effective) == (None, after == "standard")


async def test_the_page_of_a_proxy_is_html(sim, http):
    await plant(sim, http, kind="html_502")
    reply = await http.patch(URL, json=PATCH)
    assert (reply.status_code, reply.headers["Content-Type"].partition(";")[0]) == (502, "text/html")
    assert await plan(http) == "starter"


@pytest.mark.parametrize(("when", "after"), (("before", "starter"), ("after", "standard")))
async def test_a_truncated_reply_breaks_off_in_the_body(sim, http, when, after):
    await plant(sim, http, kind="truncated", when=when)
    with pytest.raises(httpx.RemoteProtocolError):
        await http.patch(URL, json=PATCH)
    assert await plan(http) == after


@pytest.mark.parametrize(("when", "after"), (("before", "starter"), ("after", "standard")))
async def test_a_connection_can_be_reset(sim, http, when, after):
    await plant(sim, http, kind="reset", when=when)
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        await http.patch(URL, json=PATCH)
    assert await plan(http) == after


async def test_a_deploy_can_be_answered_by_a_202_without_a_body(sim, http):
    sim.faults.add(Fault(kind="no_body_202", match=Match(method="POST", path="/services/*/deploys")))
    reply = await http.post(f"{URL}/deploys", json={})
    assert (reply.status_code, reply.content) == (202, b"")
    assert (await http.get(f"{URL}/deploys")).json()[0]["deploy"]["status"] == "build_in_progress"


async def test_a_slow_reply_is_the_right_one(sim, http):
    await plant(sim, http, kind="slow", seconds=0.01)
    assert (await http.patch(URL, json=PATCH)).json()["serviceDetails"]["plan"] == "standard"


async def test_down_answers_503_to_everything_until_it_is_cleared(sim, http):
    sim.faults.add(Fault(kind="down"))
    for _ in range(3):
        assert (await http.get(URL)).status_code == 503
    assert (await http.delete(f"{sim.control_url}/faults")).status_code == 204
    assert (await http.get(URL)).status_code == 200


async def test_a_fault_hits_only_what_it_matches_and_only_so_often(sim, http):
    sim.faults.add(Fault(kind="status", match=Match(method="GET", path="/services/*"), times=2))
    assert (await http.get(f"{URL}/deploys")).status_code == 200
    assert [(await http.get(URL)).status_code for _ in range(3)] == [500, 500, 200]


async def test_a_fault_that_makes_no_sense_is_refused_with_the_reason(sim, http):
    reply = await http.post(f"{sim.control_url}/faults", json={"kind": "timeout_before", "when": "after"})
    assert reply.status_code == 400
    assert "timeout_before is always before" in reply.json()["message"]


async def test_hooks_are_called_around_the_effect_of_every_write(sim, http):
    seen = []
    sim.hooks.before_write(lambda call: seen.append(("before", call.path, sim.world.find(SERVICE).details["plan"])))
    sim.hooks.after_write(lambda call: seen.append(("after", call.body, sim.world.find(SERVICE).details["plan"])))
    await http.get(URL)
    await http.patch(URL, json=PATCH)
    assert seen == [("before", URL, "starter"), ("after", PATCH, "standard")]


async def test_the_log_holds_every_public_call_with_its_body(sim, http):
    await http.patch(URL, json=PATCH)
    await http.get(f"{URL}/deploys?limit=1")
    log = (await http.get(f"{sim.control_url}/calls")).json()
    assert [(call["method"], call["path"], call["query"], call["status"]) for call in log] == [
        ("PATCH", URL, "", 200),
        ("GET", f"{URL}/deploys", "limit=1", 200),
    ]
    assert log[0]["body"] == PATCH
    assert log[0]["at"] == sim.clock.now()
