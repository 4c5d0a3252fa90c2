"""Socket Mode: connections that are opened by ticket, envelopes that want an ack within three seconds."""

import asyncio
import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from tests.support.fake_slack_workspace import APP, Workspace

DEBUG = {"host": "applink-fake", "build_number": 1, "approximate_connection_time": 18060}


@dataclass
class Outcome:
    """What came of something that somebody did; `replies` are the ones to its response_url so far."""

    slack: "SocketMode" = field(repr=False)
    raw: str
    acked: bool = False
    ack: dict[str, Any] | None = None

    @property
    def envelope(self) -> dict[str, Any]:
        return json.loads(self.raw)

    @property
    def replies(self) -> list[dict[str, Any]]:
        response = self.slack.response(self.envelope["payload"].get("response_url", ""))
        return response.replies if response is not None else []

    async def reply(self, n: int = 1) -> dict[str, Any]:
        """The n-th reply, when it has come; TimeoutError after 5 seconds."""
        await self.slack.until(lambda: len(self.replies) >= n)
        return self.replies[n - 1]


@dataclass(eq=False)
class Link:
    socket: web.WebSocketResponse
    request: web.Request


class SocketMode(Workspace):
    def __init__(self) -> None:
        super().__init__()
        self.timeout = 3.0
        """Seconds that an app has for its ack; a test may shorten it."""
        self.grace = 1.0
        """Seconds from a disconnect message until the connection is closed, unless the app is quicker."""
        self.stray_acks: list[dict[str, Any]] = []
        """Acks of nothing that waits for one: too late, twice, or of an unknown envelope."""
        self._tickets: set[str] = set()
        self._links: list[Link] = []
        self._all_links: set[Link] = set()
        self._waiting: list[tuple[str, asyncio.Future[dict[str, Any]]]] = []

    # Connections -----------------------------------------------------------------------------------------------------

    def new_link(self) -> str:
        ticket = str(uuid.uuid4())
        self._tickets.add(ticket)
        host = self.base_url.removeprefix("http://").removesuffix("/api/")
        return f"ws://{host}/link/?ticket={ticket}&app_id={APP}"

    async def handle_link(self, request: web.Request) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=401)
        self._tickets.remove(ticket)
        link = Link(web.WebSocketResponse(timeout=self.grace), request)
        await link.socket.prepare(request)
        self._links.append(link)
        self._all_links.add(link)
        hello = {"type": "hello", "num_connections": len(self._links), "connection_info": {"app_id": APP}}
        try:
            await link.socket.send_json({**hello, "debug_info": DEBUG})
            self.changed()
            async for message in link.socket:
                if message.type is WSMsgType.TEXT:
                    self._take_ack(json.loads(message.data))
        finally:
            self._leave(link)
            self._all_links.discard(link)
            self.changed()
        return link.socket

    async def connected(self, n: int = 1) -> None:
        """Until that many connections are up."""
        await self.until(lambda: len(self._links) >= n, timeout=30)  # a worker's process may be slow to start

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Tell every connection that it will be closed, and close it unless the app does; a warning is only a warning."""
        told = list(self._links)
        for link in told:
            await link.socket.send_json({"type": "disconnect", "reason": reason, "debug_info": DEBUG})
            if reason != "warning":
                self._leave(link)
        if reason != "warning":
            try:
                await self.until(lambda: self._all_links.isdisjoint(told), self.grace)
            except TimeoutError:
                await asyncio.gather(*(link.socket.close() for link in told))

    async def drop(self) -> None:
        """Every connection breaks without a word."""
        for link in list(self._all_links):
            self._leave(link)
            if link.request.transport is not None:
                link.request.transport.abort()

    def _leave(self, link: Link) -> None:
        if link in self._links:
            self._links.remove(link)

    # Envelopes -------------------------------------------------------------------------------------------------------

    async def send(self, payload: dict[str, Any], type: str = "interactive", *, answerable: bool = False) -> Outcome:  # noqa: A002
        """Any payload at all, in an envelope of its own."""
        envelope = {"envelope_id": str(uuid.uuid4()), "payload": payload, "type": type}
        return await self._deliver(json.dumps({**envelope, "accepts_response_payload": answerable}))

    async def again(self, outcome: Outcome) -> Outcome:
        """The same envelope once more, byte for byte."""
        return await self._deliver(outcome.raw)

    async def redeliver(self, outcome: Outcome, reason: str = "timeout") -> Outcome:
        """The same envelope as Slack sends it after an ack that did not come."""
        envelope = outcome.envelope
        retry = {"retry_attempt": envelope.get("retry_attempt", 0) + 1, "retry_reason": reason}
        return await self._deliver(json.dumps({**envelope, **retry}))

    async def _deliver(self, raw: str) -> Outcome:
        """To one connection, each in its turn; nothing is acked while there is none."""
        outcome = Outcome(self, raw)
        if not self._links:
            return outcome
        link = self._links.pop(0)
        self._links.append(link)
        waiting = outcome.envelope["envelope_id"], asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            async with asyncio.timeout(self.timeout):
                await link.socket.send_str(raw)
                outcome.ack = await waiting[1]
            outcome.acked = True
        except (TimeoutError, ConnectionError):
            pass
        finally:
            self._waiting.remove(waiting)
        return outcome

    def _take_ack(self, ack: dict[str, Any]) -> None:
        for name, answer in self._waiting:
            if name == ack.get("envelope_id") and not answer.done():
                answer.set_result(ack.get("payload") or {})
                return
        self.stray_acks.append(ack)
        self.changed()
