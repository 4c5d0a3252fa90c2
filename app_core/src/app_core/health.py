"""GET /api/health/scaling: what the bot reads."""

import hmac
from collections.abc import Iterable

from app_core.asgi import Scope, Send, respond
from app_core.instruments import Instruments


async def answer(instruments: Instruments, scope: Scope, send: Send) -> None:
    """Answer a request for the health endpoint; it counts in nothing and passes the gate."""
    method = scope["method"]
    if method not in ("GET", "HEAD"):
        await respond(send, 405, {"detail": "only GET is answered here"}, [(b"allow", b"GET, HEAD")])
    elif not _may_read(instruments.token, scope["headers"]):
        detail = {"detail": "send 'Authorization: Bearer <token>' with the token that this app was given"}
        await respond(send, 401, detail, [(b"www-authenticate", b"Bearer")])
    else:
        await respond(send, 200, instruments.report.json(), with_body=method == "GET")


def _may_read(token: str | None, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether the request carries the token; the comparison takes the same time wherever they differ."""
    if token is None:
        return True
    sent = next((value for name, value in headers if name == b"authorization"), b"")
    scheme, _, credentials = sent.partition(b" ")
    return scheme.lower() == b"bearer" and hmac.compare_digest(credentials.strip(), token.encode())
