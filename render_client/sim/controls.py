"""What a person or the outside world does to a service, for the control routes and for tests in the same process."""

from collections.abc import Mapping

from render_client.sim import configuration, fleet, lifecycle
from render_client.sim.lifecycle import BUILD, PRE_DEPLOY, UPDATE, Order
from render_client.sim.state import Commit, Deploy, Instance, Json, Refused, Service, Source
from render_client.sim.world import World

_STAGES = {"build": BUILD, "pre_deploy": PRE_DEPLOY, "update": UPDATE}


def push(world: World, service: Service, now: int, message: str = "A change") -> Deploy | None:
    """A git push to the service's branch; deploys when auto-deploy is on and the service is not suspended."""
    commit = Commit(world.new_commit_id(), message, now)
    service.commits.append(commit)
    if service.document["autoDeploy"] != "yes" or service.suspended or service.image_backed:
        return None
    return lifecycle.request_deploy(world, service, Order("new_commit", Source(commit, None), build=True), now)


def dashboard(
    world: World,
    service: Service,
    now: int,
    *,
    plan: str | None = None,
    env: Mapping[str, str] | None = None,
    deploy: bool = True,
) -> Deploy | None:
    """A person changes the plan or env vars in the dashboard, which deploys them at once unless "save only" is chosen.

    Of a suspended service they are saved only.

    Raises:
        Refused: 400, the plan is unknown.
    """
    if plan is not None:
        configuration.patch(world, service, {"serviceDetails": {"plan": plan}}, now)
    for key, value in (env or {}).items():
        configuration.set_env_var(world, service, key, value, now)
    if not deploy or service.suspended:
        return None
    order = Order("service_updated", lifecycle.built(world, service), build=False, env_updated=bool(env))
    return lifecycle.request_deploy(world, service, order, now)


def fail_next_deploy(service: Service, stage: str = "update") -> None:
    """Let the next deploy that has this stage fail there: `build`, `pre_deploy` or `update`.

    Raises:
        Refused: 400, there is no such stage.
    """
    if stage not in _STAGES:
        raise Refused(400, f"unknown stage {stage!r}; one of {', '.join(_STAGES)}")
    service.fail_next = _STAGES[stage]


def oom_kill(world: World, service: Service, now: int) -> Instance:
    """Kill an instance for its memory: event `server_failed` with `oomKilled`, then Render restarts it.

    Raises:
        Refused: 400, none is serving.
    """
    return fleet.oom_killed(world, service, now)


def world_state(world: World) -> Json:
    """The whole world, with what runs beside what is configured."""
    return {"services": [_service_state(service) for service in world.services.values()]}


def _service_state(service: Service) -> Json:
    configured = service.configured()
    return {
        "id": service.id,
        "name": service.document["name"],
        "service": service.document,
        "configured": {"plan": configured.plan, "env": dict(configured.env)},
        "instances": [_instance_state(instance) for instance in service.instances],
        "deploys": [_deploy_state(deploy) for deploy in service.deploys],
        "events": [{"at": event.at, "type": event.type, "details": event.details} for event in service.events],
    }


def _instance_state(instance: Instance) -> Json:
    return {
        "id": instance.id,
        "deployId": instance.deploy_id,
        "state": instance.state,
        "plan": instance.snapshot.plan,
        "env": dict(instance.snapshot.env),
    }


def _deploy_state(deploy: Deploy) -> Json:
    snapshot = deploy.snapshot
    return {
        "id": deploy.id,
        "status": deploy.status,
        "trigger": deploy.trigger,
        "createdAt": deploy.created_at,
        "finishedAt": deploy.finished_at,
        "plan": snapshot.plan if snapshot else None,
        "env": dict(snapshot.env) if snapshot else None,
    }
