"""What counts as a request, from when to when, and as an error."""

import asyncio

import pytest

from app_core import ScalingMiddleware
from tests.support.asgi import WINDOW, Call, Clock, Puppet, cgroup_v2, fetch, http_scope, reply, settle


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def measure(clock, tmp_path):
    root = cgroup_v2(tmp_path)

    def wrap(app, **options):
        return ScalingMiddleware(app, clock=clock, cgroup_root=root, **options)

    return wrap


async def test_work_after_the_last_byte_is_no_part_of_the_response(measure, clock):
    done = asyncio.Event()

    async def app(scope, receive, send):
        await reply(send)
        await done.wait()

    measured = measure(app)
    call = Call(measured)
    await settle()
    tracker = measured.instruments.tracker
    assert (tracker.concurrent, tracker.view().requests, measured.instruments.gate.running) == (0, 1, 0)
    clock.advance(60)
    done.set()
    await call.task
    assert (tracker.view().requests, tracker.view().seconds) == (1, 0)


async def test_an_exception_after_the_last_byte_is_raised_but_the_response_was_no_error(measure):
    async def app(scope, receive, send):
        await reply(send)
        raise RuntimeError("a background job")

    measured = measure(app)
    with pytest.raises(RuntimeError, match="background job"):
        await fetch(measured)
    assert (measured.instruments.tracker.view().requests, measured.instruments.tracker.view().errors) == (1, 0)


async def test_an_exception_in_the_middle_of_a_response_is_an_error(measure):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError("lost")

    measured = measure(app)
    with pytest.raises(RuntimeError, match="lost"):
        await fetch(measured)
    assert (measured.instruments.tracker.view().requests, measured.instruments.tracker.view().errors) == (1, 1)
    assert measured.instruments.gate.running == 0


async def test_a_response_that_is_never_finished_is_an_error(measure):
    async def app(scope, receive, send):
        return

    measured = measure(app)
    await fetch(measured)
    assert (measured.instruments.tracker.view().requests, measured.instruments.tracker.view().errors) == (1, 1)


async def test_a_request_is_over_when_the_app_hears_that_the_client_is_gone(measure, clock):
    async def app(scope, receive, send):
        while (await receive())["type"] != "http.disconnect":
            pass
        clock.advance(60)  # cleaning up
        raise RuntimeError("nobody is left to answer")

    measured = measure(app)
    call = Call(measured)
    call.deliver({"type": "http.request", "body": b"", "more_body": False})
    await settle()
    clock.advance(2)
    call.deliver({"type": "http.disconnect"})
    with pytest.raises(RuntimeError):
        await call.task
    tracker = measured.instruments.tracker
    assert (tracker.view().requests, tracker.view().errors, tracker.view().seconds, tracker.concurrent) == (1, 0, 2, 0)


async def test_a_send_that_the_server_refuses_because_the_client_is_gone_is_no_error(measure):
    async def app(scope, receive, send):
        await reply(send)

    async def refuse(message):
        raise OSError("connection lost")

    measured = measure(app)
    with pytest.raises(OSError, match="connection lost"):
        await measured(http_scope(), asyncio.Queue().get, refuse)
    tracker = measured.instruments.tracker
    assert (tracker.view().requests, tracker.view().errors, tracker.concurrent) == (1, 0, 0)


@pytest.mark.parametrize(
    "message",
    (
        {"type": "http.response.pathsend", "path": "/srv/file"},
        {"type": "http.response.zerocopysend", "file": 3},
        {"type": "http.response.zerocopysend", "file": 3, "more_body": False},
    ),
)
async def test_a_file_sent_by_the_server_itself_ends_the_request(measure, message):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send(message)

    measured = measure(app)
    await fetch(measured)
    assert (measured.instruments.tracker.view().requests, measured.instruments.tracker.view().errors) == (1, 0)


@pytest.mark.parametrize("kind", ("websocket", "lifespan"))
async def test_websockets_and_lifespan_pass_untouched(measure, kind):
    seen = []

    async def app(scope, receive, send):
        seen.append((scope, receive, send))

    measured = measure(app)
    given = ({"type": kind, "path": "/work"}, asyncio.Queue().get, asyncio.Queue().put)
    await measured(*given)
    assert [tuple(map(id, one)) for one in seen] == [tuple(map(id, given))]
    assert measured.instruments.tracker.view().requests == 0


@pytest.mark.parametrize("path", ("/health", "/health/live", "/healthz", "/api/health", "/api/health/database"))
async def test_health_paths_count_in_nothing(measure, path):
    async def app(scope, receive, send):
        await reply(send, 500)

    measured = measure(app)
    answer = await fetch(measured, path)
    tracker = measured.instruments.tracker
    assert (tracker.view().requests, tracker.view().errors, tracker.view().peak(WINDOW["1m"])) == (0, 0, 0)
    assert b"x-response-time" not in answer.headers


@pytest.mark.parametrize("path", ("/healthcare/visits", "/api/healthy", "/", "/api/health2"))
async def test_a_path_that_only_begins_like_a_health_path_counts(measure, path):
    async def app(scope, receive, send):
        await reply(send)

    measured = measure(app)
    await fetch(measured, path)
    assert measured.instruments.tracker.view().requests == 1


async def test_which_paths_count_is_an_option(measure):
    async def app(scope, receive, send):
        await reply(send)

    measured = measure(app, exclude=("/metrics/", "/up"))
    for path in ("/metrics", "/metrics/all", "/up", "/health"):
        await fetch(measured, path)
    assert measured.instruments.tracker.view().requests == 1


async def test_health_paths_and_the_endpoint_pass_a_gate_that_is_shut(measure, monkeypatch):
    monkeypatch.setenv("MAX_CONCURRENT", "1")
    puppet = Puppet()
    measured = measure(puppet, max_queued=0)
    running = Call(measured)
    await settle()
    assert (await fetch(measured)).status == 503
    assert (await fetch(measured, "/api/health/scaling")).status == 200
    health = Call(measured, http_scope("/health"))
    await settle()
    for answer in puppet.answers:
        answer.set()
    await asyncio.gather(running.task, health.task)
    assert health.status == 200


async def test_the_headers_tell_the_time_to_the_first_byte_and_can_be_off(measure, clock):
    async def app(scope, receive, send):
        clock.advance(1.5)
        await reply(send)

    told = await fetch(measure(app))
    assert told.headers[b"x-response-time"] == b"1.500s"
    assert told.headers[b"content-type"] == b"text/plain"
    silent = await fetch(measure(app, headers=False))
    assert set(silent.headers) == {b"content-type"}


async def test_headers_that_the_app_sends_again_and_again_do_not_grow(measure):
    headers = [(b"content-type", b"text/plain")]

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    measured = measure(app)
    await fetch(measured)
    await fetch(measured)
    assert headers == [(b"content-type", b"text/plain")]
