"""Messages to a webhook, for teams without Slack: one signed POST each, as Standard Webhooks says. Trying again is the outbox's business.

docs/operations.md tells a receiver what comes, and how to see that it came from here.
"""

import asyncio
import base64
import hmac
import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from types import MappingProxyType
from urllib.parse import quote

import httpx
from pydantic import SecretBytes, SecretStr

from autoscaler.errors import OutsideError, RefusedError, UnavailableError, UsageError
from autoscaler.ports import Clock, Delivery, Event, EventKind
from autoscaler.report.text import clean, one_line

_PREFIX = "whsec_"
_NOT_VERIFIED = "it does not take the signature: WEBHOOK_SECRET has to be the one that the receiver verifies with"
_FIXES = MappingProxyType(
    {
        401: _NOT_VERIFIED,
        403: _NOT_VERIFIED,
        404: "nothing is there: check the path of WEBHOOK_URL",
        410: "it wants no more messages: put another address into WEBHOOK_URL, or take that variable away",
    }
)
"""Status -> what is wrong and the next step."""


class WebhookNotifier:
    """POSTs each event as JSON; a reference is its `webhook-id`. `timeout` is in seconds, for the whole call; closed by `aclose`.

    The secret is `whsec_` and the base64 of 24 to 64 bytes, which are the key: so the standard writes it down. Plain text is no secret
    here: the standard's libraries decode that too, so the receiver's might verify with other bytes than these.
    """

    def __init__(self, url: SecretStr, secret: SecretStr, clock: Clock, *, timeout: float = 10.0) -> None:
        address = _address(url.get_secret_value())
        self.where = f"{address.scheme}://{address.netloc.decode()}"
        """For people. The rest of such an address is often as good as a password."""
        self._target = SecretBytes(address.raw_path)
        self._key = SecretBytes(_key(secret.get_secret_value()))
        self._clock = clock
        self._timeout = timeout
        self._client = httpx.AsyncClient(
            auth=httpx.BasicAuth(address.username, address.password) if address.userinfo else None,
            follow_redirects=False,  # what is signed for one receiver goes to no other
            headers={"User-Agent": "render-autoscaler"},
            timeout=None,  # noqa: S113 - `deliver` bounds each call as a whole
            trust_env=not _is_loopback(address.host),  # this machine is not behind the company's proxy
        )

    async def deliver(self, delivery: Delivery) -> str | None:
        """Post one event; again with the same `webhook-id` and body. Raises UnavailableError or RefusedError."""
        if delivery.event.kind is EventKind.HEAD:
            return None  # it edits what stands in Slack: here nothing stands
        failure: OutsideError
        try:
            async with asyncio.timeout(self._timeout):
                status, retry_after = await self._post(delivery.event)
            if 200 <= status < 300:
                return _webhook_id(delivery.event)
            failure = self._no(status, retry_after)
        except TimeoutError:
            text = f"{self.where} did not answer within {self._timeout:g}s; the message may have arrived"
            failure = UnavailableError(text, may_have_acted=True)
        except httpx.ConnectError as error:
            failure = UnavailableError(f"{self.where} can't be reached: {one_line(str(error))}")
        except httpx.TransportError as error:
            failure = UnavailableError(f"{self.where} broke off: {type(error).__name__}", may_have_acted=True)
        # Raised out here, so that no traceback leads to frames that hold the address.
        raise failure

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _post(self, event: Event) -> tuple[int, str]:
        """The answer's status and its Retry-After. Its body is never read: it may have no end, and could only repeat what it was sent."""
        name, at, body = _webhook_id(event), str(self._clock.now() // 1000), _body(event)
        signed = hmac.digest(self._key.get_secret_value(), f"{name}.{at}.".encode() + body, "sha256")
        headers = {
            "Content-Type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": at,  # of this attempt: a receiver takes no old ones, lest somebody plays them again
            "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
        }
        # httpx logs each address that it is given, so path and query go past it.
        target = {"target": self._target.get_secret_value()}
        async with self._client.stream("POST", self.where, content=body, headers=headers, extensions=target) as answer:
            return answer.status_code, answer.headers.get("Retry-After", "")

    def _no(self, status: int, retry_after: str) -> OutsideError:
        if status in {408, 429} or status >= 500:
            return UnavailableError(
                f"{self.where} can't take the message now (HTTP {status})",
                may_have_acted=status != 429,
                retry_after=_seconds(retry_after, self._clock.now()),
            )
        fix = _FIXES.get(status, "the receiver's own log says why")
        if status < 400:
            fix = "it redirects, and what is signed goes nowhere else: write the final address into WEBHOOK_URL"
        return RefusedError(f"{self.where} refused the message (HTTP {status}): {fix}")


def _webhook_id(event: Event) -> str:
    """The event's id as a header can hold it: ours have policies' own words in them, and the standard allows no full stop."""
    return quote(event.id, safe=":/", errors="replace").replace(".", "%2E")


def _body(event: Event) -> bytes:
    message = event.message
    document = {
        "id": _webhook_id(event),
        "at": datetime.fromtimestamp(event.at / 1000, UTC).isoformat(timespec="milliseconds"),
        "at_ms": event.at,
        "kind": event.kind,
        "service_id": event.service_id,
        "thread": event.thread,
        "channel": event.channel and one_line(event.channel),
        "message": {
            "title": one_line(message.title),
            "tone": message.tone,
            "lines": [clean(line) for line in message.lines],
            "fields": [{"label": one_line(label), "value": clean(value)} for label, value in message.fields],
            "context": one_line(message.context),
        },
    }
    return json.dumps(document).encode()


def _address(text: str) -> httpx.URL:
    """Raises UsageError, which does not repeat it."""
    if (address := _parsed(text)) is None or address.scheme not in {"http", "https"} or not address.host:
        raise UsageError(
            "WEBHOOK_URL is no https:// address. Give the receiver's whole one, such as https://hooks.example.com/autoscaler"
        )
    if address.scheme == "http" and not _is_loopback(address.host):
        raise UsageError(
            "WEBHOOK_URL begins with http://, so anybody on the way could read the messages. Use the receiver's https:// address; "
            "http:// is for a receiver on this machine (127.0.0.1, localhost)"
        )
    return address


def _parsed(text: str) -> httpx.URL | None:
    try:
        address = httpx.URL(text)
        address.host.encode("idna")  # as the resolver will; it has limits that httpx does not look at
    except (httpx.InvalidURL, UnicodeError):
        return None
    return None if "%" in address.host else address  # so httpx writes what no host's name may hold


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _key(secret: str) -> bytes:
    """Raises UsageError, which does not repeat it."""
    key = _decoded(secret.removeprefix(_PREFIX)) if secret.startswith(_PREFIX) else None
    if key is None or not 24 <= len(key) <= 64:
        wrong = f"no {_PREFIX} and base64" if key is None else f"{_PREFIX} and {len(key)} bytes, not 24 to 64"
        raise UsageError(
            f"WEBHOOK_SECRET is {wrong}. Make one, for here and for the receiver: "
            f'echo "{_PREFIX}$(openssl rand -base64 32)"'
        )
    return key


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return None


def _seconds(retry_after: str, now: int) -> float | None:
    """Until when to wait: a number of seconds, or a date (RFC 9110); None where neither says that."""
    if retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 7:
        wait = float(retry_after)
    else:
        try:
            wait = parsedate_to_datetime(retry_after).timestamp() - now / 1000
        except (ValueError, OverflowError):
            return None
    return wait if wait > 0 else None
