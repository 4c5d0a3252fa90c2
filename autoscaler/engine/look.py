"""What a step is chosen from: Render as it is configured, its deploys, and what the app last said."""

from dataclasses import replace

from autoscaler.core.change import Change, State, World
from autoscaler.core.durations import HOUR
from autoscaler.core.strain import strain
from autoscaler.engine.managed import Managed
from autoscaler.ports import RenderPort

NOWHERE = World(plan="", instances=0, env={}, deploys=())


async def look(render: RenderPort, change: Change, managed: Managed | None, now: int) -> World:
    """The world of a change; without a policy nobody asks the app. Raises UnavailableError and RefusedError.

    A change that is only watched is judged by what is seen anyway; Render is asked only for what fails.
    """
    if change.state is State.WATCHING:
        runs = managed is not None and managed.state.tier == change.target.tier
        watched = await _with_crashes(render, NOWHERE, change, now - HOUR) if runs else NOWHERE
        return _with_app(watched, change, managed, now)
    service = await render.find_service(id=change.service_id, name=None)
    world = World(
        plan=service.plan,
        instances=service.instances,
        env=await render.env(change.service_id, sorted(change.target.env)),
        deploys=await render.deploys(change.service_id),
        suspended=service.suspended,
        render_autoscaling=service.render_autoscaling,
        has_disk=service.has_disk,
        image_backed=service.image_backed,
    )
    if change.state is State.SOAKING:
        world = await _with_crashes(render, world, change, 0)
    return _with_app(world, change, managed, now)


async def _with_crashes(render: RenderPort, world: World, change: Change, since: int) -> World:
    if change.live_at is None or change.crashes_told:
        return world
    begun = max(since, change.live_at)
    failures = await render.failures(change.service_id, begun)
    return replace(world, crashes=tuple(sorted(one.at for one in failures if one.at >= begun)))


def _with_app(world: World, change: Change, managed: Managed | None, now: int) -> World:
    if managed is None:
        return world
    state, live_at = managed.state, change.live_at
    reading, served = state.reading, None
    if state.tier != change.target.tier:
        served = 0.0  # what another tier served proves nothing of this one
    elif reading is not None and live_at is not None and reading.at >= live_at:
        served = state.instances.served(reading, live_at)
    return replace(
        world,
        app=managed.app_seen(),
        silence=managed.silence,
        strain="" if live_at is None else strain(state, change.target.tier, live_at, now),
        few_requests=served if served is not None and served < managed.policy.evidence.min_requests else None,
    )
