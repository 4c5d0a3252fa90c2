"""Rules of suspending and resuming a service."""

from render_client.sim import fleet, lifecycle
from render_client.sim.lifecycle import Order
from render_client.sim.state import Refused, Service
from render_client.sim.world import World


def suspend(world: World, service: Service, now: int, suspender: str = "user") -> None:
    """End the deploys and all instances; suspending twice changes nothing."""
    if suspender in service.document["suspenders"]:
        return
    service.document["suspenders"].append(suspender)
    service.document["suspended"] = "suspended"
    lifecycle.cancel_all(world, service, now)
    service.instances.clear()
    world.touch(service, now)
    world.record(service, "service_suspended", {}, now)


def resume(world: World, service: Service, now: int) -> None:
    """Take back a user's suspension; with the option `resume_deploys` that starts a deploy.

    Raises:
        Refused: 400, somebody else suspended it (message as seen in the field).
    """
    suspenders: list[str] = service.document["suspenders"]
    if not suspenders:
        return
    if suspenders != ["user"]:
        raise Refused(400, "only services suspended by a user can be resumed")
    suspenders.clear()
    service.document["suspended"] = "not_suspended"
    world.touch(service, now)
    world.record(service, "service_resumed", {}, now)
    live = service.live_deploy
    if not world.spec.resume_deploys:
        fleet.fit(world, service, now)
    elif live is not None:
        lifecycle.request_deploy(world, service, Order("service_resumed", live.source, build=False), now)
