"""What each public call does: a table of operations, by the ids of Render's OpenAPI document in snake case."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from render_client.sim import bodies, configuration, deploy_operations, documents, fleet, metric_operations, suspension
from render_client.sim.clock import parse_timestamp
from render_client.sim.incoming import Incoming, Reply
from render_client.sim.pages import cursor, page
from render_client.sim.state import Json, Refused, Service

_HOUR = 3600 * 1000


@dataclass(frozen=True, slots=True)
class Operation:
    """One route of the API."""

    name: str
    method: str
    path: str
    run: Callable[[Incoming], Reply]


def list_services(call: Incoming) -> Reply:
    """GET /services, newest first."""
    services = (service for service in call.world.services.values() if _wanted(call, service))
    return Reply(200, page(call.query, "service", [(s.sequence, s) for s in services], lambda s: _body(call, s)))


def _body(call: Incoming, service: Service) -> Json:
    return documents.service_body(service.document, call.world.spec.plan_spelling)


def _wanted(call: Incoming, service: Service) -> bool:
    document, query = service.document, call.query
    values = {
        "name": document["name"],
        "type": document["type"],
        "ownerId": document["ownerId"],
        "suspended": document["suspended"],
        "environmentId": document.get("environmentId"),
        "env": service.details.get("env"),
        "region": service.details.get("region"),
    }
    if any(query.many(name) and value not in query.many(name) for name, value in values.items()):
        return False
    if query.one("includePreviews") == "false" and "parentServer" in service.details:
        return False
    return all(query.during(name, parse_timestamp(document[f"{name}At"])) for name in ("created", "updated"))


def retrieve_service(call: Incoming) -> Reply:
    """GET /services/{serviceId}: what is configured, whatever runs."""
    return Reply(200, _body(call, call.service))


def update_service(call: Incoming) -> Reply:
    """PATCH /services/{serviceId}: recorded at once, running after the next deploy."""
    changes = bodies.parse_patch(call.service.document["type"], call.body)
    configuration.patch(call.world, call.service, changes, call.now)
    return Reply(200, _body(call, call.service))


def delete_service(call: Incoming) -> Reply:
    """DELETE /services/{serviceId}; afterwards it is not found."""
    call.service.instances.clear()
    del call.world.services[call.service.id]
    return Reply(204)


def list_env_vars(call: Incoming) -> Reply:
    """GET /services/{serviceId}/env-vars."""
    variables = call.service.env.values()
    return Reply(200, page(call.query, "envVar", ((v.sequence, v) for v in variables), documents.env_var_body))


def replace_env_vars(call: Incoming) -> Reply:
    """PUT /services/{serviceId}/env-vars: replaces all; null is an empty list; the reply keeps the sent order."""
    wanted = bodies.parse(list[bodies.NamedEnvVar], [] if call.body is None else call.body)
    values = {variable.key: variable.checked() for variable in wanted}
    configuration.replace_env_vars(call.world, call.service, values, call.now)
    variables = call.service.env.values()
    return Reply(200, [{"cursor": cursor(v.sequence), "envVar": documents.env_var_body(v)} for v in variables])


def retrieve_env_var(call: Incoming) -> Reply:
    """GET /services/{serviceId}/env-vars/{envVarKey}."""
    return Reply(200, documents.env_var_body(configuration.find_env_var(call.service, call.path["envVarKey"])))


def update_env_var(call: Incoming) -> Reply:
    """PUT /services/{serviceId}/env-vars/{envVarKey}: creates or updates one."""
    key = bodies.parse(bodies.EnvVarName, {"key": call.path["envVarKey"]}).key
    value = bodies.parse(bodies.EnvVarValue, call.body).checked()
    variable = configuration.set_env_var(call.world, call.service, key, value, call.now)
    return Reply(200, documents.env_var_body(variable))


def delete_env_var(call: Incoming) -> Reply:
    """DELETE /services/{serviceId}/env-vars/{envVarKey}."""
    configuration.delete_env_var(call.world, call.service, call.path["envVarKey"], call.now)
    return Reply(204)


def scale_service(call: Incoming) -> Reply:
    """POST /services/{serviceId}/scale: without a deploy."""
    fleet.scale(call.world, call.service, bodies.parse(bodies.ScaleBody, call.body).num_instances, call.now)
    return Reply(202)


def autoscale_service(call: Incoming) -> Reply:
    """PUT /services/{serviceId}/autoscaling: echoes the configuration."""
    body = bodies.parse(bodies.AutoscalingBody, call.body)
    if body.min > body.max:
        raise Refused(400, "invalid request body: min is larger than max")
    config = body.model_dump()
    configuration.set_autoscaling(call.world, call.service, config, call.now)
    return Reply(200, config)


def delete_autoscaling_config(call: Incoming) -> Reply:
    """DELETE /services/{serviceId}/autoscaling."""
    configuration.set_autoscaling(call.world, call.service, None, call.now)
    return Reply(204)


def suspend_service(call: Incoming) -> Reply:
    """POST /services/{serviceId}/suspend."""
    suspension.suspend(call.world, call.service, call.now)
    return Reply(202)


def resume_service(call: Incoming) -> Reply:
    """POST /services/{serviceId}/resume."""
    suspension.resume(call.world, call.service, call.now)
    return Reply(202)


def restart_service(call: Incoming) -> Reply:
    """POST /services/{serviceId}/restart: same plan and env vars as before."""
    fleet.restart(call.world, call.service, call.now)
    return Reply(200)


def list_instances(call: Incoming) -> Reply:
    """GET /services/{serviceId}/instances: a bare list, without pages."""
    return Reply(200, fleet.public_instances(call.service))


def list_events(call: Incoming) -> Reply:
    """GET /services/{serviceId}/events, newest first; without times only the last hour."""
    start, end, types = call.query.moment("startTime"), call.query.moment("endTime"), call.query.many("type")
    if start is None and end is None:
        start = call.now - _HOUR
    events = (
        event
        for event in call.service.events
        if (start is None or event.at >= start) and (end is None or event.at <= end)
        if not types or event.type in types
    )
    service_id = call.service.id
    items = ((event.sequence, event) for event in events)
    return Reply(200, page(call.query, "event", items, lambda event: documents.event_body(event, service_id)))


def list_owners(call: Incoming) -> Reply:
    """GET /owners: the one workspace of the key."""
    owner = call.world.spec.owner
    wanted = all(
        not call.query.many(name) or value in call.query.many(name)
        for name, value in (("name", owner.name), ("email", owner.email))
    )
    return Reply(200, page(call.query, "owner", [(1, owner)] if wanted else [], documents.owner_body))


def list_blueprints(call: Incoming) -> Reply:
    """GET /blueprints."""
    owners = call.query.many("ownerId")
    blueprints = call.world.blueprints if not owners or call.world.spec.owner.id in owners else []
    return Reply(200, page(call.query, "blueprint", blueprints, _without_resources))


def _without_resources(body: Json) -> Json:
    return {key: value for key, value in body.items() if key != "resources"}


def retrieve_blueprint(call: Incoming) -> Reply:
    """GET /blueprints/{blueprintId}: with the resources that it manages."""
    for _sequence, body in call.world.blueprints:
        if body["id"] == call.path["blueprintId"]:
            return Reply(200, body)
    raise Refused(404, f"not found: {call.path['blueprintId']}")


def operations() -> Iterator[Operation]:
    """All operations."""
    service = "/services/{serviceId}"
    yield Operation("list_services", "GET", "/services", list_services)
    yield Operation("retrieve_service", "GET", service, retrieve_service)
    yield Operation("update_service", "PATCH", service, update_service)
    yield Operation("delete_service", "DELETE", service, delete_service)
    variables = f"{service}/env-vars"
    yield Operation("get_env_vars_for_service", "GET", variables, list_env_vars)
    yield Operation("update_env_vars_for_service", "PUT", variables, replace_env_vars)
    yield Operation("retrieve_env_var", "GET", f"{variables}/{{envVarKey}}", retrieve_env_var)
    yield Operation("update_env_var", "PUT", f"{variables}/{{envVarKey}}", update_env_var)
    yield Operation("delete_env_var", "DELETE", f"{variables}/{{envVarKey}}", delete_env_var)
    deploys = f"{service}/deploys"
    yield Operation("list_deploys", "GET", deploys, deploy_operations.list_deploys)
    yield Operation("create_deploy", "POST", deploys, deploy_operations.create_deploy)
    yield Operation("retrieve_deploy", "GET", f"{deploys}/{{deployId}}", deploy_operations.retrieve_deploy)
    yield Operation("cancel_deploy", "POST", f"{deploys}/{{deployId}}/cancel", deploy_operations.cancel_deploy)
    yield Operation("rollback_deploy", "POST", f"{service}/rollback", deploy_operations.rollback_deploy)
    yield Operation("scale_service", "POST", f"{service}/scale", scale_service)
    yield Operation("autoscale_service", "PUT", f"{service}/autoscaling", autoscale_service)
    yield Operation("delete_autoscaling_config", "DELETE", f"{service}/autoscaling", delete_autoscaling_config)
    yield Operation("suspend_service", "POST", f"{service}/suspend", suspend_service)
    yield Operation("resume_service", "POST", f"{service}/resume", resume_service)
    yield Operation("restart_service", "POST", f"{service}/restart", restart_service)
    yield Operation("list_instances", "GET", f"{service}/instances", list_instances)
    yield Operation("list_events", "GET", f"{service}/events", list_events)
    for name, run in metric_operations.RUNS.items():
        yield Operation(f"get_{name.replace('-', '_')}", "GET", f"/metrics/{name}", run)
    yield Operation("list_owners", "GET", "/owners", list_owners)
    yield Operation("list_blueprints", "GET", "/blueprints", list_blueprints)
    yield Operation("retrieve_blueprint", "GET", "/blueprints/{blueprintId}", retrieve_blueprint)
