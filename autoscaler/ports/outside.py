"""Render, the app and the clocks, as the engine sees them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from autoscaler.core.change import DeploySeen
from autoscaler.core.observations import Missed
from autoscaler.core.policy import Health
from autoscaler.core.samples import STEP, Sample


class Clock(Protocol):
    """Both clocks; tests turn them by hand."""

    def now(self) -> int:
        """Wall clock, ms UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...


class HealthPort(Protocol):
    """The app's scaling health endpoint."""

    async def fetch(self, health: Health) -> "Report | Missed":
        """One poll. Never raises for what an endpoint may do: that is a Missed with its reason."""
        ...


@dataclass(frozen=True, slots=True)
class Report:
    """One answer of the endpoint: JSON, as it came."""

    at: int
    """When we asked, ms UTC."""
    took: float
    """Seconds until the whole body was there."""
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ServiceSeen:
    """One service as Render configures it."""

    id: str
    name: str
    plan: str
    instances: int
    suspended: bool
    has_disk: bool
    render_autoscaling: bool
    url: str | None = None
    """Where it answers on the internet, if it does."""
    maintenance: bool = False
    """Visitors get a page that says so."""
    image_backed: bool = False
    """It deploys a ready image instead of building a commit."""
    pre_deploy: str = ""
    """The command that runs before every deploy; empty without one."""
    updated_at: int = 0
    """When anything of its configuration last changed, ms UTC by Render's clock."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An instance that failed by itself, as Render's events tell."""

    id: str
    """Render's id of the event."""
    at: int
    out_of_memory: bool


@dataclass(frozen=True, slots=True)
class PlanSet:
    """That a plan was set, as Render's events tell, by whomever; it runs after the next deploy."""

    at: int
    before: str
    """The plan until then."""


class RenderPort(Protocol):
    """Render. Raises errors.RefusedError and errors.UnavailableError only."""

    async def find_service(self, *, id: str | None, name: str | None) -> ServiceSeen:  # noqa: A002 - Render's word
        """By id, or by a name that exactly one service has. Raises RefusedError when there is none, or more than one."""
        ...

    async def env(self, service_id: str, names: Sequence[str]) -> Mapping[str, str]:
        """The values of these variables; those not set are absent."""
        ...

    async def deploys(self, service_id: str) -> tuple[DeploySeen, ...]:
        """The latest twenty, newest first."""
        ...

    async def failures(self, service_id: str, since: int) -> tuple[Failure, ...]:
        """Instances that failed since then, in any order."""
        ...

    async def plans_set(self, service_id: str, since: int) -> tuple[PlanSet, ...]:
        """Since then, oldest first."""
        ...

    async def samples(
        self, service_ids: Sequence[str], start: int, end: int, *, step: int = STEP, latency: Sequence[str] = ()
    ) -> Mapping[str, tuple[Sample, ...]]:
        """What Render measured of these services from `start` to `end` (ms), by service, oldest first; few calls for many.

        `step`: what one sample stands for, ms. `latency`: the percentiles to ask for, by the metric's name.
        """
        ...

    async def set_plan(self, service_id: str, plan: str) -> None:
        """Recorded at once; runs after the next deploy."""
        ...

    async def set_env(self, service_id: str, name: str, value: str) -> None:
        """One variable; the others stay as they are."""
        ...

    async def set_instances(self, service_id: str, count: int) -> None:
        """Takes effect without a deploy."""
        ...

    async def deploy(self, service_id: str, commit: str | None = None) -> str | None:
        """Ask for one `deploy_only` deploy, or for a build of that commit; its id, or None when Render queued it without telling."""
        ...

    async def cancel(self, service_id: str, deploy_id: str) -> None:
        """End a deploy that is under way; that it has ended already is no failure."""
        ...


class Tenure(Protocol):
    """For how long this worker alone may act on a service."""

    def left(self, service_id: str) -> float:
        """Seconds; infinite where there is one worker only, 0 where another one acts."""
        ...
