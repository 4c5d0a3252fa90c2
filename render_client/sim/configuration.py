"""Rules of what is configured: the PATCH of a service, its env vars, its autoscaling.

Nothing here reaches a running instance: a deploy does that, when its own instances start.
"""

import copy
from collections.abc import Mapping
from typing import Any

from render_client.sim import fleet
from render_client.sim.documents import image_reference, service_body
from render_client.sim.plans import PLANS, spelled
from render_client.sim.state import EnvVar, Json, Refused, Service
from render_client.sim.world import World

# Of these, only the keys that are sent change.
_MERGED = frozenset({"envSpecificDetails", "previews"})


def patch(world: World, service: Service, changes: Json, now: int) -> None:
    """Take over the fields of a checked PATCH body; what is left out stays.

    Raises:
        Refused: 400, the plan does not exist or does not suit the service.
    """
    changes = dict(changes)
    details: Json = changes.pop("serviceDetails", {})
    image: Json | None = changes.pop("image", None)
    if "plan" in details:
        _check_plan(service, details["plan"])
    if image is not None and not service.image_backed:
        raise Refused(400, "image can only be set on an image-backed service")
    before = copy.deepcopy(_shown(world, service))
    if image is not None:
        service.document["imagePath"] = image_reference(image["imagePath"])
    if "autoDeploy" in changes:
        service.document.pop("autoDeployTrigger", None)
    elif "autoDeployTrigger" in changes:
        service.document["autoDeploy"] = "no" if changes["autoDeployTrigger"] == "off" else "yes"
    if changes.get("buildFilter") and None in changes["buildFilter"].values():
        changes["buildFilter"] = None  # a filter without paths is none
    for key, value in changes.items():
        _set(service.document, key, value)
    _patch_details(world, service, details, now)
    if _shown(world, service) != before:  # a PATCH that changes nothing does not move `updatedAt` [recorded]
        world.touch(service, now)


def _shown(world: World, service: Service) -> Json:
    return service_body(service.document, world.spec.plan_spelling)


def set_plan(world: World, service: Service, plan: str, now: int) -> None:
    """Configure another plan; where it only is another name that nobody is told, nothing has changed."""
    before = spelled(str(service.details.get("plan")), world.spec.plan_spelling)
    service.details["plan"] = plan
    after = spelled(plan, world.spec.plan_spelling)
    if after != before:
        world.touch(service, now)
        world.record(service, "plan_changed", {"from": before, "to": after}, now)


def _patch_details(world: World, service: Service, details: Json, now: int) -> None:
    for key, value in details.items():
        if key == "plan":
            set_plan(world, service, value, now)
        elif key == "preDeployCommand":
            _set_pre_deploy(service.details["envSpecificDetails"], value)
        elif key in _MERGED:
            service.details.setdefault(key, {}).update(value)
        else:
            _set(service.details, key, value)
    if "runtime" in details:
        service.details["env"] = details["runtime"]


def _set_pre_deploy(environment: Json, command: str | None) -> None:
    # It lies inside `envSpecificDetails`, and an empty one does not appear where there was none [recorded].
    if command or "preDeployCommand" in environment:
        environment["preDeployCommand"] = command or ""


def _set(target: Json, key: str, value: Any) -> None:
    if value is None:
        target.pop(key, None)
    else:
        target[key] = value


def _check_plan(service: Service, name: str) -> None:
    plan = PLANS.get(name)
    if plan is None:
        raise Refused(400, f"invalid plan: {name}")
    if not plan.paid and service.document["type"] != "web_service":
        raise Refused(400, f"plan {name} is not available for services of type {service.document['type']}")
    if not plan.paid and ("disk" in service.details or service.desired_count > 1):
        raise Refused(400, f"plan {name} allows neither a disk nor more than one instance")


def set_env_var(world: World, service: Service, key: str, value: str | None, now: int) -> EnvVar:
    """Create or update one variable; without a value Render generates one."""
    before = service.env.get(key)
    sequence = before.sequence if before else world.next_sequence()
    var = EnvVar(sequence, key, world.new_secret() if value is None else value)
    service.env[key] = var
    _env_written(world, service, now)
    return var


def _env_written(world: World, service: Service, now: int) -> None:
    if world.spec.env_touches:
        world.touch(service, now)


def replace_env_vars(world: World, service: Service, values: Mapping[str, str | None], now: int) -> None:
    """Replace all variables: what is not named is gone."""
    service.env.clear()
    for key, value in values.items():
        set_env_var(world, service, key, value, now)
    _env_written(world, service, now)


def find_env_var(service: Service, key: str) -> EnvVar:
    """The variable of that key.

    Raises:
        Refused: 404, there is none.
    """
    if key not in service.env:
        raise Refused(404, f"not found: {key}")
    return service.env[key]


def delete_env_var(world: World, service: Service, key: str, now: int) -> None:
    """Take one variable away.

    Raises:
        Refused: 404, there is none.
    """
    find_env_var(service, key)
    del service.env[key]
    _env_written(world, service, now)


def set_autoscaling(world: World, service: Service, config: Json | None, now: int) -> None:
    """Set or take away the autoscaling; it needs no deploy, the count follows at once.

    Raises:
        Refused: 400, the service has a disk or its type has no instances.
    """
    if config is not None and ("disk" in service.details or "numInstances" not in service.details):
        raise Refused(400, "autoscaling is not available for this service")
    before, old = service.desired_count, service.details.get("autoscaling")
    _set(service.details, "autoscaling", config)
    if config is not None:
        world.touch(service, now)  # to take it away does not move `updatedAt` [recorded]
        details = {"toConfig": config} if old is None else {"fromConfig": old, "toConfig": config}
        world.record(service, "autoscaling_config_changed", details, now)
    fleet.resize(world, service, before, now)
