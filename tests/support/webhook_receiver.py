"""A receiver of webhooks on loopback, and the Standard Webhooks check as its specification says it; knows nothing of our own code.

async with webhook_receiver() as receiver:
    await WebhookNotifier(SecretStr(receiver.url), SecretStr(SECRET), clock).deliver(...)
    assert verified(receiver.got[0])["kind"] == "notice"
"""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PATH = "/T0PATHtoken/hook"


@dataclass(frozen=True)
class Got:
    """One request, as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


class ForgedError(Exception):
    """The signature is not of this secret, id, time and body."""


def verified(got: Got, secret: str = SECRET) -> Any:
    """The JSON, once the signature has been found right."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = b".".join((got.headers["webhook-id"].encode(), got.headers["webhook-timestamp"].encode(), got.body))
    right = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    if not any(hmac.compare_digest(right, one) for one in got.headers["webhook-signature"].split(" ")):
        raise ForgedError
    return json.loads(got.body)


@dataclass
class Receiver:
    origin: str = ""
    got: list[Got] = field(default_factory=list)
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]] | None = None
    """Answers instead of a 204."""

    @property
    def url(self) -> str:
        return self.origin + PATH

    async def answer(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.got.append(Got(request.path_qs, headers, await request.read()))
        return web.Response(status=204) if self.handler is None else await self.handler(request)

    def answers(self, status: int, **headers: str) -> None:
        """From now on so, repeating what it was sent, as careless receivers do."""

        async def handler(request: web.Request) -> web.Response:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return web.Response(status=status, headers=named, text=f"{request.url} {dict(request.headers)}")

        self.handler = handler


@asynccontextmanager
async def webhook_receiver() -> AsyncIterator[Receiver]:
    """Served while the context lasts."""
    receiver = Receiver()
    application = web.Application()
    application.router.add_route("*", "/{anywhere:.*}", receiver.answer)
    runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        receiver.origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield receiver
    finally:
        await runner.cleanup()
