"""The app's scaling health endpoint over HTTP. Whatever an endpoint may do, a poll ends in a report or in a miss with its reason."""

import asyncio
import json
import os
from collections.abc import Mapping
from typing import NoReturn

import httpx

from autoscaler.core.durations import format_duration
from autoscaler.core.observations import Miss, Missed
from autoscaler.core.policy import Health
from autoscaler.ports import Clock, Report

BODY_LIMIT = 1024 * 1024
"""A health report is a few KB; more than 1 MB is something else."""


class HttpHealth:
    """ports.HealthPort. One client for all services; connections are not kept, since polls of one host are far apart."""

    def __init__(self, clock: Clock, environment: Mapping[str, str] = os.environ) -> None:
        self._clock = clock
        self._environment = environment
        self._client = httpx.AsyncClient(
            follow_redirects=False,
            limits=httpx.Limits(max_connections=100, max_keepalive_connections=0),
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "identity",  # a few KB; and no small answer that unpacks into a huge one
                "User-Agent": "render-autoscaler",
            },
            timeout=None,  # noqa: S113 - `fetch` bounds each poll as a whole
        )

    async def close(self) -> None:
        """Close the client."""
        await self._client.aclose()

    async def fetch(self, health: Health) -> Report | Missed:
        """One poll, within the policy's timeout from first to last byte."""
        at, began = self._clock.now(), self._clock.monotonic()
        timeout = health.timeout / 1000
        try:
            async with asyncio.timeout(timeout):
                return await self._ask(health, at, began)
        except (TimeoutError, httpx.TimeoutException):
            return Missed(at, Miss.TIMED_OUT, f"no answer within {format_duration(health.timeout)}", health.timeout)
        except httpx.ConnectError as error:
            return Missed(at, Miss.REFUSED, _words(error))
        except httpx.TransportError as error:
            return Missed(at, Miss.RESET, _words(error))
        except (httpx.InvalidURL, httpx.HTTPError, UnicodeError) as error:
            return Missed(at, Miss.MISCONFIGURED, _words(error))

    async def _ask(self, health: Health, at: int, began: float) -> Report | Missed:
        headers = {}
        if health.token is not None:
            name = health.token.env
            token = self._environment.get(name, "").strip()
            if not token:
                return Missed(at, Miss.MISCONFIGURED, f"the bot has no {name} in its environment")
            if not (token.isascii() and token.isprintable()):  # the error of who would send it shows it
                words = f"{name} holds a line break or a character outside ASCII: it was not copied as it is"
                return Missed(at, Miss.MISCONFIGURED, words)
            headers["Authorization"] = f"Bearer {token}"
        async with self._client.stream("GET", health.url, headers=headers) as response:
            if (problem := _problem(response)) is not None:
                return Missed(at, problem[0], problem[1])
            raw = bytearray()
            async for chunk in response.aiter_bytes():
                raw += chunk
                if len(raw) > BODY_LIMIT:
                    return Missed(
                        at, Miss.MISCONFIGURED, f"its answer is over {BODY_LIMIT // 1024} KB: no health report"
                    )
        body = _json(bytes(raw))
        if isinstance(body, str):
            return Missed(at, Miss.MISCONFIGURED, body)
        return Report(at, self._clock.monotonic() - began, body)


def _problem(response: httpx.Response) -> tuple[Miss, str] | None:
    """What the status says is wrong, before the body is read."""
    status = response.status_code
    if response.is_redirect:
        return Miss.MISCONFIGURED, f"HTTP {status}, a redirect: write the final address in 'health: url:'"
    if status in {401, 403}:
        return Miss.MISCONFIGURED, f"HTTP {status}: it wants a token; set 'health: token: {{env: …}}'"
    if response.is_server_error:
        return Miss.SERVER_ERROR, f"HTTP {status}"
    if status != 200:
        return Miss.MISCONFIGURED, f"HTTP {status}: is the path right?"
    return None


def _json(raw: bytes) -> dict[str, object] | str:
    """The object, or what is wrong with it."""
    start = raw.lstrip()[:1]
    if start == b"<":
        return "it answers with a web page, not with JSON: is the path right, is there a login before it?"
    try:
        body = json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        return f"its answer is no valid JSON: {str(error)[:120]}"
    return body if isinstance(body, dict) else f"its answer is a JSON {type(body).__name__}, not an object"


def _no_constant(word: str) -> NoReturn:
    """Python would read NaN and Infinity, which JSON does not have and no metric can be."""
    raise ValueError(f"{word} is no number")


def _words(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:200]
