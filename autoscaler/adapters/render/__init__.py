"""Render, through `render_client`: the only door to it."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import render_client
from autoscaler.adapters.render import measuring
from autoscaler.core.change import DeploySeen
from autoscaler.core.samples import STEP, Sample
from autoscaler.errors import BadRequestError, BusyError, GoneError, KeyRefusedError, RefusedError, UnavailableError
from autoscaler.ports import Failure, PlanSet, ServiceSeen, Workspace
from render_client import (
    BadKeyError,
    ConflictError,
    NotFoundError,
    RateLimitedError,
    RefusedInputError,
    RenderClient,
    RenderDownError,
    RenderError,
)
from render_client.models import Deploy, Event, Service

log = logging.getLogger(__name__)


class RenderAdapter:
    """ports.RenderPort over one RenderClient."""

    def __init__(self, client: RenderClient) -> None:
        self._client = client

    async def close(self) -> None:
        """Close the client's connections."""
        await self._client.aclose()

    async def check_key(self) -> str:
        """Who the key belongs to, for people. Raises RefusedError for a key that Render does not take."""
        return ", ".join(one.name for one in await self.workspaces()) or "no workspace"

    async def workspaces(self) -> tuple[Workspace, ...]:
        """Those that the key can see. Raises RefusedError for a key that Render does not take."""
        with _translated():
            owners = await self._client.list_owners()
        return tuple(Workspace(owner.name or owner.id, is_personal=owner.type == "user") for owner in owners)

    @property
    def clock_ahead(self) -> float | None:
        """Seconds by which our clock is ahead of Render's, as its last answer tells; None before one."""
        return self._client.clock_ahead

    async def find_service(self, *, id: str | None, name: str | None) -> ServiceSeen:  # noqa: A002 - Render's word
        """By id, or by a name that exactly one service has."""
        with _translated():
            if id is not None:
                return _seen(await self._client.retrieve_service(id))
            found = [one for one in await self._client.list_services(name=[name or ""]) if one.name == name]
        if len(found) == 1:
            return _seen(found[0])
        if not found:
            raise RefusedError(
                f"No service is called '{name}' where this key can see: check 'service: name:', or write its id."
            )
        ids = ", ".join(one.id for one in found)
        raise RefusedError(
            f"{len(found)} services are called '{name}' ({ids}): write 'service: id:' instead of the name."
        )

    async def env(self, service_id: str, names: Sequence[str]) -> Mapping[str, str]:
        """The values of these variables; those not set are absent."""
        with _translated():
            every = await self._client.get_env_vars_for_service(service_id)
        wanted = set(names)
        return {one.key: one.value for one in every if one.key in wanted}

    async def deploys(self, service_id: str) -> tuple[DeploySeen, ...]:
        """The latest twenty, newest first."""
        with _translated():
            return tuple(_deploy(one) for one in await self._client.list_deploys(service_id, limit=20))

    async def failures(self, service_id: str, since: int) -> tuple[Failure, ...]:
        """Instances that failed since then."""
        start = datetime.fromtimestamp(since / 1000, UTC)
        with _translated():
            events = await self._client.list_events(service_id, start_time=start, event_type="server_failed")
        return tuple(_failure(event) for event in events if event.timestamp is not None)

    async def plans_set(self, service_id: str, since: int) -> tuple[PlanSet, ...]:
        """Since then, oldest first."""
        start = datetime.fromtimestamp(since / 1000, UTC)
        with _translated():
            events = await self._client.list_events(service_id, start_time=start, event_type="plan_changed")
        told = [
            PlanSet(_milliseconds(event.timestamp) or 0, event.details.from_plan)
            for event in events
            if event.timestamp is not None and event.details.from_plan
        ]
        return tuple(sorted(told, key=lambda one: one.at))

    async def samples(
        self, service_ids: Sequence[str], start: int, end: int, *, step: int = STEP, latency: Sequence[str] = ()
    ) -> Mapping[str, tuple[Sample, ...]]:
        """What Render measured of these services."""
        with _translated():
            return await measuring.samples(self._client, service_ids, start, end, step, latency)

    async def set_plan(self, service_id: str, plan: str) -> None:
        """Recorded at once; runs after the next deploy."""
        with _translated():
            await self._client.update_service(service_id, plan=plan)

    async def set_env(self, service_id: str, name: str, value: str) -> None:
        """One variable; the others stay as they are."""
        with _translated():
            await self._client.update_env_var(service_id, name, value)

    async def set_instances(self, service_id: str, count: int) -> None:
        """Takes effect without a deploy."""
        with _translated():
            await self._client.scale_service(service_id, count)

    async def deploy(self, service_id: str, commit: str | None = None) -> str | None:
        """Ask for one `deploy_only` deploy, or for a build of that commit."""
        with _translated():
            if commit is None:
                deploy = await self._client.create_deploy(service_id, deploy_mode="deploy_only")
            else:
                deploy = await self._client.create_deploy(service_id, deploy_mode="build_and_deploy", commit_id=commit)
        return deploy.id if deploy else None

    async def cancel(self, service_id: str, deploy_id: str) -> None:
        """End a deploy that is under way."""
        with _translated():
            try:
                await self._client.cancel_deploy(service_id, deploy_id)
            except RefusedInputError:
                log.info("deploy %s of %s has ended already", deploy_id, service_id)


