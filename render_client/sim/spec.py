"""A world as its author writes it: frozen values, checked when they are made.

`World` (world.py) is built from a `WorldSpec` and then lives on; a spec never changes. All durations are in seconds.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, field_validator, model_validator

from render_client.sim.plans import PLANS, Spelling

ServiceType = Literal["web_service", "private_service", "background_worker", "cron_job", "static_site"]
Suspender = Literal["admin", "billing", "user", "parent_service", "stuck_crashlooping", "hipaa_enablement", "unknown"]


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Durations(_Spec):
    """How long each phase takes, in seconds.

    `start` is a new instance outside a deploy (scale, restart, after a crash). `drain` is how long an old instance
    lives on after the traffic has left it (60 s on Render). A service with a `command` takes as long as its process
    really needs to answer, at most `health_timeout` (15 min on Render), instead of `update` and `start`.
    """

    created: NonNegativeFloat = 0
    build: NonNegativeFloat = 20
    pre_deploy: NonNegativeFloat = 5
    update: NonNegativeFloat = 10
    start: NonNegativeFloat = 5
    drain: NonNegativeFloat = 60
    health_timeout: PositiveFloat = 900


class Limits(_Spec):
    """The rate limits: `scale` multiplies all, `writes` is the limit a minute for writes that are not per service."""

    enabled: bool = True
    scale: PositiveFloat = 1
    writes: Literal[30, 100] = 30  # 30 is documented, 100 was recorded

    @field_validator("writes", mode="before")
    @classmethod
    def _number(cls, value: object) -> object:
        return int(value) if isinstance(value, str) and value.isdecimal() else value


class Owner(_Spec):
    """The workspace that everything belongs to."""

    id: str = "tea-cukr0123456789owner0"
    name: str = "HolisticOS"
    email: str = "team@holisticos.example"
    type: Literal["user", "team"] = "team"


class Disk(_Spec):
    """A persistent disk: the service has one instance and is stopped before the new one starts."""

    name: str = "data"
    mount_path: str = "/var/data"
    size_gb: Annotated[int, Field(ge=1)] = 1


class ServiceSpec(_Spec):
    """One service.

    `command` makes the simulator really run it, one process per instance, in `cwd`; a first word of `python` means the
    Python that runs the simulator. Without it instances are records only, and `url` says where a fake app answers.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    id: Annotated[str | None, Field(pattern=r"^(srv|crn)-[0-9a-z]{20}$")] = None
    type: ServiceType = "web_service"
    plan: str = "starter"
    instances: Annotated[int, Field(ge=1, le=100)] = 1
    env: dict[str, str] = {}
    region: str = "oregon"
    runtime: str = "python"
    image: str | None = None
    repo: str = "https://github.com/holisticos/api"
    branch: str = "main"
    auto_deploy: bool = True
    health_check_path: str = ""
    pre_deploy_command: str = ""
    max_shutdown_delay: Annotated[int, Field(ge=1, le=300)] = 30
    disk: Disk | None = None
    suspenders: tuple[Suspender, ...] = ()
    parent_server: str | None = None
    url: str | None = None
    command: tuple[str, ...] | None = None
    cwd: Path | None = None

    @field_validator("plan")
    @classmethod
    def _known_plan(cls, plan: str) -> str:
        if plan not in PLANS:
            raise ValueError(f"unknown plan {plan!r}; known: {', '.join(PLANS)}")
        return plan

    @model_validator(mode="after")
    def _consistent(self) -> "ServiceSpec":
        if self.disk and self.instances > 1:
            raise ValueError("a service with a disk has one instance")
        if self.command == ():
            raise ValueError("command is empty; leave it out for a service without a process")
        if self.command and self.url:
            raise ValueError("url is the simulator's own proxy when there is a command; leave one of the two out")
        return self


class BlueprintSpec(_Spec):
    """A Blueprint of the workspace and the names of the services that it manages."""

    name: str
    auto_sync: bool = True
    path: str = "render.yaml"
    services: tuple[str, ...] = ()


class WorldSpec(_Spec):
    """Everything the simulator starts with.

    What nobody outside of Render knows for sure can be either way, so that a client is tried under each:

    * `overlap`: what a deploy does to one that is under way: *override* it, or *wait*.
    * `deploy_only_build`: which build `deploy_only` ships: the *newest* that succeeded, or that of the *live* deploy.
    * `deploy_only_env`: whether it brings the env vars that are configured, or leaves those of the live deploy.
    * `deploy_only_images`: whether it is taken for a service with a ready image, or refused with a 400.
    * `deploy_only_pre_deploy`: whether a deploy that builds nothing runs the pre-deploy command.
    * `plan_spelling`: how a plan with two names is told: *as_set*, or always by its *canonical* name (`standard`), or
      always by its *compute* name (`1c-2g`).
    * `env_touches`: whether a write of env vars moves the service's `updatedAt`.
    * `resume_deploys`: whether a resume starts a deploy.
    * `rollback_plan`: what becomes of the plan of then: *kept*, what is configured runs; *run*, its instances run on it,
      as with the env vars, whatever is configured; *set*, it is configured again.
    * `memory_unit`: of the metrics, *bytes* or *GB*; both have been seen.

    `list_lag`: seconds until a new deploy is in the list. `metrics_lag`: seconds until what happened is in the metrics.
    `deploy_nulls`: whether what a deploy has not is sent as null, as Render does; its own SDK cannot read that.
    """

    api_key: str = "rnd_local_simulator"
    owner: Owner = Owner()
    overlap: Literal["override", "wait"] = "override"
    deploy_only_build: Literal["newest", "live"] = "newest"
    deploy_only_env: bool = True
    deploy_only_images: bool = True
    deploy_only_pre_deploy: bool = True
    plan_spelling: Spelling = "as_set"
    env_touches: bool = True
    resume_deploys: bool = True
    rollback_plan: Literal["kept", "run", "set"] = "kept"
    memory_unit: Literal["bytes", "GB"] = "bytes"
    list_lag: NonNegativeFloat = 0
    metrics_lag: NonNegativeFloat = 0
    deploy_nulls: bool = True
    durations: Durations = Durations()
    limits: Limits = Limits()
    services: tuple[ServiceSpec, ...] = ()
    blueprints: tuple[BlueprintSpec, ...] = ()

    @model_validator(mode="after")
    def _unique(self) -> "WorldSpec":
        names = [service.name for service in self.services]
        ids = [service.id for service in self.services if service.id]
        for values, what in ((names, "name"), (ids, "id")):
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"two services share the {what} {', '.join(twice)}")
        return self


MVP_ENV = {
    "REQUEST_CACHE_TTL": "600",
    "MAX_CONCURRENT": "8",
    "DB_POOL_SIZE": "3",
    "MAX_CACHE_ENTRIES": "100",
    "CLEANUP_INTERVAL": "300",
    "RESPONSE_TIME_WARNING": "5.0",
    "MEMORY_WARNING_MB": "350",
}


def default_world() -> WorldSpec:
    """The HolisticOS API before its first scaling: one web service on `starter` with the MVP env vars of its plan."""
    service = ServiceSpec(
        name="holisticos-api",
        id="srv-cukr0123456789abcdef",
        env=dict(MVP_ENV),
        health_check_path="/api/health",
    )
    return WorldSpec(services=(service,))
