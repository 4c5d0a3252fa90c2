"""Render's replies for tests of its client: bodies, a script of replies as an httpx transport, a time that is told."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from render_client import RenderClient

SHARED = Path(__file__).parents[3] / "shared" / "render"
KEY = "rnd_ThisMustNeverShow0123456789"
SERVICE = "srv-cukr0123456789abcdef"

Reply = httpx.Response | BaseException | Callable[[httpx.Request], httpx.Response]


def service_json(**changes: Any) -> dict[str, Any]:
    details = {"plan": "starter", "numInstances": 1, "region": "oregon", "runtime": "python"}
    return {
        "id": SERVICE,
        "name": "holisticos-api",
        "type": "web_service",
        "suspended": "not_suspended",
        "suspenders": [],
        "createdAt": "2025-01-13T16:41:48.081145Z",
        "updatedAt": "2025-01-13T16:41:48.790246Z",
        "serviceDetails": details,
        **changes,
    }


def deploy_json(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"dep-{number}",
        "commit": None,
        "image": {"ref": "docker.io/library/nginx:latest", "sha": "sha256:c375"},
        "status": "update_in_progress",
        "trigger": "api",
        "createdAt": "2025-01-13T16:42:08.549212Z",
        "updatedAt": "2025-01-13T16:42:08.650615Z",
        "finishedAt": None,
        **changes,
    }


def quota(limit: int, remaining: int, reset: float) -> dict[str, str]:
    return {"Ratelimit-Limit": str(limit), "Ratelimit-Remaining": str(remaining), "Ratelimit-Reset": str(reset)}


@dataclass
class ToldTime:
    """A clock that goes on only while somebody sleeps by it."""

    now: float = 1000.0
    waits: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


class Script(httpx.AsyncBaseTransport):
    """Gives one reply after the other, the last one for ever, and keeps the requests."""

    def __init__(self, replies: Iterable[Reply]) -> None:
        self._replies = list(replies)
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        reply = self._replies[min(len(self.requests), len(self._replies) - 1)]
        self.requests.append(request)
        if isinstance(reply, BaseException):
            raise reply
        if isinstance(reply, httpx.Response):  # a copy: a response is read once
            return httpx.Response(reply.status_code, headers=reply.headers, content=reply.content)
        return reply(request)


@dataclass
class Conversation:
    client: RenderClient
    script: Script
    time: ToldTime

    @property
    def requests(self) -> list[httpx.Request]:
        return self.script.requests


def conversation(*replies: Reply, **options: Any) -> Conversation:
    """Return a client that hears these replies, over a time that is told. It holds nothing that must be closed."""
    script, time = Script(replies), ToldTime()
    client = RenderClient(KEY, transport=script, clock=time.clock, sleep=time.sleep, **options)
    return Conversation(client, script, time)


def recorded() -> list[dict[str, Any]]:
    """Return all recorded interactions; an empty list when the recordings are not here."""
    files = sorted((SHARED / "recordings").glob("*.json"))
    return [interaction for file in files for interaction in json.loads(file.read_text())["interactions"]]
