"""What goes over the wire is what Render's OpenAPI document describes, and no more than was asked for."""

import json
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from render_client import Autoscaling, AutoscalingCriteria, AutoscalingTarget, RenderClient, RenderDownError
from render_client.series import MetricsApi
from tests.support.render_replies import KEY, SERVICE, SHARED, conversation, deploy_json, service_json

needs_document = pytest.mark.skipif(
    not (SHARED / "openapi.json").exists(), reason="Render's OpenAPI document is not in this checkout"
)
TIME = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
AUTOSCALING = Autoscaling(
    enabled=True,
    min=1,
    max=3,
    criteria=AutoscalingCriteria(cpu=AutoscalingTarget(enabled=True, percentage=60), memory=AutoscalingTarget()),
)
EMPTY = httpx.Response(202)
PAGE = httpx.Response(200, json=[])
A_SERVICE = httpx.Response(200, json=service_json())
A_DEPLOY = httpx.Response(201, json=deploy_json())
A_VARIABLE = httpx.Response(200, json={"key": "TTL", "value": "600"})

Ask = Callable[[RenderClient], Awaitable[Any]]
# operation id, what to call, what Render answers
CALLS: list[tuple[str, Ask, httpx.Response]] = [
    ("list-owners", lambda render: render.list_owners(), PAGE),
    ("list-services", lambda render: render.list_services(), PAGE),
    (
        "list-services",
        lambda render: render.list_services(
            name=["a", "b"], owner_id=["tea-1"], service_type=["web_service"], include_previews=True
        ),
        PAGE,
    ),
    ("retrieve-service", lambda render: render.retrieve_service(SERVICE), A_SERVICE),
    ("update-service", lambda render: render.update_service(SERVICE, plan="standard"), A_SERVICE),
    ("scale-service", lambda render: render.scale_service(SERVICE, 2), EMPTY),
    (
        "autoscale-service",
        lambda render: render.autoscale_service(SERVICE, AUTOSCALING),
        httpx.Response(200, json=AUTOSCALING.model_dump(mode="json", by_alias=True)),
    ),
    ("delete-autoscaling-config", lambda render: render.delete_autoscaling_config(SERVICE), httpx.Response(204)),
    ("suspend-service", lambda render: render.suspend_service(SERVICE), EMPTY),
    ("resume-service", lambda render: render.resume_service(SERVICE), EMPTY),
    ("restart-service", lambda render: render.restart_service(SERVICE), httpx.Response(200)),
    ("get-cpu", lambda render: render.get_cpu([SERVICE], TIME, TIME), PAGE),
    ("get-cpu-limit", lambda render: render.get_cpu_limit([SERVICE], TIME, TIME), PAGE),
    ("get-memory", lambda render: render.get_memory([SERVICE], TIME, TIME), PAGE),
    ("get-memory-limit", lambda render: render.get_memory_limit([SERVICE], TIME, TIME, resolution=300), PAGE),
    ("get-http-requests", lambda render: render.get_http_requests([SERVICE, "srv-2"], TIME, TIME), PAGE),
    ("get-http-latency", lambda render: render.get_http_latency([SERVICE], TIME, TIME, quantile=0.95), PAGE),
    ("list-instances", lambda render: render.list_instances(SERVICE), PAGE),
    ("get-env-vars-for-service", lambda render: render.get_env_vars_for_service(SERVICE), PAGE),
    ("retrieve-env-var", lambda render: render.retrieve_env_var(SERVICE, "TTL"), A_VARIABLE),
    ("update-env-var", lambda render: render.update_env_var(SERVICE, "TTL", "600"), A_VARIABLE),
    ("delete-env-var", lambda render: render.delete_env_var(SERVICE, "TTL"), httpx.Response(204)),
    ("create-deploy", lambda render: render.create_deploy(SERVICE), A_DEPLOY),
    ("create-deploy", lambda render: render.create_deploy(SERVICE, deploy_mode="build_and_deploy"), A_DEPLOY),
    (
        "create-deploy",
        lambda render: render.create_deploy(SERVICE, deploy_mode="build_and_deploy", commit_id="c0ffee"),
        A_DEPLOY,
    ),
    ("list-deploys", lambda render: render.list_deploys(SERVICE, status=["live", "queued"]), PAGE),
    ("retrieve-deploy", lambda render: render.retrieve_deploy(SERVICE, "dep-1"), A_DEPLOY),
    ("cancel-deploy", lambda render: render.cancel_deploy(SERVICE, "dep-1"), A_DEPLOY),
    ("rollback-deploy", lambda render: render.rollback_deploy(SERVICE, "dep-1"), A_DEPLOY),
    (
        "list-events",
        lambda render: render.list_events(SERVICE, start_time=TIME, end_time=TIME, event_type="plan_changed"),
        PAGE,
    ),
    ("list-blueprints", lambda render: render.list_blueprints(owner_id=["tea-1"]), PAGE),
]


