"""Every request of a whole change, as the server heard it, is one that Render's OpenAPI document describes.

The methods of the client one by one are in test_requests.py; here is what the bot makes of them.
"""

import re
from dataclasses import replace
from urllib.parse import parse_qsl

import pytest

from autoscaler.core.change import State
from tests.render_client.test_requests import at, faults, needs_document, operation
from tests.support.rig import BUSY, CALM, running_rig

pytestmark = needs_document


def wrong_with(call):
    """What the document has against a call of the simulator's log; nothing if it suits."""
    described = operation(call.method, call.path)
    parameters = [at(one["$ref"]) if "$ref" in one else one for one in described["parameters"]]
    schemas = {one["name"]: one["schema"] for one in parameters if one["in"] == "query"}
    query = dict(parse_qsl(call.query, keep_blank_values=True))
    found = [f"there is no query parameter {name}" for name in query if name not in schemas]
    found += [f"{one['name']} is required" for one in parameters if one.get("required") and not given(one, query)]
    for name in query.keys() & schemas.keys():
        found += [f"{name}: {fault}" for fault in faults(schemas[name], typed(schemas[name], query[name]))]
    if "requestBody" not in described:
        return found if call.body is None else [*found, "there is no body"]
    schema = described["requestBody"]["content"]["application/json"]["schema"]
    return found + faults(schema, call.body) + more_about(schema, call.body)


def more_about(schema, body):
    """What its schemas let pass: a name that they do not know, and a plan that suits only a static site's, which has none."""
    if not isinstance(body, dict):
        return []
    schema = at(schema["$ref"]) if "$ref" in schema else schema
    unknown = body.keys() - schema.get("properties", body).keys()
    details = body.get("serviceDetails", {})
    return [f"there is no {name}" for name in unknown] + faults(
        at("#/components/schemas/webServiceDetailsPATCH"), details
    )


def given(parameter, query):
    return parameter["in"] != "query" or parameter["name"] in query


def typed(schema, text):
    """A value of a query as the type that its schema names."""
    schema = at(schema["$ref"]) if "$ref" in schema else schema
    number = float(text) if re.fullmatch(r"[0-9.]+", text) else text
    readable = {"array": text.split(","), "integer": number, "number": number}
    return readable.get(schema.get("type"), {"true": True, "false": False}.get(text, text))


async def calls_of_an_up_and_a_down(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.load = BUSY
        await rig.run(minutes=15)
        rig.load = CALM
        await rig.run(minutes=30)
        assert [change.state for change in await rig.changes()] == [State.DONE, State.DONE]
        return list(rig.sim.calls)


async def test_every_request_of_an_up_and_a_down_is_one_that_the_document_describes(tmp_path):
    calls = await calls_of_an_up_and_a_down(tmp_path)
    asked = {operation(call.method, call.path)["operationId"] for call in calls}
    assert asked >= {
        "retrieve-service",
        "get-env-vars-for-service",
        "list-deploys",
        "update-service",
        "update-env-var",
        "create-deploy",
    }
    assert [(call.method, call.path, wrong) for call in calls for wrong in wrong_with(call)] == []


async def test_a_request_that_the_document_does_not_describe_is_found(tmp_path):
    calls = await calls_of_an_up_and_a_down(tmp_path)
    patch = next(call for call in calls if call.method == "PATCH")
    deploy = next(call for call in calls if call.path.endswith("/deploys") and call.method == "POST")
    listed = next(call for call in calls if call.path.endswith("/deploys") and call.method == "GET")
    assert wrong_with(replace(patch, body={"serviceDetails": {"plan": "enormous"}}))
    assert wrong_with(replace(patch, body=None))
    assert wrong_with(replace(deploy, body={"deployMode": "deploy"}))
    assert wrong_with(replace(deploy, body={"mode": "deploy_only"}))
    assert wrong_with(replace(listed, query="state=live"))
    assert wrong_with(replace(listed, query="limit=many"))
    assert wrong_with(replace(listed, body={}))
    with pytest.raises(AssertionError, match="no POST /services"):
        wrong_with(replace(patch, method="POST"))
