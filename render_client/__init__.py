"""An async, typed client of Render's public API.

    async with RenderClient(api_key) as render:
        service = await render.retrieve_service("srv-cukr0123456789abcdef")
        await render.update_service(service.id, plan="standard")
        await render.create_deploy(service.id)  # the new plan runs only after a deploy

Every call may raise one of:

    RenderError
     ├─ BadKeyError          401, or a key that cannot be one: make another
     ├─ ForbiddenError       403: the key's owner may not do this
     ├─ NotFoundError        404: no such service, deploy, variable
     ├─ GoneError            410: deleted, stop looking after it
     ├─ ConflictError        409: not in the present state; look again, then decide
     ├─ PaymentNeededError   402: a person has to add a means of payment
     ├─ RateLimitedError     429: again after ``retry_after`` seconds
     ├─ RefusedInputError    400, 406 and other 4xx: the request itself is wrong
     └─ RenderDownError      5xx, timeout, no connection, unreadable answer, redirect: again later

``request_may_have_acted`` on an error says whether a write may have come through without a confirmation.
"""

from render_client.client import RENDER_URL, DeployMode, RenderClient
from render_client.errors import (
    BadKeyError,
    ConflictError,
    ForbiddenError,
    GoneError,
    NotFoundError,
    PaymentNeededError,
    RateLimitedError,
    RefusedInputError,
    RenderDownError,
    RenderError,
)
from render_client.models import (
    Autoscaling,
    AutoscalingCriteria,
    AutoscalingTarget,
    Blueprint,
    Commit,
    Deploy,
    Disk,
    EnvVar,
    Event,
    EventDetails,
    Image,
    Instance,
    MaintenanceMode,
    Owner,
    ParentServer,
    Service,
    ServiceDetails,
)
from render_client.series import Label, Point, TimeSeries

__all__ = [
    "RENDER_URL",
    "Autoscaling",
    "AutoscalingCriteria",
    "AutoscalingTarget",
    "BadKeyError",
    "Blueprint",
    "Commit",
    "ConflictError",
    "Deploy",
    "DeployMode",
    "Disk",
    "EnvVar",
    "Event",
    "EventDetails",
    "ForbiddenError",
    "GoneError",
    "Image",
    "Instance",
    "Label",
    "MaintenanceMode",
    "NotFoundError",
    "Owner",
    "ParentServer",
    "PaymentNeededError",
    "Point",
    "RateLimitedError",
    "RefusedInputError",
    "RenderClient",
    "RenderDownError",
    "RenderError",
    "Service",
    "ServiceDetails",
    "TimeSeries",
]
