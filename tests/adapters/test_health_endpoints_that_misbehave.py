"""Whatever an endpoint does, a poll ends in a report or in a miss that says why: over real HTTP."""

import asyncio
import socket

import pytest
from aiohttp import web

from autoscaler.adapters.clock import SystemClock
from autoscaler.adapters.health import BODY_LIMIT, HttpHealth
from autoscaler.core.observations import Miss, Missed
from autoscaler.core.policy import Health
from autoscaler.core.readings import read
from autoscaler.ports import Report
from tests.support.health_server import health_server, report


@pytest.fixture
async def health():
    adapter = HttpHealth(SystemClock(), {"TOKEN": "s3cret"})
    yield adapter
    await adapter.close()


@pytest.fixture
async def app():
    async with health_server() as server:
        yield server


def endpoint(url: str, timeout: str = "5s", **more) -> Health:
    return Health.model_validate({"url": url, "timeout": timeout, **more})


def answering(**response):
    async def handler(request: web.Request) -> web.Response:
        return web.Response(**response)

    return handler


async def test_a_good_answer_is_a_report_with_its_time(health, app):
    answer = await health.fetch(endpoint(app.url))
    assert isinstance(answer, Report)
    assert answer.body["current_metrics"] == {"concurrent_requests": 1}
    assert 0 < answer.took < 5


@pytest.mark.parametrize(
    ("response", "reason", "words"),
    (
        ({"status": 500}, Miss.SERVER_ERROR, "HTTP 500"),
        ({"status": 503, "text": "x"}, Miss.SERVER_ERROR, "HTTP 503"),
        ({"status": 401}, Miss.MISCONFIGURED, "wants a token"),
        ({"status": 403}, Miss.MISCONFIGURED, "wants a token"),
        ({"status": 404}, Miss.MISCONFIGURED, "is the path right?"),
        ({"status": 302, "headers": {"Location": "/login"}}, Miss.MISCONFIGURED, "a redirect"),
        ({"text": "<html><body>Log in</body></html>", "content_type": "text/html"}, Miss.MISCONFIGURED, "a web page"),
        ({"text": "not json"}, Miss.MISCONFIGURED, "no valid JSON"),
        ({"text": ""}, Miss.MISCONFIGURED, "no valid JSON"),
        ({"text": "[1]"}, Miss.MISCONFIGURED, "JSON list, not an object"),
        ({"text": '{"a": NaN}'}, Miss.MISCONFIGURED, "NaN is no number"),
        ({"text": '{"a": -Infinity}'}, Miss.MISCONFIGURED, "-Infinity is no number"),
        ({"body": b"\xff\xfe{"}, Miss.MISCONFIGURED, "no valid JSON"),
        ({"text": "[" * 100_000}, Miss.MISCONFIGURED, "no valid JSON"),
        ({"text": '{"a": "' + "x" * BODY_LIMIT + '"}'}, Miss.MISCONFIGURED, "over 1024 KB"),
        ({"body": b"x" * 10 * BODY_LIMIT}, Miss.MISCONFIGURED, "over 1024 KB"),
    ),
)
async def test_a_bad_answer_is_a_miss_that_names_what_is_wrong(health, app, response, reason, words):
    app.handler = answering(**response)
    answer = await health.fetch(endpoint(app.url))
    assert isinstance(answer, Missed)
    assert answer.reason is reason
    assert words in answer.detail


