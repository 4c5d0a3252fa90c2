"""The public API over HTTP: faults, key, rate limits, then the operation; every call is logged."""

import asyncio
import hmac
import itertools
import json
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

from aiohttp import web

from render_client.sim import bodies
from render_client.sim.calls import Call, Hooks
from render_client.sim.clock import Clock
from render_client.sim.faults import Fault, Faults
from render_client.sim.incoming import Incoming, Reply
from render_client.sim.limits import RateLimiter, Usage
from render_client.sim.operations import Operation, operations
from render_client.sim.pages import Query
from render_client.sim.state import Refused
from render_client.sim.world import World

PREFIX = "/v1"
_JSON = "application/json; charset=utf-8"
_BAD_GATEWAY = "<!DOCTYPE html>\n<html><head><title>502</title></head><body><h1>Bad Gateway</h1></body></html>\n"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Gateway:
    """Everything between the socket and the world."""

    world: World
    clock: Clock
    faults: Faults = field(default_factory=Faults)
    hooks: Hooks = field(default_factory=Hooks)
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start counting."""
        self.limiter = RateLimiter(self.world.spec.limits)
        self._request_numbers = itertools.count(1)

    def add_routes(self, app: web.Application) -> None:
        """Serve all operations below `/v1`; what is not one of them is answered as Render answers it."""
        for operation in operations():
            app.router.add_route(operation.method, PREFIX + operation.path, self._handler(operation))
        app.router.add_route("*", PREFIX + "/{rest:.*}", self._handler(None))

    def _handler(self, operation: Operation | None) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._serve(operation, request)

        return handle

    async def _serve(self, operation: Operation | None, request: web.Request) -> web.StreamResponse:
        content = await request.read()
        now = self.clock.now()
        self.world.advance(now)
        path = request.path.removeprefix(PREFIX)
        call = Call(now, request.method, path, request.query_string, _loggable(content))
        fault = self.faults.take(request.method, path)
        if fault is not None and not fault.takes_effect:
            return await self._fail(request, replace(call, fault=fault.kind), fault, None)
        reply, headers = self._answer(operation, request, call, content)
        call = replace(call, effective=reply.status < 400)
        if fault is not None:
            return await self._fail(request, replace(call, fault=fault.kind), fault, (reply, headers))
        self.calls.append(replace(call, status=reply.status))
        return self._response(reply, headers)

    def _answer(
        self, operation: Operation | None, request: web.Request, call: Call, content: bytes
    ) -> tuple[Reply, Mapping[str, str]]:
        name = operation.name if operation else "unknown"
        service_id = request.match_info.get("serviceId", "")
        authorized = self._authorized(request)
        usage = self.limiter.use(request.method, name, service_id, call.at, count=authorized)
        try:
            reply = self._run(_admitted(operation, request, usage, authorized=authorized), request, call, content)
        except Refused as refused:
            reply = Reply(refused.status, {"id": self._request_id(), "message": refused.message})
        return reply, usage.headers()

    def _run(self, operation: Operation, request: web.Request, call: Call, content: bytes) -> Reply:
        values = {name: tuple(request.query.getall(name)) for name in request.query}
        body = None if call.method == "GET" else bodies.decode(content)
        incoming = Incoming(self.world, call.at, dict(request.match_info), Query(values), body)
        if call.method == "GET":
            return operation.run(incoming)
        self.hooks.run_before(call)
        reply = operation.run(incoming)
        self.world.advance(call.at)
        self.hooks.run_after(replace(call, effective=True, status=reply.status))
        return reply

    def _authorized(self, request: web.Request) -> bool:
        expected = f"Bearer {self.world.spec.api_key}"
        given = request.headers.get("Authorization", "")
        return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode())

    async def _fail(
        self, request: web.Request, call: Call, fault: Fault, answer: tuple[Reply, Mapping[str, str]] | None
    ) -> web.StreamResponse:
        status = _status_of(fault, answer)
        self.calls.append(replace(call, status=status))
        match fault.kind:
            case "timeout_before" | "timeout_after":
                await asyncio.get_running_loop().create_future()  # ends when the caller or the simulator leaves
            case "reset":
                _reset(request)
            case "html_502":
                return web.Response(status=502, text=_BAD_GATEWAY, content_type="text/html")
            case "truncated":
                return await self._truncate(request, answer)
            case "no_body_202":
                headers = answer[1] if answer else {}
                return self._response(Reply(202), headers)
            case "slow" if answer is not None:
                await asyncio.sleep(fault.seconds)
                return self._response(*answer)
        words = fault.message or f"{status} from a fault of the simulator"
        body = {"id": self._request_id(), "message": words}
        return self._response(Reply(status or 503, body), fault.headers)

    async def _truncate(
        self, request: web.Request, answer: tuple[Reply, Mapping[str, str]] | None
    ) -> web.StreamResponse:
        reply, headers = answer or (Reply(200, {"id": "never-complete"}), {})
        content = _encode(reply.body) or b'{"id": "'
        response = web.StreamResponse(status=reply.status, headers={"Content-Type": _JSON, **headers})
        response.content_length = len(content)
        await response.prepare(request)
        await response.write(content[: len(content) // 2])
        if request.transport is not None:
            request.transport.close()
        return response

    def _response(self, reply: Reply, headers: Mapping[str, str]) -> web.Response:
        sent = {**headers, "Render-Request-Id": self._request_id()}
        if reply.body is None:
            return web.Response(status=reply.status, headers=sent)
        return web.Response(status=reply.status, body=_encode(reply.body), headers={**sent, "Content-Type": _JSON})

    def _request_id(self) -> str:
        return f"sim-{next(self._request_numbers):09d}"


def _status_of(fault: Fault, answer: tuple[Reply, Mapping[str, str]] | None) -> int | None:
    fixed = {"status": fault.status, "html_502": 502, "no_body_202": 202, "down": 503}
    if fault.kind == "slow" and answer is not None:
        return answer[0].status
    return fixed.get(fault.kind)


def _encode(body: object) -> bytes:
    """JSON with a line end, as Render's encoder writes it."""
    return b"" if body is None else (json.dumps(body, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def _loggable(content: bytes) -> object:
    if not content:
        return None
    try:
        return bodies.decode(content)
    except Refused:
        return content.decode(errors="replace")


def _admitted(operation: Operation | None, request: web.Request, usage: Usage, *, authorized: bool) -> Operation:
    if not authorized:
        raise Refused(401, "Unauthorized")
    if usage.refused:
        raise Refused(429, "rate limit exceeded")
    if operation is None:
        raise Refused(404, "not found")
    accepted = request.headers.get("Accept", "*/*")
    kinds = {part.partition(";")[0].strip().lower() for part in accepted.split(",")}
    if not kinds & {"*/*", "application/*", "application/json"}:
        raise Refused(406, "the reply is application/json")
    return operation


def _reset(request: web.Request) -> None:
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        # Lingering for no time makes the kernel send RST instead of FIN.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
