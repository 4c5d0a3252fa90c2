"""Schemathesis against Render's own OpenAPI document, for the operations that the simulator serves, over real HTTP."""

import asyncio
import copy
import json
import threading
from pathlib import Path

import pytest

from render_client.sim import BlueprintSpec, ManualClock, ServiceSpec, running_simulator
from render_client.sim.operations import operations
from tests.support.sim import SERVICE, caller, manual_simulator, service_with, world_with
from tests.support.worlds import FEW, name_of

OPENAPI = Path(__file__).parents[3] / "shared" / "render" / "openapi.json"
pytestmark = [
    pytest.mark.skipif(not OPENAPI.exists(), reason="the OpenAPI document (../shared/render) is not here"),
]
OPPOSITE = (FEW[0], FEW[-1])
"""Whatever Render does where nobody knows, it does as the document says."""
OPERATIONS = tuple(operation for operation in operations() if operation.name != "delete_service")


def as_really_sent(document):
    """The document, with what the recordings of real replies show to be different.

    * `oneOf` of service details and events: the real web service matches two of its branches, so `anyOf`.
    * `commit` and `finishedAt` of a deploy are null, plans have newer names, a list takes a wrong limit as a 400.
    """
    document = copy.deepcopy(document)
    schemas = document["components"]["schemas"]
    deploy = schemas["deploy"]["properties"]
    deploy["commit"]["nullable"] = True
    deploy["finishedAt"]["nullable"] = True
    schemas["plan"].pop("enum", None)
    schemas["paidPlan"].pop("enum", None)
    bad_request = document["paths"]["/services/{serviceId}"]["patch"]["responses"]["400"]
    as_everywhere = document["paths"]["/services/{serviceId}"]["get"]["responses"]
    # The metrics: it wants a unit of every value, and has it at the series only.
    series = document["paths"]["/metrics/cpu"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    series.pop("required", None)
    series["items"]["properties"]["values"]["items"]["required"] = ["timestamp", "value"]
    served = {}
    for operation in OPERATIONS:
        described = document["paths"][operation.path][operation.method.lower()]
        described["responses"].setdefault("400", bad_request)
        if operation.path.startswith("/metrics/"):  # they have a key and limits too, though the document is silent
            described["responses"] |= {status: as_everywhere[status] for status in ("401", "406", "429")}
        served.setdefault(operation.path, {})[operation.method.lower()] = described
        if "parameters" in document["paths"][operation.path]:
            served[operation.path]["parameters"] = document["paths"][operation.path]["parameters"]
    document["servers"] = [{"url": "/v1"}]
    return any_of({**document, "paths": {**document["paths"], **served}})


def any_of(value):
    if isinstance(value, dict):
        return {("anyOf" if key == "oneOf" else key): any_of(item) for key, item in value.items()}
    return [any_of(item) for item in value] if isinstance(value, list) else value


@pytest.fixture(scope="module", params=OPPOSITE, ids=name_of)
def simulator(request):
    """A simulator in a thread of its own: schemathesis is synchronous."""
    world = world_with(
        **request.param,
        limits={"enabled": False},
        services=(
            service_with(env={"KEY": "1"}),
            ServiceSpec(name="worker", type="background_worker", image="nginx", plan="1c-2g"),
            ServiceSpec(name="nightly", type="cron_job"),
            ServiceSpec(name="site", type="static_site"),
        ),
        blueprints=(BlueprintSpec(name="all", services=("worker",)),),
    )
    started, stop = threading.Event(), threading.Event()
    found = []

    async def serve():
        async with running_simulator(world, clock=ManualClock()) as sim:
            found.append(sim)
            started.set()
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert started.wait(10)
    yield found[0]
    stop.set()
    thread.join(10)


@pytest.fixture(scope="module")
def schema():
    import schemathesis

    return schemathesis.openapi.from_dict(as_really_sent(json.loads(OPENAPI.read_text())))


def known(sim):
    """Values that exist, so that not every generated call ends in a 404."""
    service = sim.world.find(SERVICE)
    return {
        "serviceId": [item.id for item in sim.world.services.values()],
        "deployId": [deploy.id for deploy in service.deploys[:1]],
        "envVarKey": ["KEY", "NEW"],
        "blueprintId": [body["id"] for _, body in sim.world.blueprints],
    }


METRICS = ("cpu", "cpu-limit", "memory", "memory-limit", "http-requests", "http-latency")
USUAL_CALLS = (
    ("list_services", {}, None),
    *((f"get_{name.replace('-', '_')}", {"query": f"?resource={SERVICE}"}, None) for name in METRICS),
    ("retrieve_service", {}, None),
    ("update_service", {}, {"serviceDetails": {"plan": "standard"}}),
    ("get_env_vars_for_service", {}, None),
    ("update_env_vars_for_service", {}, [{"key": "A", "value": "1"}, {"key": "B", "generateValue": True}]),
    ("retrieve_env_var", {"envVarKey": "A"}, None),
    ("update_env_var", {"envVarKey": "A"}, {"value": "2"}),
    ("delete_env_var", {"envVarKey": "A"}, None),
    ("create_deploy", {}, {"deployMode": "deploy_only"}),
    ("list_deploys", {}, None),
    ("retrieve_deploy", {}, None),
    ("cancel_deploy", {}, None),
    ("rollback_deploy", {}, {"deployId": "{first_deploy}"}),
    ("scale_service", {}, {"numInstances": 2}),
    (
        "autoscale_service",
        {},
        {
            "enabled": True,
            "min": 1,
            "max": 3,
            "criteria": {"cpu": {"enabled": True, "percentage": 60}, "memory": {"enabled": False, "percentage": 70}},
        },
    ),
    ("delete_autoscaling_config", {}, None),
    ("restart_service", {}, None),
    ("list_instances", {}, None),
    ("suspend_service", {}, None),
    ("resume_service", {}, None),
    ("list_events", {}, None),
    ("list_owners", {}, None),
    ("list_blueprints", {}, None),
    ("retrieve_blueprint", {}, None),
)


@pytest.mark.parametrize("world", OPPOSITE, ids=name_of)
def test_the_usual_calls_succeed_and_conform(schema, world):
    """Generated calls rarely succeed; here every operation does."""
    by_name = {operation.name: operation for operation in OPERATIONS}
    assert {name for name, _, _ in USUAL_CALLS} == set(by_name)
    spec = world_with(**world, blueprints=(BlueprintSpec(name="all", services=("holisticos-api",)),))

    async def call_all():
        async with manual_simulator(spec) as sim, caller(sim) as http:
            service = sim.world.find(SERVICE)
            first = service.deploys[0].id
            for name, path, body in USUAL_CALLS:
                if name == "list_events":
                    sim.clock.advance(60)
                operation = by_name[name]
                values = {"serviceId": SERVICE, "deployId": service.deploys[-1].id, **path}
                values["blueprintId"] = sim.world.blueprints[0][1]["id"]
                content = None if body is None else json.dumps(body).replace("{first_deploy}", first)
                url = operation.path.format(**values) + path.get("query", "")
                reply = await http.request(operation.method, url, content=content)
                assert reply.status_code < 300, (name, reply.text)
                schema[operation.path][operation.method].validate_response(Response.from_httpx(reply, verify=False))

    from schemathesis import Response

    asyncio.run(call_all())


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
@pytest.mark.parametrize("mode", ("positive", "negative"))
def test_every_generated_call_is_answered_as_the_document_says(simulator, schema, operation, mode):
    import hypothesis
    from hypothesis import strategies as st
    from schemathesis import GenerationMode
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    api_operation = schema[operation.path][operation.method]
    existing = known(simulator)
    checks = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
    cases = api_operation.as_strategy(generation_mode=GenerationMode(mode))

    @hypothesis.seed(1)
    @hypothesis.settings(
        max_examples=5, database=None, deadline=None, suppress_health_check=list(hypothesis.HealthCheck)
    )
    @hypothesis.given(case=cases, data=st.data())
    def every_case(case, data):
        for name in case.path_parameters or {}:
            if name in existing:
                case.path_parameters[name] = data.draw(st.sampled_from(existing[name]))
        case.call_and_validate(
            base_url=simulator.base_url,
            headers={"Authorization": f"Bearer {simulator.api_key}"},
            checks=checks,
        )

    every_case()
