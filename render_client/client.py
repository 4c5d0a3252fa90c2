"""RenderClient: one method for each operation of Render's public API that a bot needs.

The names are the operation ids of Render's OpenAPI document in snake case. The call that replaces *all* environment
variables at once is left out on purpose: it loses what somebody else wrote in between.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from render_client.models import Autoscaling, Blueprint, Deploy, EnvVar, Event, Instance, Owner, Service
from render_client.pages import collect
from render_client.replies import Call, ModelT, entries, parsed
from render_client.series import MetricsApi, rfc3339
from render_client.transport import Transport

RENDER_URL = "https://api.render.com/v1"

DeployMode = Literal["deploy_only", "build_and_deploy"]


class RenderClient(MetricsApi):
    """Render's API for one API key, over one reused connection pool; an async context manager.

    Every method raises a :class:`~render_client.errors.RenderError` of the kind that says what to do about it, and
    ValueError for an argument that cannot be put into a URL. Reads and idempotent writes are tried up to four times.

    Args:
        api_key: as made in the dashboard under Account Settings, API Keys; it acts as the user who made it.
        base_url: Render's, or that of a simulator.
        timeout: seconds that one try of a call may take, from the connection to the last byte.
        patience: seconds after which no further try or wait of a call begins; a longer wait is raised instead.
        write_patience: the same for calls that change something; 0 sends them at once and once, or not at all.
        transport: an httpx transport in place of the network.
        user_agent: how the program names itself to Render.
        clock: monotonic seconds; a fake in tests.
        sleep: waits that many seconds; a fake in tests.

    Raises:
        BadKeyError: the key is empty or holds a character that no key has.
        ValueError: the base URL is not an http(s) URL, or it holds a user name or password.
    """

    def __init__(  # noqa: PLR0913  # all but the first two by name, each with a default
        self,
        api_key: str | SecretStr,
        base_url: str = RENDER_URL,
        *,
        timeout: float = 10.0,
        patience: float = 75.0,
        write_patience: float | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        user_agent: str = "render-autoscaler",
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        key = SecretStr(api_key) if isinstance(api_key, str) else api_key
        del api_key  # a traceback that prints local variables must not print the key
        self._base_url = base_url
        self._transport = Transport(
            key,
            base_url,
            timeout=timeout,
            patience=patience,
            write_patience=patience if write_patience is None else write_patience,
            transport=transport,
            user_agent=user_agent,
            clock=clock,
            sleep=sleep,
        )

    def __repr__(self) -> str:
        return f"RenderClient({self._base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections; the client is of no use afterwards."""
        await self._transport.aclose()

    @property
    def clock_ahead(self) -> float | None:
        """Seconds by which this machine's clock is ahead of Render's, as its last reply tells; None when it does not."""
        return self._transport.clock_ahead

    async def list_owners(self) -> list[Owner]:
        """Return the workspaces that the key can see. A cheap test of a key."""
        return await collect(self._transport, _read("/owners"), "owner", Owner)

    async def list_services(
        self,
        *,
        name: Sequence[str] = (),
        owner_id: Sequence[str] = (),
        service_type: Sequence[str] = (),
        include_previews: bool = False,
    ) -> list[Service]:
        """Return all services that the filters let through, whatever the number of pages."""
        query = _query(
            name=_joined(name),
            ownerId=_joined(owner_id),
            type=_joined(service_type),
            includePreviews="true" if include_previews else "false",
        )
        return await collect(self._transport, _read("/services", query), "service", Service)

    async def retrieve_service(self, service_id: str) -> Service:
        """Return one service. Its plan is the configured one, not necessarily the running one."""
        return await self._one(Service, _read(_path("services", service_id)))

    async def update_service(self, service_id: str, *, plan: str) -> Service:
        """Configure another plan and nothing else; it runs only after the next successful deploy."""
        body = {"serviceDetails": {"plan": plan}}
        return await self._one(Service, _change("PATCH", service_id, body=body, is_idempotent=True))

    async def scale_service(self, service_id: str, num_instances: int) -> None:
        """Set the number of instances, at once and without a deploy; of no effect under autoscaling."""
        body = {"numInstances": num_instances}
        await self._transport.send(_change("POST", service_id, "scale", body=body, is_idempotent=True))

    async def autoscale_service(self, service_id: str, autoscaling: Autoscaling) -> Autoscaling:
        """Set Render's own autoscaling (a Pro workspace, no disk) and return it as Render took it."""
        body = autoscaling.model_dump(mode="json", by_alias=True)
        return await self._one(Autoscaling, _write("PUT", _path("services", service_id, "autoscaling"), body=body))

    async def delete_autoscaling_config(self, service_id: str) -> None:
        """Remove Render's own autoscaling from a service."""
        await self._transport.send(_write("DELETE", _path("services", service_id, "autoscaling")))

    async def suspend_service(self, service_id: str) -> None:
        """Stop a service and its bill."""
        await self._transport.send(_change("POST", service_id, "suspend"))

    async def resume_service(self, service_id: str) -> None:
        """Start a service that a user suspended; RefusedInputError for any other suspension."""
        await self._transport.send(_change("POST", service_id, "resume"))

    async def restart_service(self, service_id: str) -> None:
        """Restart the instances with the plan and variables that they were deployed with."""
        path = _path("services", service_id, "restart")
        await self._transport.send(_write("POST", path, is_idempotent=False))

    async def list_instances(self, service_id: str) -> list[Instance]:
        """Return the instances that run now."""
        call = _read(_path("services", service_id, "instances"))
        return [parsed(Instance, call, entry) for entry in entries(call, await self._transport.send(call))]

    async def get_env_vars_for_service(self, service_id: str) -> list[EnvVar]:
        """Return all variables of a service, in clear; those of linked environment groups are not among them."""
        return await collect(self._transport, _read(_path("services", service_id, "env-vars")), "envVar", EnvVar)

    async def retrieve_env_var(self, service_id: str, key: str) -> EnvVar:
        """Return one variable, in clear; NotFoundError when the service has none of that name."""
        return await self._one(EnvVar, _read(_path("services", service_id, "env-vars", key)))

    async def update_env_var(self, service_id: str, key: str, value: str) -> EnvVar:
        """Create or update one variable; it reaches the instances only with the next deploy."""
        path = _path("services", service_id, "env-vars", key)
        call = _write("PUT", path, body={"value": value}, secret=SecretStr(value))
        del value  # it may be a secret: see the key above
        return await self._one(EnvVar, call)

    async def delete_env_var(self, service_id: str, key: str) -> None:
        """Delete one variable; the instances lose it only with the next deploy."""
        await self._transport.send(_write("DELETE", _path("services", service_id, "env-vars", key)))

    async def create_deploy(
        self, service_id: str, *, deploy_mode: DeployMode = "deploy_only", commit_id: str | None = None
    ) -> Deploy | None:
        """Start a deploy; None when Render queued it and did not say which it will be.

        ``deploy_only`` takes the last successful build with the present plan and variables. ``build_and_deploy``
        builds ``commit_id``, or else the head of the branch (an image service pulls its tag anew), and so may ship
        something new. Never tried again once Render may have heard it.

        Raises:
            ValueError: a commit with ``deploy_only``, which Render refuses.
        """
        if deploy_mode == "deploy_only" and commit_id is not None:
            raise ValueError("A deploy_only deploy takes the last build. To deploy a commit give build_and_deploy.")
        body = {"deployMode": deploy_mode} if deploy_mode == "deploy_only" else _without_none(commitId=commit_id)
        call = _change("POST", service_id, "deploys", body=body)
        answer = await self._transport.send(call)
        return None if answer.json is None else parsed(Deploy, call, answer)

    async def list_deploys(
        self, service_id: str, *, status: Sequence[str] = (), limit: int | None = 20
    ) -> list[Deploy]:
        """Return the newest ``limit`` deploys (None: all), newest first, of the given statuses if any is given."""
        call = _read(_path("services", service_id, "deploys"), _query(status=_joined(status)))
        return await collect(self._transport, call, "deploy", Deploy, limit)

    async def retrieve_deploy(self, service_id: str, deploy_id: str) -> Deploy:
        """Return one deploy."""
        return await self._one(Deploy, _read(_path("services", service_id, "deploys", deploy_id)))

    async def cancel_deploy(self, service_id: str, deploy_id: str) -> Deploy:
        """Cancel a deploy that has not come to its end."""
        path = _path("services", service_id, "deploys", deploy_id, "cancel")
        return await self._one(Deploy, _write("POST", path, is_idempotent=False))

    async def rollback_deploy(self, service_id: str, deploy_id: str) -> Deploy:
        """Deploy an earlier build again with the variables it had then; not the way to undo a change of plan."""
        path = _path("services", service_id, "rollback")
        return await self._one(Deploy, _write("POST", path, body={"deployId": deploy_id}, is_idempotent=False))

    async def list_events(
        self,
        service_id: str,
        *,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        event_type: str | None = None,
        limit: int | None = None,
    ) -> list[Event]:
        """Return the events between two aware times, all or the first ``limit``; without times, of the last hour."""
        query = _query(startTime=_moment(start_time), endTime=_moment(end_time), type=event_type)
        return await collect(
            self._transport, _read(_path("services", service_id, "events"), query), "event", Event, limit
        )

    async def list_blueprints(self, *, owner_id: Sequence[str] = ()) -> list[Blueprint]:
        """Return the Blueprints of the given workspaces, or of all that the key can see."""
        call = _read("/blueprints", _query(ownerId=_joined(owner_id)))
        return await collect(self._transport, call, "blueprint", Blueprint)

    async def _one(self, model: type[ModelT], call: Call) -> ModelT:
        return parsed(model, call, await self._transport.send(call))


def _read(path: str, query: tuple[tuple[str, str], ...] = ()) -> Call:
    return Call("GET", path, "reads", is_idempotent=True, query=query)


def _write(
    method: str, path: str, *, body: Any = None, is_idempotent: bool = True, secret: SecretStr | None = None
) -> Call:
    return Call(method, path, "writes", is_idempotent, body=body, secret=secret)


def _change(method: str, service_id: str, *below: str, body: Any = None, is_idempotent: bool = False) -> Call:
    """Make one of the calls that share ten a minute for each service."""
    return Call(method, _path("services", service_id, *below), f"service {service_id}", is_idempotent, body=body)


def _path(*segments: str) -> str:
    for segment in segments:
        if segment in {"", ".", ".."}:
            raise ValueError(f"{segment!r} is no id or name at Render.")
    return "".join(f"/{quote(segment, safe='')}" for segment in segments)


def _query(**values: str | None) -> tuple[tuple[str, str], ...]:
    return tuple(_without_none(**values).items())


def _without_none(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}


def _joined(values: Sequence[str]) -> str | None:
    """Put several values into one parameter with commas between, as Render's own clients do."""
    return ",".join(values) or None


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