@contextmanager
def _translated() -> Iterator[None]:
    """Render's errors, in the two words that the engine knows."""
    try:
        yield
    except ConflictError as error:
        raise BusyError(str(error), may_have_acted=error.request_may_have_acted) from error
    except (RenderDownError, RateLimitedError) as error:
        raise UnavailableError(
            str(error), may_have_acted=error.request_may_have_acted, retry_after=error.retry_after
        ) from error
    except BadKeyError as error:
        raise KeyRefusedError(str(error)) from error
    except (NotFoundError, render_client.GoneError) as error:
        raise GoneError(str(error), may_have_acted=error.request_may_have_acted) from error
    except RefusedInputError as error:
        raise BadRequestError(str(error), may_have_acted=error.request_may_have_acted) from error
    except RenderError as error:
        raise RefusedError(str(error), may_have_acted=error.request_may_have_acted) from error


def _seen(service: Service) -> ServiceSeen:
    details = service.service_details
    name, kind = service.name or service.id, service.type or "service"
    if details.plan is None or kind == "cron_job":
        raise RefusedError(f"{name} is a {kind}: only a service that runs all the time has a plan to scale.")
    if details.parent_server is not None:
        raise RefusedError(f"{name} is a preview of a pull request: name the service itself in the policy.")
    return ServiceSeen(
        id=service.id,
        name=name,
        plan=details.plan,
        instances=details.num_instances or 1,
        suspended=service.is_suspended,
        has_disk=details.disk is not None,
        render_autoscaling=bool(details.autoscaling and details.autoscaling.enabled),
        maintenance=bool(details.maintenance_mode and details.maintenance_mode.enabled),
        url=details.url,
        image_backed=service.is_image_backed,
        pre_deploy=_pre_deploy(service),
        updated_at=_milliseconds(service.updated_at) or 0,
    )


def _pre_deploy(service: Service) -> str:
    """Among the fields that depend on the runtime, which the client keeps as they come."""
    specific = (service.service_details.model_extra or {}).get("envSpecificDetails")
    command = specific.get("preDeployCommand") if isinstance(specific, dict) else None
    return command if isinstance(command, str) else ""


def _deploy(deploy: Deploy) -> DeploySeen:
    return DeploySeen(
        id=deploy.id,
        status=deploy.status,
        trigger=deploy.trigger or "",
        created_at=_milliseconds(deploy.created_at) or 0,
        commit=deploy.commit.id if deploy.commit else None,
        finished_at=_milliseconds(deploy.finished_at),
    )


def _failure(event: Event) -> Failure:
    reason = event.details.reason or {}
    return Failure(event.id, _milliseconds(event.timestamp) or 0, out_of_memory=bool(reason.get("oomKilled")))


def _milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)
