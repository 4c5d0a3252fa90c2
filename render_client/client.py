"""RenderClient: one method for each operation of Render's public API that a bot needs.

The names are the operation ids of Render's OpenAPI document in snake case. The call that replaces *all* environment
variables at once is left out on purpose: it loses what somebody else wrote in between.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Literal, Self

import httpx
from pydantic import SecretStr

from render_client.models import Autoscaling, Blueprint, Deploy, EnvVar, Event, Instance, Owner, Service

RENDER_URL = "https://api.render.com/v1"

DeployMode = Literal["deploy_only", "build_and_deploy"]


class RenderClient:
    """Render's API for one API key, over one reused connection pool; an async context manager.

    Every method raises a :class:`~render_client.errors.RenderError` of the kind that says what to do about it.

    Args:
        api_key: as made in the dashboard under Account Settings, API Keys; it acts as the user who made it.
        base_url: Render's, or that of a simulator.
        timeout: seconds that one try of a call may take, from the connection to the last byte.
        patience: seconds that one call may take with all its tries and waits; a longer wait is raised instead.
        transport: an httpx transport in place of the network.
        user_agent: how the program names itself to Render.
        clock: monotonic seconds; a fake in tests.
        sleep: waits that many seconds; a fake in tests.

    Raises:
        BadKeyError: the key is empty or holds a character that no key has.
        ValueError: the base URL is not an http(s) URL, or it holds a password.
    """

    def __init__(
        self,
        api_key: str | SecretStr,
        base_url: str = RENDER_URL,
        *,
        timeout: float = 10.0,
        patience: float = 75.0,
        transport: httpx.AsyncBaseTransport | None = None,
        user_agent: str = "render-autoscaler",
        clock: Callable[[], float] = ...,
        sleep: Callable[[float], Awaitable[None]] = ...,
    ) -> None: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    async def aclose(self) -> None: ...

    async def list_owners(self) -> list[Owner]: ...

    async def list_services(
        self,
        *,
        name: Sequence[str] = (),
        owner_id: Sequence[str] = (),
        service_type: Sequence[str] = (),
        include_previews: bool = False,
    ) -> list[Service]: ...

    async def retrieve_service(self, service_id: str) -> Service: ...

    async def update_service(self, service_id: str, *, plan: str) -> Service: ...

    async def scale_service(self, service_id: str, num_instances: int) -> None: ...

    async def autoscale_service(self, service_id: str, autoscaling: Autoscaling) -> Autoscaling: ...

    async def delete_autoscaling_config(self, service_id: str) -> None: ...

    async def suspend_service(self, service_id: str) -> None: ...

    async def resume_service(self, service_id: str) -> None: ...

    async def restart_service(self, service_id: str) -> None: ...

    async def list_instances(self, service_id: str) -> list[Instance]: ...

    async def get_env_vars_for_service(self, service_id: str) -> list[EnvVar]: ...

    async def retrieve_env_var(self, service_id: str, key: str) -> EnvVar: ...

    async def update_env_var(self, service_id: str, key: str, value: str) -> EnvVar: ...

    async def delete_env_var(self, service_id: str, key: str) -> None: ...

    async def create_deploy(
        self, service_id: str, *, deploy_mode: DeployMode = "deploy_only", commit_id: str | None = None
    ) -> Deploy | None: ...

    async def list_deploys(
        self, service_id: str, *, status: Sequence[str] = (), limit: int | None = 20
    ) -> list[Deploy]: ...

    async def retrieve_deploy(self, service_id: str, deploy_id: str) -> Deploy: ...

    async def cancel_deploy(self, service_id: str, deploy_id: str) -> Deploy: ...

    async def rollback_deploy(self, service_id: str, deploy_id: str) -> Deploy: ...

    async def list_events(
        self,
        service_id: str,
        *,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        event_type: str | None = None,
        limit: int | None = None,
    ) -> list[Event]: ...

    async def list_blueprints(self, *, owner_id: Sequence[str] = ()) -> list[Blueprint]: ...
