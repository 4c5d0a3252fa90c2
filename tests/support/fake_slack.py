"""A Slack on loopback: the Web API's methods that the bot uses, Socket Mode and what people do, as strict as the real one.

async with fake_slack() as slack:
    notifier = SlackNotifier(SecretStr(slack.token), "#ops", base_url=slack.base_url)
    slack.rate_limit(7)            # the next call is answered 429 with Retry-After: 7
    await slack.connected()        # a Socket Mode client is there
    outcome = await slack.click("U0ADA", slack.messages[-1], "approve")
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.support.fake_slack_methods import METHODS, answer_response, call
from tests.support.fake_slack_people import People
from tests.support.fake_slack_socket import Outcome
from tests.support.fake_slack_workspace import Arguments, Channel, Ephemeral, File, Posted, SlackError

__all__ = ["Channel", "Ephemeral", "FakeSlack", "File", "Outcome", "Posted", "SlackError", "fake_slack"]


DEAD_URL = {"invalid_url", "expired_url", "used_url"}


@dataclass(frozen=True)
class Fault:
    happen: Callable[[web.Request], Awaitable[web.StreamResponse]]
    method: str | None


class FakeSlack(People):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.closing = asyncio.Event()
        self._faults: list[Fault] = []

    # Faults: each hits the next call only, of `method` if one is named -----------------------------------------------

    def rate_limit(self, seconds: int, *, method: str | None = None) -> None:
        body = json.dumps({"ok": False, "error": "ratelimited"})
        self.answer_next(429, body, headers={"Retry-After": str(seconds)}, method=method)

    def refuse(self, code: str, *, method: str | None = None, **more: Any) -> None:
        self.answer_next(200, json.dumps({"ok": False, "error": code, **more}), method=method)

    def answer_next(
        self,
        status: int,
        body: str,
        *,
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
        method: str | None = None,
    ) -> None:
        async def answer(request: web.Request) -> web.StreamResponse:
            return web.Response(status=status, text=body, content_type=content_type, headers=headers)

        self._faults.append(Fault(answer, method))

    def hang(self, *, method: str | None = None) -> None:
        """No answer until the fake is closed."""

        async def wait(request: web.Request) -> web.StreamResponse:
            await self.closing.wait()
            return web.Response()

        self._faults.append(Fault(wait, method))

    def reset(self, *, method: str | None = None) -> None:
        """The connection breaks in the middle of the call."""

        async def abort(request: web.Request) -> web.StreamResponse:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()

        self._faults.append(Fault(abort, method))

    def _fault(self, name: str) -> Fault | None:
        for fault in self._faults:
            if fault.method in {None, name}:
                self._faults.remove(fault)
                return fault
        return None

    # HTTP ------------------------------------------------------------------------------------------------------------

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """A method of the Web API."""
        name = request.match_info["method"]
        self.calls.append(name)
        arguments = await _arguments(request)
        if fault := self._fault(name):
            return await fault.happen(request)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ") or arguments.get("token", "")
        try:
            answer = {"ok": True, **call(self, name, token, arguments)}
        except SlackError as error:
            answer = error.answer
        self.changed()
        headers = {"x-oauth-scopes": ",".join(sorted(self.scopes))} if token == self.token and name in METHODS else {}
        return web.json_response(answer, headers=headers)

    async def handle_response(self, request: web.Request) -> web.StreamResponse:
        """A response_url; what Slack could not show does not count."""
        self.calls.append("response_url")
        body = await request.text()
        if fault := self._fault("response_url"):
            return await fault.happen(request)
        try:
            said = json.loads(body)
            response = self.usable_response(request.path)
            answer_response(self, response, said)
        except (AttributeError, ValueError):
            return web.json_response({"ok": False, "error": "invalid_payload"}, status=400)
        except SlackError as error:
            return web.json_response(error.answer, status=404 if error.answer["error"] in DEAD_URL else 400)
        response.left -= 1
        response.replies.append(said)
        self.changed()
        return web.json_response({"ok": True})

    async def handle_upload(self, request: web.Request) -> web.StreamResponse:
        """The bytes of a file, once, of the length that was told."""
        self.calls.append("upload")
        data = await request.read()
        if fault := self._fault("upload"):
            return await fault.happen(request)
        file = self.files.get(request.match_info["id"])
        if file is None or file.data is not None:
            return web.Response(status=404)
        if len(data) != file.length:
            return web.Response(status=400, text="length")
        file.data = data
        return web.Response(text=f"OK - {len(data)}")


async def _arguments(request: web.Request) -> Arguments:
    if request.content_type == "application/json":
        return await request.json()
    return {**request.query, **await request.post()}


@asynccontextmanager
async def fake_slack() -> AsyncIterator[FakeSlack]:
    """A running fake on a free loopback port."""
    slack = FakeSlack()
    app = web.Application(client_max_size=16 * 1024 * 1024)
    app.router.add_route("*", "/api/{method}", slack.handle)
    app.router.add_get("/link/", slack.handle_link)
    app.router.add_post("/response/{id}", slack.handle_response)
    app.router.add_post("/upload/{id}", slack.handle_upload)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    slack.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/"
    try:
        yield slack
    finally:
        slack.closing.set()
        await slack.drop()
        await runner.cleanup()
