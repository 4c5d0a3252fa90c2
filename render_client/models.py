"""Render's objects as frozen values.

Render adds fields, plans, statuses and event types without notice. Unknown fields are therefore kept (under
``model_extra``), every enumeration is an open ``str``, and only the identity of a thing is required.
Attribute names are Render's in snake case. ``model_dump(mode="json", by_alias=True, exclude_unset=True)`` gives
back what was received.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

TERMINAL_DEPLOY_STATUSES: Final = frozenset(
    {"live", "deactivated", "build_failed", "pre_deploy_failed", "update_failed", "canceled"}
)
FAILED_DEPLOY_STATUSES: Final = frozenset({"build_failed", "pre_deploy_failed", "update_failed"})


def _in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _tuple_for_null(value: object) -> object:
    return () if value is None else value  # an empty list in Go may be encoded as null


Timestamp = Annotated[datetime, AfterValidator(_in_utc)]
"""Always aware of its zone; Render sends UTC."""
Strings = Annotated[tuple[str, ...], BeforeValidator(_tuple_for_null)]


class RenderModel(BaseModel):
    """Base of every object: frozen, camel case outside, unknown fields kept."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="allow",
        frozen=True,
        hide_input_in_errors=True,  # the input may be a secret
    )


class Owner(RenderModel):
    """A workspace: of one user or of a team."""

    id: str
    name: str = ""
    email: str = ""
    type: str = ""  # user, team


class Disk(RenderModel):
    """A persistent disk. A service that has one runs one instance and is down while it is deployed."""

    id: str | None = None
    name: str | None = None
    size_gb: int | None = Field(default=None, alias="sizeGB")
    mount_path: str | None = None


class AutoscalingTarget(RenderModel):
    """One criterion of Render's own autoscaling; ``percentage`` is the utilisation aimed at.

    Render takes 1 to 90, also for a criterion that is switched off; 0 is what was never said.
    """

    enabled: bool = False
    percentage: int = 0


class AutoscalingCriteria(RenderModel):
    """What Render's own autoscaling looks at."""

    cpu: AutoscalingTarget = AutoscalingTarget()
    memory: AutoscalingTarget = AutoscalingTarget()


class Autoscaling(RenderModel):
    """Render's own autoscaling of the number of instances."""

    enabled: bool = False
    min: int = 1
    max: int = 1
    criteria: AutoscalingCriteria = AutoscalingCriteria()


class MaintenanceMode(RenderModel):
    """While enabled, visitors get a page that says so."""

    enabled: bool = False
    uri: str = ""


class ParentServer(RenderModel):
    """The service whose pull request a preview shows."""

    id: str = ""
    name: str = ""


class ServiceDetails(RenderModel):
    """What depends on the type of the service; a static site has no plan, a cron job no instances.

    ``plan`` is the *configured* plan: it runs only after the next successful deploy.
    ``num_instances`` is the *manual* setting: under autoscaling the running number is another.
    """

    plan: str | None = None
    num_instances: int | None = None
    autoscaling: Autoscaling | None = None
    disk: Disk | None = None
    region: str | None = None
    runtime: str | None = None
    build_plan: str | None = None
    max_shutdown_delay_seconds: int | None = None
    health_check_path: str | None = None
    url: str | None = None
    maintenance_mode: MaintenanceMode | None = None
    parent_server: ParentServer | None = None