@cache
def document() -> dict[str, Any]:
    return json.loads((SHARED / "openapi.json").read_text())


@cache
def registry() -> Registry[Any]:
    return Registry().with_resource("urn:render", DRAFT202012.create_resource(absolute(document())))


def at(pointer: str) -> Any:
    """What a local reference such as #/components/parameters/limitParam points to."""
    value: Any = document()
    for part in pointer.removeprefix("#/").split("/"):
        step = part.replace("~1", "/").replace("~0", "~").replace("%7B", "{").replace("%7D", "}")
        value = value[int(step)] if isinstance(value, list) else value[step]
    return value


def absolute(schema: Any) -> Any:
    """The same schema with its references leading into the registered document.

    Its unions have no discriminator: {"plan": …} suits every type of service, and so breaks "exactly one of".
    """
    if isinstance(schema, dict):
        return {
            "anyOf" if name == "oneOf" else name: f"urn:render{inner}"
            if name == "$ref" and isinstance(inner, str) and inner.startswith("#")
            else absolute(inner)
            for name, inner in schema.items()
        }
    return [absolute(inner) for inner in schema] if isinstance(schema, list) else schema


def faults(schema: Any, value: Any) -> list[str]:
    return [error.message for error in Draft202012Validator(absolute(schema), registry=registry()).iter_errors(value)]


def operation(method: str, path: str) -> dict[str, Any]:
    """The operation that a request belongs to, its parameters with those of its path."""
    for template, methods in document()["paths"].items():
        pattern = re.sub(r"\{[^}]*\}", "[^/]+", template)
        if re.fullmatch(pattern, path) and method.lower() in methods:
            found = methods[method.lower()]
            return {**found, "parameters": [*methods.get("parameters", []), *found.get("parameters", [])]}
    raise AssertionError(f"Render's document has no {method} {path}")


@needs_document
@pytest.mark.parametrize(("operation_id", "ask", "answer"), CALLS, ids=[call[0] for call in CALLS])
async def test_a_request_is_the_one_that_the_document_describes(operation_id, ask, answer):
    talk = conversation(answer)
    await ask(talk.client)
    [request] = talk.requests
    described = operation(request.method, request.url.path.removeprefix("/v1"))
    assert described["operationId"] == operation_id

    parameters = [at(one["$ref"]) if "$ref" in one else one for one in described["parameters"]]
    schemas = {one["name"]: one["schema"] for one in parameters if one["in"] == "query"}
    for name, value in request.url.params.multi_items():
        assert name in schemas
        schema = at(schemas[name]["$ref"]) if "$ref" in schemas[name] else schemas[name]
        number = float(value) if re.fullmatch(r"[0-9.]+", value) else value
        readable = {"array": value.split(","), "integer": number, "number": number}
        typed = readable.get(schema.get("type"), {"true": True, "false": False}.get(value, value))
        assert not faults(schemas[name], typed)

    if "requestBody" in described:
        schema = described["requestBody"]["content"]["application/json"]["schema"]
        assert not faults(schema, json.loads(request.content))
        assert request.headers["content-type"] == "application/json"
    else:
        assert request.content == b""


@needs_document
def test_every_method_is_tried_against_the_document():
    methods = vars(MetricsApi) | vars(RenderClient)
    public = {name for name, value in methods.items() if not name.startswith("_") and callable(value)}
    assert public - {"aclose"} == {operation_id.replace("-", "_") for operation_id, _, _ in CALLS}


@needs_document
def test_the_document_check_finds_a_body_that_is_wrong():
    schema = operation("POST", f"/services/{SERVICE}/scale")["requestBody"]["content"]["application/json"]["schema"]
    assert faults(schema, {"numInstances": "two"})
    assert faults(schema, {})


@needs_document
@pytest.mark.parametrize("kind", ("webService", "privateService", "backgroundWorker"))
async def test_a_change_of_plan_suits_every_type_of_service_that_has_one(kind):
    talk = conversation(A_SERVICE)
    await talk.client.update_service(SERVICE, plan="pro_plus")
    details = body_of(talk.requests[0])["serviceDetails"]
    assert not faults(at(f"#/components/schemas/{kind}DetailsPATCH"), details)
    assert faults(at(f"#/components/schemas/{kind}DetailsPATCH"), {"plan": "pro plus"})


def body_of(request: httpx.Request) -> Any:
    return json.loads(request.content)


async def test_a_change_of_plan_sends_nothing_but_the_plan():
    talk = conversation(A_SERVICE)
    await talk.client.update_service(SERVICE, plan="1c-2g")
    assert body_of(talk.requests[0]) == {"serviceDetails": {"plan": "1c-2g"}}


