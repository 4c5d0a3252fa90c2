"""Rules of instances: starting, serving, draining, crashing, being counted."""

from render_client.sim.clock import timestamp
from render_client.sim.plans import MIB, PLANS
from render_client.sim.state import Deploy, Instance, Json, Refused, Service, Snapshot
from render_client.sim.world import World


def launch(world: World, service: Service, deploy: Deploy, snapshot: Snapshot, now: int, *, seconds: float) -> Instance:
    """Start one instance. A record is healthy after so many seconds; a process when it answers (`processes`)."""
    instance = Instance(world.new_instance_id(service), deploy.id, snapshot, created_at=now, start_at=now)
    service.instances.append(instance)
    if service.command is None:
        world.after(seconds, now, lambda at: became_healthy(world, service, instance, at))
    return instance


def became_healthy(world: World, service: Service, instance: Instance, now: int) -> None:
    """An instance answers its health check: it serves, unless its deploy has to switch all of its instances at once."""
    if instance not in service.instances or instance.healthy:
        return
    instance.healthy = True
    if service.deploy(instance.deploy_id).status != "update_in_progress":
        serve(world, service, instance, now)


def serve(world: World, service: Service, instance: Instance, now: int) -> None:
    """Give the instance its traffic; the one that it replaces begins to drain."""
    instance.state = "serving"
    for other in service.serving():
        if other.id == instance.replaces:
            drain(world, service, other, now)


def drain(world: World, service: Service, instance: Instance, now: int) -> None:
    """Take the traffic away at once, and the instance itself after the drain time."""
    instance.state = "draining"
    world.after(world.durations.drain, now, lambda _: drop(service, instance))


def drop(service: Service, instance: Instance) -> None:
    """The instance is gone; a process that belongs to it gets SIGTERM."""
    if instance in service.instances:
        service.instances.remove(instance)


def crashed(world: World, service: Service, instance: Instance, reason: Json, now: int) -> None:
    """An instance died by itself. Render restarts it; outside of a deploy nothing else changes."""
    drop(service, instance)
    if instance.state == "draining":
        return
    details = {"instanceID": instance.id, "reason": {"evicted": False, **reason}}
    world.record(service, "server_failed", details, now)
    replacement = launch(
        world,
        service,
        service.deploy(instance.deploy_id),
        instance.snapshot,
        now,
        seconds=world.durations.start,
    )
    replacement.replaces = instance.replaces
    replacement.start_at = now + round(world.durations.start * 1000)


def oom_killed(world: World, service: Service, now: int) -> Instance:
    """Kill the newest serving instance for using too much memory.

    Raises:
        Refused: 400, none is serving.
    """
    serving = service.serving()
    if not serving:
        raise Refused(400, f"{service.id} has no serving instance to kill")
    limit = PLANS[serving[-1].snapshot.plan].memory
    reason = {"oomKilled": {"memoryLimit": f"{limit // MIB}Mi"}}
    crashed(world, service, serving[-1], reason, now)
    serving[-1].state = "killed"
    return serving[-1]


def restart(world: World, service: Service, now: int) -> None:
    """Replace every instance by one with the same plan and env vars: a restart applies nothing that is configured."""
    deploy = service.live_deploy
    if service.suspended or deploy is None:
        raise Refused(400, "cannot restart a service that is not running")
    world.record(service, "server_restarted", {"triggeredByUser": None}, now)
    for old in service.serving():
        if "disk" in service.details:
            drop(service, old)
        new = launch(world, service, deploy, old.snapshot, now, seconds=world.durations.start)
        new.replaces = old.id


def scale(world: World, service: Service, count: int, now: int) -> None:
    """Set the number of instances by hand. Needs no deploy; without effect while autoscaling is enabled.

    Raises:
        Refused: 400, the service may not have that many.
    """
    if service.document["type"] in {"static_site", "cron_job"}:
        raise Refused(400, f"cannot scale a service of type {service.document['type']}")
    if count > 1 and "disk" in service.details:
        raise Refused(400, "cannot scale a service with a disk to more than one instance")
    if count > 1 and service.details["plan"] == "free":
        raise Refused(400, "cannot scale a free service to more than one instance")
    before = service.desired_count
    service.details["numInstances"] = count
    world.touch(service, now)
    resize(world, service, before, now)


def resize(world: World, service: Service, before: int, now: int) -> None:
    """Tell of a changed count and let as many run."""
    desired = service.desired_count
    if desired != before:
        world.record(service, "instance_count_changed", {"fromInstances": before, "toInstances": desired}, now)
        fit(world, service, now)


def fit(world: World, service: Service, now: int) -> None:
    """Start or drain instances until the desired count runs; new ones run what the live deploy runs."""
    deploy = service.live_deploy
    if service.suspended or deploy is None or deploy.snapshot is None:
        return
    desired = service.desired_count
    present = {item.id for item in service.instances}
    current = [
        item
        for item in service.instances
        if item.deploy_id == deploy.id and item.state != "draining" and item.replaces not in present
    ]
    for instance in reversed(current[desired:]):
        if instance.state == "serving":
            drain(world, service, instance, now)
        else:
            drop(service, instance)
    for _ in range(desired - len(current)):
        launch(world, service, deploy, deploy.snapshot, now, seconds=world.durations.start)


def public_instances(service: Service) -> list[Json]:
    """The body of the instances list: those that serve."""
    return [{"id": item.id, "createdAt": timestamp(item.created_at)} for item in service.serving()]
