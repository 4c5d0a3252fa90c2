"""What a step is chosen from: Render as it is configured, its deploys, and what the app last said."""

from autoscaler.core.change import Change, World
from autoscaler.engine.managed import Managed
from autoscaler.ports import RenderPort


async def look(render: RenderPort, change: Change, managed: Managed | None) -> World:
    """The world of a change; without a policy nobody asks the app. Raises UnavailableError and RefusedError."""
    service = await render.find_service(id=change.service_id, name=None)
    return World(
        plan=service.plan,
        instances=service.instances,
        env=await render.env(change.service_id, sorted(change.target.env)),
        deploys=await render.deploys(change.service_id),
        suspended=service.suspended,
        render_autoscaling=service.render_autoscaling,
        has_disk=service.has_disk,
        image_backed=service.image_backed,
        app=managed.app_seen() if managed else None,
        silence=managed.silence if managed else None,
    )
