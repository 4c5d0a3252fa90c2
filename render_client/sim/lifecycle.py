"""The life of a deploy.

    created ─ build_in_progress ─ pre_deploy_in_progress ─ update_in_progress ─ live ─ deactivated
       │              │                     │                     │
    canceled     build_failed        pre_deploy_failed      update_failed       (canceled from any of them)

`queued` comes before `created` when another deploy is under way and the workspace waits instead of overriding.
An instance takes the plan and env vars that are configured when `update_in_progress` begins; a rollback brings the
env vars of the deploy that it goes back to. What nobody knows of that can be otherwise: `WorldSpec` says which and how.
"""

from dataclasses import dataclass

from render_client.sim import configuration, fleet
from render_client.sim.state import CANCELABLE, Deploy, Instance, Json, Refused, Service, Snapshot, Source
from render_client.sim.world import World

BUILD = "build_in_progress"
PRE_DEPLOY = "pre_deploy_in_progress"
UPDATE = "update_in_progress"
_FAILED = {BUILD: "build_failed", PRE_DEPLOY: "pre_deploy_failed", UPDATE: "update_failed"}
_ENDED = {"live": ("succeeded", 2), "canceled": ("canceled", 4)}  # anything else: ("failed", 3)


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody asked to deploy: `build` makes a new build of the source first.

    `keeps_env` leaves the env vars as they are with the live deploy.
    """

    trigger: str
    source: Source
    build: bool
    clear_cache: bool = False
    env_updated: bool = False
    keeps_env: bool = False
    rollback_of: Deploy | None = None


def request_deploy(world: World, service: Service, order: Order, now: int) -> Deploy:
    """Start a deploy, or queue it behind the running one (its status is then `queued`).

    Raises:
        Refused: 400, the service is suspended.
    """
    if service.suspended:
        raise Refused(400, "cannot deploy suspended service")
    deploy = _new_deploy(world, service, order, now)
    if service.running_deploy is not None and world.spec.overlap == "wait":
        # Of several that wait only the most recent proceeds.
        if service.waiting_deploy is not None:
            _end(world, service, service.waiting_deploy, "canceled", now)
        deploy.status = "queued"
        service.deploys.append(deploy)
    else:
        if service.running_deploy is not None:
            _end(world, service, service.running_deploy, "canceled", now)
        service.deploys.append(deploy)
        _begin(world, service, deploy, now)
    world.touch(service, now)
    return deploy


def cancel(world: World, service: Service, deploy: Deploy, now: int) -> None:
    """End a deploy before it is live; the old instances go on.

    Raises:
        Refused: 400, it has already ended.
    """
    if deploy.status not in CANCELABLE:
        raise Refused(400, f"cannot cancel a deploy that is {deploy.status}")
    _end(world, service, deploy, "canceled", now)


def cancel_all(world: World, service: Service, now: int) -> None:
    """End the waiting and the running deploy."""
    for deploy in (service.waiting_deploy, service.running_deploy):
        if deploy is not None:
            _end(world, service, deploy, "canceled", now)


def deploy_only(world: World, service: Service) -> Order:
    """What the API takes `deploy_only` for: the build that is there, with what is configured now.

    Raises:
        Refused: 400, nothing was built yet, or the world does not take it for an image.
    """
    if service.image_backed and not world.spec.deploy_only_images:
        raise Refused(400, "deploy_only is not supported for image-backed services")
    return Order("api", built(world, service), build=False, keeps_env=not world.spec.deploy_only_env)


def built(world: World, service: Service) -> Source:
    """The build that is deployed without a new one: the newest, even if a person has rolled it back since, or what is live.

    Raises:
        Refused: 400, nothing was built yet.
    """
    live = service.live_deploy
    build = live.source if world.spec.deploy_only_build == "live" and live else service.last_build
    if build is None:
        raise Refused(400, "no successful build to deploy")
    return build


def branch_head(service: Service) -> Source:
    """What `build_and_deploy` ships: the newest commit, or the configured image."""
    if service.image_backed:
        return Source(None, str(service.document["imagePath"]))
    return Source(service.commits[-1], None)


def instance_healthy(world: World, service: Service, instance: Instance, now: int) -> None:
    """The process of an instance answers: it may be the last that its deploy waits for."""
    fleet.became_healthy(world, service, instance, now)
    settle(world, service, service.deploy(instance.deploy_id), now)


def instance_failed(world: World, service: Service, instance: Instance, failure: Json, now: int) -> None:
    """The process of an instance ended or never answered.

    During its deploy that fails the deploy: its new instances are ended, the old ones go on (where there is no disk).
    Later it is a crash.
    """
    if instance not in service.instances:
        return
    deploy = service.deploy(instance.deploy_id)
    if deploy.status == UPDATE:
        _end(world, service, deploy, "update_failed", now, {"failure": {"evicted": False, **failure}})
    else:
        fleet.crashed(world, service, instance, failure, now)


def settle(world: World, service: Service, deploy: Deploy, now: int) -> None:
    """Go live once every new instance is healthy."""
    if deploy.status != UPDATE or deploy.fails_at == UPDATE:
        return
    if all(item.healthy for item in service.instances if item.deploy_id == deploy.id):
        _go_live(world, service, deploy, now)


def _new_deploy(world: World, service: Service, order: Order, now: int) -> Deploy:
    phases = [UPDATE]
    command = service.details.get("envSpecificDetails", {}).get("preDeployCommand")
    if command and (order.build or world.spec.deploy_only_pre_deploy):
        phases.insert(0, PRE_DEPLOY)
    if order.build and not service.image_backed:
        phases.insert(0, BUILD)
    deploy = Deploy(
        sequence=world.next_sequence(),
        id=world.new_id("dep"),
        trigger=order.trigger,
        trigger_details=_trigger_details(order),
        source=order.source,
        created_at=now,
        updated_at=now,
        phases=phases,
        keeps_env=order.keeps_env,
    )
    if order.rollback_of is not None:
        deploy.rollback_of = order.rollback_of.snapshot
        if deploy.rollback_of is not None and world.spec.rollback_plan == "set":
            configuration.set_plan(world, service, deploy.rollback_of.plan, now)
    if service.fail_next in phases:
        deploy.fails_at, service.fail_next = service.fail_next, None
    return deploy


def _begin(world: World, service: Service, deploy: Deploy, now: int) -> None:
    deploy.status = "created"
    details = {"deployId": deploy.id, "trigger": deploy.trigger_details}
    world.record(service, "deploy_started", details, now)
    if world.durations.created:
        world.after(world.durations.created, now, lambda at: _phase_over(world, service, deploy, "created", at))
    else:
        _phase_over(world, service, deploy, "created", now)


def _phase_over(world: World, service: Service, deploy: Deploy, phase: str, now: int) -> None:
    if deploy.status != phase:
        return  # cancelled or failed meanwhile
    if deploy.fails_at == phase:
        _end(world, service, deploy, _FAILED[phase], now, _failure(world, phase))
        return
    if phase == BUILD:
        service.last_build = deploy.source
    if deploy.started_at is None:
        deploy.started_at = now
    deploy.status = deploy.phases.pop(0)
    deploy.updated_at = now
    if deploy.status == UPDATE:
        _start_instances(world, service, deploy, now)
        return
    seconds = world.durations.build if deploy.status == BUILD else world.durations.pre_deploy
    entered = deploy.status
    world.after(seconds, now, lambda at: _phase_over(world, service, deploy, entered, at))


def _start_instances(world: World, service: Service, deploy: Deploy, now: int) -> None:
    deploy.snapshot = _settings(world, service, deploy)
    if "disk" in service.details:
        # A disk mounts once: stop, then start.
        service.instances.clear()
    for _ in range(service.desired_count):
        fleet.launch(world, service, deploy, deploy.snapshot, now, seconds=world.durations.update)
    # Behind the instances in the queue, so that at the same instant they are healthy first.
    if deploy.fails_at == UPDATE:
        world.after(world.durations.update, now, lambda at: _phase_over(world, service, deploy, UPDATE, at))
    elif service.command is None:
        world.after(world.durations.update, now, lambda at: settle(world, service, deploy, at))


def _settings(world: World, service: Service, deploy: Deploy) -> Snapshot:
    """What its instances run with: what is configured, but for what a rollback brings back."""
    configured, then, live = service.configured(), deploy.rollback_of, service.live_deploy
    if then is not None:
        return Snapshot(then.plan if world.spec.rollback_plan == "run" else configured.plan, then.env)
    if deploy.keeps_env and live is not None and live.snapshot is not None:
        return Snapshot(configured.plan, live.snapshot.env)
    return configured


def _go_live(world: World, service: Service, deploy: Deploy, now: int) -> None:
    for older in service.deploys:
        if older.status == "live":
            older.status, older.updated_at = "deactivated", now
    for instance in list(service.instances):
        if instance.deploy_id == deploy.id:
            fleet.serve(world, service, instance, now)
        elif instance.state == "serving":
            fleet.drain(world, service, instance, now)
        elif instance.state == "starting":
            fleet.drop(service, instance)
    if service.image_backed:
        service.last_build = deploy.source
    _end(world, service, deploy, "live", now, {"newDeploy": {"id": deploy.id}})
    world.record(service, "server_available", {}, now)
    fleet.fit(world, service, now)  # the count may have been changed while the instances started


def _end(world: World, service: Service, deploy: Deploy, status: str, now: int, reason: Json | None = None) -> None:
    deploy.status, deploy.updated_at, deploy.finished_at = status, now, now
    if status != "live":
        service.instances = [item for item in service.instances if item.deploy_id != deploy.id]
    outcome, number = _ENDED.get(status, ("failed", 3))
    details = {"deployId": deploy.id, "deployStatus": outcome, "status": number, "reason": reason or {}}
    world.record(service, "deploy_ended", details, now)
    waiting = service.waiting_deploy
    if waiting is not None and service.running_deploy is None and not service.suspended:
        _begin(world, service, waiting, now)


def _failure(world: World, phase: str) -> Json:
    if phase == BUILD:
        return {"buildFailed": {"id": world.new_id("bld")}}
    if phase == PRE_DEPLOY:
        return {"failure": {"evicted": False, "nonZeroExit": 1}}
    return {"failure": {"evicted": False, "unhealthy": "the health check did not pass in time"}}


def _trigger_details(order: Order) -> Json:
    trigger: Json = {
        "firstBuild": False,
        "envUpdated": order.env_updated,
        "manual": order.trigger in {"api", "manual"},
        "deployedByRender": False,
        "clearCache": order.clear_cache,
        "rollback": order.rollback_of is not None,
    }
    if order.rollback_of is not None:
        trigger["rollbackTargetDeployId"] = order.rollback_of.id
    if order.trigger == "new_commit" and order.source.commit is not None:
        trigger["newCommit"] = order.source.commit.id
    return trigger
