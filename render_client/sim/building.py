"""From a spec to a living world: every service starts with one live deploy, a day old, of its first commit."""

from render_client.sim import documents, fleet
from render_client.sim.spec import BlueprintSpec, ServiceSpec, WorldSpec
from render_client.sim.state import Commit, Deploy, EnvVar, Json, Service, Source
from render_client.sim.world import World

_DAY = 24 * 3600 * 1000


def build_world(spec: WorldSpec, now: int) -> World:
    """The world of a spec as it is at the start."""
    world = World(spec)
    for service in spec.services:
        _add_from_spec(world, service, now)
    for blueprint in spec.blueprints:
        _add_blueprint(world, blueprint)
    return world


def add_service(world: World, service: Service, env: dict[str, str], now: int) -> Service:
    """Add a service whose document is complete, together with its env vars and its first deploy, which is live."""
    world.services[service.id] = service
    for key, value in env.items():
        service.env[key] = EnvVar(world.next_sequence(), key, value)
    service.commits.append(Commit(world.new_commit_id(), "First release", now - _DAY))
    image = service.document.get("imagePath")
    service.last_build = Source(None if image else service.commits[0], image)
    deploy = Deploy(
        sequence=world.next_sequence(),
        id=world.new_id("dep"),
        trigger="new_commit",
        trigger_details={},
        source=service.last_build,
        created_at=now - _DAY,
        updated_at=now - _DAY,
        phases=[],
        status="live",
        started_at=now - _DAY,
        finished_at=now - _DAY,
        snapshot=service.configured(),
    )
    service.deploys.append(deploy)
    if not service.suspended:
        for _ in range(service.desired_count):
            started = now if service.command else now - _DAY
            instance = fleet.launch(world, service, deploy, service.configured(), started, seconds=0)
            if service.command is None:
                fleet.became_healthy(world, service, instance, now)
    return service


def _add_from_spec(world: World, spec: ServiceSpec, now: int) -> None:
    prefix = "crn" if spec.type == "cron_job" else "srv"
    service_id = spec.id or world.new_id(prefix)
    service = Service(
        sequence=world.next_sequence(),
        document=documents.new_service(spec, world.spec, service_id, now - _DAY),
        command=spec.command,
        cwd=spec.cwd,
    )
    add_service(world, service, spec.env, now)


def _add_blueprint(world: World, spec: BlueprintSpec) -> None:
    resources: list[Json] = []
    for name in spec.services:
        service = world.named(name)
        resources.append({"id": service.id, "name": name, "type": service.document["type"]})
    body = documents.blueprint_body(spec, world.new_id("exs"), resources)
    world.blueprints.append((world.next_sequence(), body))
