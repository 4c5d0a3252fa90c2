"""The public address of a web service: a reverse proxy on loopback to its serving instances, in turn.

It carries plain HTTP, streamed both ways; no WebSockets.
"""

import itertools
import time
from collections.abc import Callable, Sequence

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_NO_INSTANCE = (
    "<!DOCTYPE html>\n<html><head><title>502</title></head>"
    "<body><h1>Bad Gateway</h1><p>This service is currently unavailable.</p></body></html>\n"
)
# Below the five seconds after which uvicorn closes an idle connection: a POST on a closed one could not be repeated.
_KEEP_ALIVE_SECONDS = 2


def proxy_session() -> aiohttp.ClientSession:
    """The connections of all proxies to the apps."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_SECONDS),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    )


class Proxy:
    """Forwards the requests for one service; `ports` says where its instances listen at this moment.

    `answered` is told the status of each answer, and after how many seconds its last byte was there.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        ports: Callable[[], Sequence[int]],
        answered: Callable[[int, float], None],
    ) -> None:
        self._session = session
        self._ports = ports
        self._answered = answered
        self._turn = itertools.count()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        began = time.monotonic()
        response = await self._forward(request)
        self._answered(response.status, time.monotonic() - began)
        return response

    async def _forward(self, request: web.BaseRequest) -> web.StreamResponse:
        ports = self._ports()
        if not ports:
            return _bad_gateway()
        port = ports[next(self._turn) % len(ports)]
        try:
            upstream = await self._session.request(
                request.method,
                URL(f"http://127.0.0.1:{port}{request.raw_path}", encoded=True),
                headers=_forwarded(request),
                data=request.content if request.body_exists else None,
                allow_redirects=False,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            )
        except (aiohttp.ClientError, OSError):
            return _bad_gateway()
        async with upstream:
            return await _stream(request, upstream)


async def _stream(request: web.BaseRequest, upstream: aiohttp.ClientResponse) -> web.StreamResponse:
    response = web.StreamResponse(status=upstream.status, reason=upstream.reason, headers=_end_to_end(upstream.headers))
    await response.prepare(request)
    try:
        async for chunk in upstream.content.iter_any():
            await response.write(chunk)
    except aiohttp.ClientError:
        # The head is sent: only a broken connection can still tell the caller.
        if request.transport is not None:
            request.transport.abort()
    return response


def _end_to_end(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    kept: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        if name.lower() not in _HOP_BY_HOP:
            kept.add(name, value)
    return kept


def _forwarded(request: web.BaseRequest) -> CIMultiDict[str]:
    headers = _end_to_end(request.headers)
    headers["X-Request-Start"] = str(time.time_ns() // 1000)
    headers["X-Forwarded-For"] = request.remote or "127.0.0.1"
    headers["X-Forwarded-Proto"] = "http"
    return headers


def _bad_gateway() -> web.Response:
    return web.Response(status=502, text=_NO_INSTANCE, content_type="text/html")