@pytest.mark.parametrize(
    ("options", "body"),
    (
        ({}, {"deployMode": "deploy_only"}),
        ({"deploy_mode": "build_and_deploy"}, {}),
        ({"deploy_mode": "build_and_deploy", "commit_id": "c0ffee"}, {"commitId": "c0ffee"}),
    ),
)
async def test_a_deploy_sends_only_what_may_be_combined(options, body):
    talk = conversation(A_DEPLOY)
    await talk.client.create_deploy(SERVICE, **options)
    assert body_of(talk.requests[0]) == body


async def test_a_commit_with_deploy_only_is_refused_before_it_is_sent():
    talk = conversation(A_DEPLOY)
    with pytest.raises(ValueError, match="build_and_deploy"):
        await talk.client.create_deploy(SERVICE, commit_id="c0ffee")
    assert not talk.requests


async def test_a_deploy_that_was_only_queued_has_no_id_and_is_none():
    assert await conversation(httpx.Response(202)).client.create_deploy(SERVICE) is None


async def test_a_deploy_that_was_started_is_returned():
    deploy = await conversation(A_DEPLOY).client.create_deploy(SERVICE)
    assert deploy is not None
    assert deploy.id == "dep-1"


async def test_previews_are_left_out_unless_asked_for():
    talk = conversation(PAGE)
    await talk.client.list_services()
    assert talk.requests[0].url.params["includePreviews"] == "false"


async def test_several_values_of_a_filter_share_one_parameter():
    talk = conversation(PAGE)
    await talk.client.list_deploys(SERVICE, status=["live", "queued"])
    assert talk.requests[0].url.params.get_list("status") == ["live,queued"]


@pytest.mark.parametrize("key", ("A/B", "A B", "A?B=C", "A#B", "A%2FB", "Ä", "A\nB", "..%"))
async def test_the_name_of_a_variable_stays_one_segment_of_the_path(key):
    talk = conversation(httpx.Response(200, json={"key": key, "value": "1"}))
    await talk.client.update_env_var(SERVICE, key, "1")
    raw = talk.requests[0].url.raw_path.decode()
    assert raw.count("/") == 5
    assert "?" not in raw
    assert talk.requests[0].url.path == f"/v1/services/{SERVICE}/env-vars/{key}"


@pytest.mark.parametrize("name", ("", ".", ".."))
async def test_a_name_that_would_lead_elsewhere_is_refused(name):
    talk = conversation(httpx.Response(204))
    with pytest.raises(ValueError, match="no id or name"):
        await talk.client.delete_env_var(SERVICE, name)
    with pytest.raises(ValueError, match="no id or name"):
        await talk.client.retrieve_service(name)
    assert not talk.requests


async def test_the_value_of_a_variable_goes_out_as_the_text_it_is():
    talk = conversation(A_VARIABLE)
    await talk.client.update_env_var(SERVICE, "TTL", "0600\n é")
    assert body_of(talk.requests[0]) == {"value": "0600\n é"}


async def test_times_go_out_in_utc():
    talk = conversation(PAGE)
    berlin = timezone(timedelta(hours=1))
    await talk.client.list_events(SERVICE, start_time=datetime(2026, 1, 2, 4, 4, 5, tzinfo=berlin))
    assert talk.requests[0].url.params["startTime"] == "2026-01-02T03:04:05Z"


async def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        await conversation(PAGE).client.list_events(SERVICE, start_time=datetime(2026, 1, 2))  # noqa: DTZ001  # that is the fault


async def test_the_key_the_kind_of_answer_and_the_program_are_named_in_every_request():
    talk = conversation(A_SERVICE, user_agent="agency-bot/2")
    await talk.client.retrieve_service(SERVICE)
    headers = talk.requests[0].headers
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["accept"] == "application/json"
    assert headers["user-agent"] == "agency-bot/2"


async def test_there_is_no_call_that_replaces_all_variables():
    assert not hasattr(RenderClient, "update_env_vars_for_service")


@pytest.mark.parametrize(
    "base_url", ("", "api.render.com/v1", "ftp://api.render.com", "https://user:pass@api.render.com/v1", "https://")
)
def test_a_base_url_that_cannot_be_one_is_refused_without_being_repeated(base_url):
    with pytest.raises(ValueError, match="must look like https://api") as caught:
        RenderClient(KEY, base_url)
    assert "pass@" not in str(caught.value)


async def test_an_answer_that_is_no_such_object_names_the_field_but_not_what_was_in_it():
    talk = conversation(httpx.Response(200, json={"key": "TTL", "value": {"secret": "swordfish"}}))
    with pytest.raises(RenderDownError, match=r"no EnvVar \(value: string_type\)") as caught:
        await talk.client.retrieve_env_var(SERVICE, "TTL")
    assert "swordfish" not in str(caught.value)
