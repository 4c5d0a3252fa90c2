"""The shapes of ASGI (https://asgi.readthedocs.io/en/latest/specs/), spelled out so that nothing has to be installed for them."""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

_JSON = (b"content-type", b"application/json")
_NO_STORE = (b"cache-control", b"no-store")


async def respond(
    send: Send,
    status: int,
    content: Mapping[str, object] | bytes,
    headers: Iterable[tuple[bytes, bytes]] = (),
    *,
    with_body: bool = True,
) -> None:
    """Send JSON that no cache may keep; bytes are JSON already."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [_JSON, _NO_STORE, length, *headers]})
    await send({"type": "http.response.body", "body": body if with_body else b""})
