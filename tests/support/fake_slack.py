"""A Slack on loopback: the Web API's methods that the bot uses, as strict as the real one, with faults on demand.

async with fake_slack() as slack:
    notifier = SlackNotifier(SecretStr(slack.token), "#ops", base_url=slack.base_url)
    slack.rate_limit(7)            # the next call is answered 429 with Retry-After: 7
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import web

from tests.support import block_kit

Arguments = dict[str, Any]
Method = Callable[["FakeSlack", Arguments], dict[str, Any]]


@dataclass(frozen=True)
class Channel:
    id: str
    name: str
    member: bool = True
    archived: bool = False


@dataclass(frozen=True)
class Posted:
    """One message that is in a channel now."""

    channel: str
    ts: str
    thread_ts: str | None
    text: str
    blocks: list[dict[str, Any]]
    arguments: Arguments = field(default_factory=dict, repr=False)


Fault = Callable[[web.Request], Awaitable[web.StreamResponse]]


class SlackError(Exception):
    """An answer with `ok: false`."""

    def __init__(self, code: str, **more: Any) -> None:
        super().__init__(code)
        self.answer = {"ok": False, "error": code, **more}


class FakeSlack:
    def __init__(self) -> None:
        self.token = "xoxb-fake-1234-SECRETSECRET"
        self.base_url = ""
        self.channels = [
            Channel("C0OPS", "ops"),
            Channel("C0DEV", "dev"),
            Channel("C0OUT", "elsewhere", member=False),
            Channel("C0OLD", "old", archived=True),
        ]
        self.messages: list[Posted] = []
        self.calls: list[str] = []
        self.closing = asyncio.Event()
        self._faults: deque[Fault] = deque()
        self._last = 0

    # Faults: each hits the next call only ----------------------------------------------------------------------------

    def rate_limit(self, seconds: int) -> None:
        body = json.dumps({"ok": False, "error": "ratelimited"})
        self.answer_next(429, body, headers={"Retry-After": str(seconds)})

    def refuse(self, code: str, **more: Any) -> None:
        self.answer_next(200, json.dumps({"ok": False, "error": code, **more}))

    def answer_next(
        self, status: int, body: str, *, content_type: str = "application/json", headers: dict[str, str] | None = None
    ) -> None:
        async def answer(request: web.Request) -> web.StreamResponse:
            return web.Response(status=status, text=body, content_type=content_type, headers=headers)

        self._faults.append(answer)

    def hang(self) -> None:
        """No answer until the fake is closed."""

        async def wait(request: web.Request) -> web.StreamResponse:
            await self.closing.wait()
            return web.Response()

        self._faults.append(wait)

    def reset(self) -> None:
        """The connection breaks in the middle of the call."""

        async def abort(request: web.Request) -> web.StreamResponse:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()

        self._faults.append(abort)

    # HTTP ------------------------------------------------------------------------------------------------------------

    async def handle(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["method"]
        self.calls.append(name)
        arguments = await _arguments(request)
        if self._faults:
            return await self._faults.popleft()(request)
        try:
            return web.json_response({"ok": True, **self._call(name, request, arguments)})
        except SlackError as error:
            return web.json_response(error.answer)

    def _call(self, name: str, request: web.Request, arguments: Arguments) -> dict[str, Any]:
        method = METHODS.get(name)
        if method is None:
            raise SlackError("unknown_method", req_method=name)
        sent = request.headers.get("Authorization", "").removeprefix("Bearer ") or arguments.get("token", "")
        if not sent:
            raise SlackError("not_authed")
        if sent != self.token:
            raise SlackError("invalid_auth")
        return method(self, arguments)

    # What the methods share ------------------------------------------------------------------------------------------

    def channel(self, wanted: object) -> Channel:
        for channel in self.channels:
            if wanted in {channel.id, channel.name, f"#{channel.name}"}:
                return channel
        raise SlackError("channel_not_found")

    def post(self, arguments: Arguments) -> Posted:
        channel = self.channel(arguments.get("channel"))
        if channel.archived:
            raise SlackError("is_archived")
        if not channel.member:
            raise SlackError("not_in_channel")
        thread = arguments.get("thread_ts")
        if thread is not None and not any(one.channel == channel.id and one.ts == thread for one in self.messages):
            raise SlackError("thread_not_found")
        text, blocks = _content(arguments)
        self._last += 1
        posted = Posted(channel.id, f"1791295380.{self._last:06d}", thread, text, blocks, arguments)
        self.messages.append(posted)
        return posted

    def update(self, arguments: Arguments) -> Posted:
        channel = self.channel(arguments.get("channel"))
        for number, old in enumerate(self.messages):
            if old.channel == channel.id and old.ts == arguments.get("ts"):
                text, blocks = _content(arguments)
                self.messages[number] = replace(old, text=text, blocks=blocks, arguments=arguments)
                return self.messages[number]
        raise SlackError("message_not_found")


def _content(arguments: Arguments) -> tuple[str, list[dict[str, Any]]]:
    text, blocks = arguments.get("text", ""), arguments.get("blocks", [])
    blocks = json.loads(blocks) if isinstance(blocks, str) else blocks
    if not text and not blocks:
        raise SlackError("no_text")
    if block_kit.length(text) > 40_000:
        raise SlackError("msg_too_long")
    if blocks and (wrong := block_kit.problems(blocks)):
        raise SlackError("invalid_blocks", errors=wrong)
    return text, blocks


async def _arguments(request: web.Request) -> Arguments:
    if request.content_type == "application/json":
        return await request.json()
    return {**request.query, **await request.post()}


def _message(posted: Posted) -> dict[str, Any]:
    return {"type": "message", "ts": posted.ts, "text": posted.text, "blocks": posted.blocks, "bot_id": "B0BOT"}


def _post_message(slack: FakeSlack, arguments: Arguments) -> dict[str, Any]:
    posted = slack.post(arguments)
    return {"channel": posted.channel, "ts": posted.ts, "message": _message(posted)}


def _update(slack: FakeSlack, arguments: Arguments) -> dict[str, Any]:
    posted = slack.update(arguments)
    return {"channel": posted.channel, "ts": posted.ts, "text": posted.text, "message": _message(posted)}


def _auth_test(slack: FakeSlack, arguments: Arguments) -> dict[str, Any]:
    return {"url": "https://example.slack.com/", "team": "Example", "user": "render_autoscaler", "bot_id": "B0BOT"}


def _conversations_info(slack: FakeSlack, arguments: Arguments) -> dict[str, Any]:
    channel = slack.channel(arguments.get("channel"))
    shown = {"id": channel.id, "name": channel.name, "is_member": channel.member, "is_archived": channel.archived}
    return {"channel": shown}


METHODS: dict[str, Method] = {
    "auth.test": _auth_test,
    "chat.postMessage": _post_message,
    "chat.update": _update,
    "conversations.info": _conversations_info,
}


@asynccontextmanager
async def fake_slack() -> AsyncIterator[FakeSlack]:
    """A running fake on a free loopback port."""
    slack = FakeSlack()
    app = web.Application()
    app.router.add_route("*", "/api/{method}", slack.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    slack.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/"
    try:
        yield slack
    finally:
        slack.closing.set()
        await runner.cleanup()