class Service(RenderModel):
    """A web service, private service, background worker, cron job or static site."""

    id: str
    name: str = ""
    type: str = ""
    slug: str | None = None
    owner_id: str | None = None
    environment_id: str | None = None
    dashboard_url: str | None = None
    repo: str | None = None
    branch: str | None = None
    image_path: str | None = None
    auto_deploy: str | None = None
    auto_deploy_trigger: str | None = None
    suspended: str | None = None
    suspenders: Strings = ()
    created_at: Timestamp | None = None
    updated_at: Timestamp | None = None
    service_details: ServiceDetails = ServiceDetails()

    @property
    def is_suspended(self) -> bool:
        """Whether somebody, or Render, has stopped the service; ``suspenders`` says who."""
        return self.suspended == "suspended"

    @property
    def is_preview(self) -> bool:
        """Whether the service is the preview of a pull request, and so not to be managed."""
        return self.service_details.parent_server is not None

    @property
    def is_image_backed(self) -> bool:
        """Whether the service runs a prebuilt image instead of building a repository."""
        return bool(self.image_path)

    @property
    def is_autoscaled(self) -> bool:
        """Whether Render itself sets the number of instances."""
        autoscaling = self.service_details.autoscaling
        return autoscaling is not None and autoscaling.enabled


class Commit(RenderModel):
    """The commit that a deploy was built from."""

    id: str | None = None
    message: str | None = None
    created_at: Timestamp | None = None


class Image(RenderModel):
    """The prebuilt image that a deploy runs."""

    ref: str | None = None
    sha: str | None = None


class Deploy(RenderModel):
    """One deploy. ``commit`` is None for images, ``finished_at`` while it runs, ``started_at`` until it starts."""

    id: str
    status: str = ""
    trigger: str | None = None
    commit: Commit | None = None
    image: Image | None = None
    created_at: Timestamp | None = None
    updated_at: Timestamp | None = None
    started_at: Timestamp | None = None
    finished_at: Timestamp | None = None

    @property
    def is_terminal(self) -> bool:
        """Whether the deploy has come to its end, good or bad. A status that is not known has not."""
        return self.status in TERMINAL_DEPLOY_STATUSES

    @property
    def is_live(self) -> bool:
        """Whether this deploy is the one that serves now."""
        return self.status == "live"

    @property
    def has_failed(self) -> bool:
        """Whether the build, the pre-deploy command or the update failed; the deploy before it keeps running."""
        return self.status in FAILED_DEPLOY_STATUSES

    @property
    def is_canceled(self) -> bool:
        """Whether somebody, or a newer deploy, cut this one short."""
        return self.status == "canceled"

    @property
    def commit_id(self) -> str | None:
        """The commit's hash, or None for an image."""
        return self.commit.id if self.commit else None


class EnvVar(RenderModel):
    """One environment variable of a service. Its value never shows in a repr."""

    key: str
    value: str = Field(repr=False)

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        yield "key", self.key  # neither the value nor a field that Render may add beside it


class Instance(RenderModel):
    """One running instance."""

    id: str
    created_at: Timestamp | None = None


class EventDetails(RenderModel):
    """What an event tells; which fields are there depends on its type, and the rest is in ``model_extra``."""

    deploy_id: str | None = None
    deploy_status: str | None = None
    from_plan: str | None = Field(default=None, alias="from")
    to_plan: str | None = Field(default=None, alias="to")
    from_instances: int | None = None
    to_instances: int | None = None
    instance_id: str | None = Field(default=None, alias="instanceID")
    reason: dict[str, Any] | None = None
    trigger: dict[str, Any] | str | None = None


class Event(RenderModel):
    """Something that happened to a service."""

    id: str
    type: str = ""
    timestamp: Timestamp | None = None
    service_id: str | None = None
    details: EventDetails = EventDetails()

    @property
    def is_oom_kill(self) -> bool:
        """Whether an instance, or a deploy, was killed for want of memory."""
        reason = self.details.reason or {}
        failure = reason.get("failure")
        inner = failure if isinstance(failure, dict) else {}
        return reason.get("oomKilled") is not None or inner.get("oomKilled") is not None


class Blueprint(RenderModel):
    """A render.yaml that Render keeps services in line with."""

    id: str
    name: str = ""
    status: str = ""
    auto_sync: bool | None = None
    repo: str | None = None
    branch: str | None = None
    path: str | None = None
    last_sync: Timestamp | None = None