async def test_a_slow_answer_is_a_miss_within_the_timeout_and_says_how_long_it_waited(health, app):
    async def never(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    app.handler = never
    answer = await health.fetch(endpoint(app.url, timeout="0.1s"))
    assert answer == Missed(answer.at, Miss.TIMED_OUT, "no answer within 0.1s", 100)


async def test_a_body_that_drips_is_bounded_by_the_same_timeout(health, app):
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"a": 1')
        await asyncio.Event().wait()
        return response

    app.handler = drip
    answer = await health.fetch(endpoint(app.url, timeout="0.1s"))
    assert answer.reason is Miss.TIMED_OUT


async def test_a_closed_port_is_refused(health):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    answer = await health.fetch(endpoint(f"http://127.0.0.1:{port}/x"))
    assert answer.reason is Miss.REFUSED


async def test_a_connection_that_breaks_off_is_a_reset(health, app):
    async def break_off(request: web.Request) -> web.StreamResponse:
        request.transport.abort()
        return web.Response()

    app.handler = break_off
    answer = await health.fetch(endpoint(app.url))
    assert answer.reason is Miss.RESET


@pytest.mark.parametrize("url", ("http://[::bad/x", "https://localhost.invalid\u2028/x"))
async def test_an_address_that_is_none_is_a_miss(health, url):
    answer = await health.fetch(Health.model_construct(url=url, timeout=1000, token=None))
    assert isinstance(answer, Missed)


async def test_the_token_is_sent_as_a_bearer_and_a_missing_one_is_named(health, app):
    await health.fetch(endpoint(app.url, token={"env": "TOKEN"}))
    assert app.requests[0].headers["Authorization"] == "Bearer s3cret"
    answer = await health.fetch(endpoint(app.url, token={"env": "OTHER"}))
    assert answer.detail == "the bot has no OTHER in its environment"
    assert len(app.requests) == 1


async def test_no_compressed_answer_is_asked_for(health, app):
    await health.fetch(endpoint(app.url))
    assert app.requests[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    ("changed", "words"),
    (
        ({"timestamp": None}, "its 'timestamp' is null"),
        ({"timestamp": "yesterday"}, "no ISO 8601 time"),
        ({"timestamp": "2026-01-01T00:00:00"}, "has no time zone"),
        ({"current_metrics": None}, "is no object"),
        ({"counters": {"requests_total": -3}}, "counters.requests_total is '-3'"),
        ({"counters": {"requests_total": True}}, "is 'True'"),
        ({"counters": {"requests_total": "many"}}, "is 'many'"),
        ({"counters": {"requests_total": 10**400}}, "which is no count or measure"),
        ({"resources": {"memory_used_bytes": -1}}, "resources.memory_used_bytes is '-1'"),
    ),
)
def test_impossible_values_fail_the_poll_with_their_name(changed, words):
    observation = read(report(**changed), 1_000, None, 30_000)
    assert isinstance(observation, Missed)
    assert observation.reason is Miss.MISCONFIGURED
    assert words in observation.detail


@pytest.mark.parametrize("key", ("timestamp", "current_metrics"))
def test_a_missing_field_fails_the_poll_with_its_name(key):
    body = report()
    del body[key]
    observation = read(body, 1_000, None, 30_000)
    assert f"it has no '{key}'" in observation.detail


def test_a_timestamp_that_stands_still_is_frozen():
    body = report()
    first = read(body, 1_000, None, 30_000)
    assert read(body, 31_000, first, 30_000).reason is Miss.FROZEN


@pytest.mark.parametrize("token", ("s3cret\n", " s3cret\r\n"))
async def test_a_token_that_was_copied_with_its_line_break_is_sent_without_it(app, token):
    health = HttpHealth(SystemClock(), {"TOKEN": token})
    answer = await health.fetch(endpoint(app.url, token={"env": "TOKEN"}))
    await health.close()
    assert isinstance(answer, Report)
    assert app.requests[0].headers["Authorization"] == "Bearer s3cret"


@pytest.mark.parametrize("token", ("s3cret\nwith a line break", "s3crét", "s3cret\0"))
async def test_a_token_that_can_not_be_one_is_named_and_never_shown(app, token):
    health = HttpHealth(SystemClock(), {"TOKEN": token})
    answer = await health.fetch(endpoint(app.url, token={"env": "TOKEN"}))
    await health.close()
    assert isinstance(answer, Missed)
    assert answer.reason is Miss.MISCONFIGURED
    assert answer.detail == "TOKEN holds a line break or a character outside ASCII: it was not copied as it is"
    assert "s3cr" not in str(answer)
