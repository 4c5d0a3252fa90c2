"""GET /api/health/scaling: what the bot reads."""

import hmac
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from app_core.asgi import Scope, Send
from app_core.instance import describe, guess_plan
from app_core.instruments import Instruments
from app_core.recommendation import recommend
from app_core.resources import Usage
from app_core.tracker import WINDOWS

SCHEMA_VERSION = 1
_MIB = 1 << 20
_JSON = (b"content-type", b"application/json")
_NO_STORE = (b"cache-control", b"no-store")


def report(instruments: Instruments) -> dict[str, object]:
    """All numbers of this moment, as plain JSON values. Times are seconds; a statistic of no requests is None."""
    tracker, config, limits = instruments.tracker, instruments.config, instruments.resources.limits
    usage = instruments.resources.usage()
    scaling = recommend(tracker, config, limits)
    return {
        "schema_version": SCHEMA_VERSION,
        "timestamp": datetime.now(UTC).isoformat(),
        "scaling": scaling,
        "current_metrics": {
            "concurrent_requests": tracker.concurrent,
            "avg_response_time": tracker.mean("1m"),
            "memory_usage_mb": None if usage.memory_bytes is None else usage.memory_bytes / _MIB,
            "request_count": tracker.requests,
            "error_count": tracker.errors,
        },
        "service_stats": {
            "active_requests": tracker.concurrent,
            "in_progress": tracker.concurrent - instruments.gate.waiting,
            "cached_results": 0,
            "memory_profile": {
                "profile": config.profile,
                "max_concurrent": config.max_concurrent,
                "db_pool_size": config.db_pool_size,
                "cache_entries": config.max_cache_entries,
            },
        },
        "recommendations": {
            "current_instance": describe(limits),
            "suggested_action": "scale_up" if scaling["should_scale"] else "monitor",
        },
        "instance": {
            **instruments.identity._asdict(),
            "plan_guess": guess_plan(limits),
            "profile": config.profile,
            "settings": config.settings(),
        },
        **_measurements(instruments, usage),
    }


def _measurements(instruments: Instruments, usage: Usage) -> dict[str, object]:
    tracker, limits = instruments.tracker, instruments.resources.limits
    waiting = instruments.gate.waiting
    return {
        "counters": {
            "requests_total": tracker.requests,
            "errors_total": tracker.errors,
            "shed_requests_total": tracker.shed,
            "response_seconds_total": tracker.seconds,
            "cpu_seconds_total": usage.cpu_seconds,
        },
        "concurrency": {
            "running": tracker.concurrent - waiting,
            "queued": waiting,
            "peak": {name: tracker.peak(name) for name, _, _ in WINDOWS},
        },
        "windows": {name: tracker.statistics(name)._asdict() for name, _, _ in WINDOWS},
        "resources": {
            "memory_used_bytes": usage.memory_bytes,
            "memory_limit_bytes": limits.memory_bytes,
            "cpu_limit_cores": limits.cpu_cores,
            "loop_lag_seconds": instruments.sampler.loop_lag,
        },
        "pools": instruments.gauges.read_pools(),
        "cache": {},
        "business": instruments.gauges.read_business(),
        "signals": instruments.gauges.read_signals(),
    }


async def answer(instruments: Instruments, scope: Scope, send: Send) -> None:
    """Answer a request for the health endpoint; it counts in nothing and passes the gate."""
    method = scope["method"]
    if method not in ("GET", "HEAD"):
        await respond(send, 405, {"detail": "only GET is answered here"}, [(b"allow", b"GET, HEAD")])
    elif not _may_read(instruments.token, scope["headers"]):
        detail = {"detail": "send 'Authorization: Bearer <token>' with the token that this app was given"}
        await respond(send, 401, detail, [(b"www-authenticate", b"Bearer")])
    else:
        await respond(send, 200, report(instruments), with_body=method == "GET")


def _may_read(token: str | None, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether the request carries the token; the comparison takes the same time wherever they differ."""
    if token is None:
        return True
    sent = next((value for name, value in headers if name == b"authorization"), b"")
    scheme, _, credentials = sent.partition(b" ")
    return scheme.lower() == b"bearer" and hmac.compare_digest(credentials.strip(), token.encode())


async def respond(
    send: Send,
    status: int,
    content: Mapping[str, object],
    headers: Iterable[tuple[bytes, bytes]] = (),
    *,
    with_body: bool = True,
) -> None:
    """Send JSON that no cache may keep."""
    body = json.dumps(content, allow_nan=False).encode()
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [_JSON, _NO_STORE, length, *headers]})
    await send({"type": "http.response.body", "body": body if with_body else b""})
