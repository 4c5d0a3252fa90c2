"""REQUEST_TIMEOUT ends a request whose response has not begun by then."""

import asyncio
import json
import logging
import threading
import time

import anyio.to_thread
import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from app_core import ScalingMiddleware, instrument
from app_core.deadlines import Deadlines
from tests.support.asgi import Call, Clock, Puppet, cgroup_v2, fetch, http_scope, reply, settle
from tests.support.served import served

TIMEOUT = 10


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    monkeypatch.setenv("REQUEST_TIMEOUT", str(TIMEOUT))
    monkeypatch.setenv("MAX_CONCURRENT", "1")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def measure(clock, tmp_path):
    return lambda app: ScalingMiddleware(app, clock=clock, cgroup_root=cgroup_v2(tmp_path))


def look(measured):
    measured.instruments.deadlines.end_overdue(measured.instruments.tracker.clock())


async def pass_time(measured, clock, seconds=TIMEOUT):
    clock.advance(seconds)
    look(measured)
    await settle()


async def over(*calls):
    await asyncio.wait_for(asyncio.gather(*(call.task for call in calls)), 5)


async def counters(measured):
    told = json.loads((await fetch(measured, "/api/health/scaling")).body)["counters"]
    return told["requests_total"], told["errors_total"], told["shed_requests_total"]


class Stubborn:
    """An app that goes on when it is cancelled, until it is told to end; then it answers."""

    def __init__(self):
        self.cancelled = 0
        self.end = asyncio.Event()

    async def __call__(self, scope, receive, send):
        while not self.end.is_set():
            try:
                await self.end.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
        await reply(send)


async def begun(scope, receive, send):
    """Begins its response and then waits for a message of the client."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await receive()
    await send({"type": "http.response.body", "body": b"at last"})


async def test_a_request_is_answered_504_in_json_when_its_time_is_over_and_counts_once_as_an_error(measure, clock):
    seen = []

    async def app(scope, receive, send):
        try:
            await receive()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    measured = measure(app)
    call = Call(measured)
    await settle()
    await pass_time(measured, clock, TIMEOUT - 0.01)
    assert (call.sent, seen) == ([], [])
    await pass_time(measured, clock, 0.01)
    await over(call)
    assert call.status == 504
    assert call.headers[b"content-type"] == b"application/json"
    assert json.loads(call.body) == {"detail": "the request took too long and was ended"}
    assert seen == ["cancelled"]
    assert await counters(measured) == (1, 1, 0)
    assert (measured.instruments.gate.running, measured.instruments.tracker.concurrent) == (0, 0)


async def test_each_look_says_in_one_line_how_many_requests_it_ended(measure, clock, caplog):
    measured = measure(Puppet())
    calls = [Call(measured) for _ in range(3)]
    await settle()
    with caplog.at_level(logging.WARNING, "app_core"):
        await pass_time(measured, clock)
        await pass_time(measured, clock)
    assert [record.getMessage() for record in caplog.records] == ["requests ended after REQUEST_TIMEOUT=10 s: 3"]
    await over(*calls)


async def test_nothing_that_the_app_says_later_goes_out_and_its_place_is_taken_until_it_is_done(measure, clock):
    app = Stubborn()
    measured = measure(app)
    call = Call(measured)
    await settle()
    for _ in range(3):
        await pass_time(measured, clock)
    assert app.cancelled == 1  # told once
    assert (call.status, call.task.done()) == (504, False)
    assert (measured.instruments.gate.running, measured.instruments.tracker.concurrent) == (1, 0)

    waiting = Call(measured)
    await settle()
    assert (len(measured.instruments.gate.turns), waiting.sent) == (1, [])
    app.end.set()
    await over(call, waiting)
    assert [message["type"] for message in call.sent] == ["http.response.start", "http.response.body"]
    assert (call.status, waiting.status) == (504, 200)
    assert await counters(measured) == (2, 1, 0)
    assert measured.instruments.gate.running == 0


async def test_the_server_hears_that_the_app_is_done_only_when_the_answer_is_out(measure, clock):
    """uvicorn would take a request whose response is not complete by then for a failed one."""
    took, drained = [], asyncio.Event()

    async def send(message):
        await drained.wait()
        took.append(message["type"])

    async def app(scope, receive, send):
        await asyncio.Event().wait()

    measured = measure(app)
    server = asyncio.ensure_future(measured(http_scope(), None, send))
    await settle()
    await pass_time(measured, clock)
    assert (server.done(), measured.instruments.gate.running) == (False, 0)
    drained.set()
    await asyncio.wait_for(server, 5)
    assert took == ["http.response.start", "http.response.body"]


async def test_an_error_that_the_app_makes_of_it_reaches_the_server_after_the_answer(measure, clock):
    async def app(scope, receive, send):
        try:
            await receive()
        except asyncio.CancelledError:
            raise RuntimeError("the rollback failed") from None

    measured = measure(app)
    call = Call(measured)
    await settle()
    await pass_time(measured, clock)
    with pytest.raises(RuntimeError, match="the rollback failed"):
        await over(call)
    assert call.status == 504
    assert await counters(measured) == (1, 1, 0)


async def test_who_waited_too_long_in_the_queue_gets_503_and_leaves_no_trace_there(measure, clock):
    measured = measure(begun)
    running = Call(measured)
    await settle()
    clock.advance(1)
    queued = Call(measured)
    await settle()
    assert len(measured.instruments.gate.turns) == 1
    await pass_time(measured, clock)
    await over(queued)
    assert queued.status == 503
    assert int(queued.headers[b"retry-after"]) >= 1
    assert await counters(measured) == (1, 1, 1)
    assert (measured.instruments.gate.running, len(measured.instruments.gate.turns)) == (1, 0)
    running.deliver({"type": "http.request"})
    await over(running)
    assert (running.status, measured.instruments.gate.running) == (200, 0)


async def test_a_place_that_comes_in_the_moment_of_the_end_is_not_lost(measure, clock):
    app = Puppet()
    measured = measure(app)
    running = Call(measured)
    await settle()
    clock.advance(TIMEOUT)
    queued = [Call(measured), Call(measured)]
    await settle()
    app.answers[0].set()
    for _ in range(20):  # until the place is handed over, and before the next one has noticed
        if not measured.instruments.gate.running or running.sent:
            break
        await asyncio.sleep(0)
    clock.advance(TIMEOUT)
    look(measured)
    await over(running, *queued)
    assert [call.status for call in (running, *queued)] == [200, 503, 503]
    assert (measured.instruments.gate.running, len(measured.instruments.gate.turns)) == (0, 0)


async def test_a_response_that_has_begun_is_left_alone_however_long_it_takes(measure, clock):
    measured = measure(begun)
    call = Call(measured)
    await settle()
    for _ in range(5):
        await pass_time(measured, clock)
    call.deliver({"type": "http.request"})
    await over(call)
    assert (call.status, call.body) == (200, b"at last")
    assert await counters(measured) == (1, 0, 0)


async def test_what_an_app_does_after_its_response_is_left_alone_too(measure, clock):
    done = []

    async def app(scope, receive, send):
        await reply(send)
        await receive()
        done.append("background work")

    measured = measure(app)
    call = Call(measured)
    await settle()
    await pass_time(measured, clock)
    call.deliver({"type": "http.request"})
    await over(call)
    assert (call.status, done) == (200, ["background work"])


@pytest.mark.parametrize("server_is_first", (True, False))
async def test_when_the_server_cancels_at_the_same_time_it_hears_of_that(measure, clock, server_is_first):
    measured = measure(Puppet())
    call = Call(measured)
    await settle()
    clock.advance(TIMEOUT)
    if server_is_first:
        call.task.cancel()
    look(measured)
    if not server_is_first:
        call.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await over(call)
    assert await counters(measured) == (1, 1, 0)
    assert measured.instruments.gate.running == 0


async def test_a_task_that_was_ended_is_as_fresh_as_before(measure, clock):
    """Else a timeout around it, or a group of tasks, would take our cancellation for one of somebody else."""
    measured = measure(Puppet())
    left = []

    async def server(scope, receive, send):
        await measured(scope, receive, send)
        left.append(asyncio.current_task().cancelling())

    call = Call(server)
    await settle()
    await pass_time(measured, clock)
    await over(call)
    assert left == [0]


def starlette(*endpoints):
    return Starlette(routes=[Route(f"/{endpoint.__name__}", endpoint) for endpoint in endpoints])


def in_a_thread(kind, release):
    def plain(request):
        assert release.wait(10)
        return PlainTextResponse("too late")

    async def to_thread(request):
        return await asyncio.to_thread(plain, request)

    return starlette(plain if kind == "plain" else to_thread)


async def until(holds):
    """Let threads work; at most two seconds."""
    for _ in range(400):
        if holds():
            return
        await asyncio.sleep(0.005)
    pytest.fail("it never came to that")


@pytest.mark.parametrize("kind", ("plain", "to_thread"))
async def test_a_thread_keeps_its_place_until_it_is_done_while_the_client_has_its_answer(measure, clock, kind):
    release = threading.Event()
    measured = measure(in_a_thread(kind, release))
    call = Call(measured, http_scope(f"/{kind}"))
    await settle()
    try:
        await pass_time(measured, clock)
        assert call.status == 504
        assert (measured.instruments.gate.running, call.task.done()) == (1, False)
    finally:
        release.set()
    await over(call)
    assert len(call.sent) == 2
    assert measured.instruments.gate.running == 0


async def test_what_an_app_does_after_the_thread_is_ended_by_the_next_look(measure, clock):
    release, seen = threading.Event(), []

    async def app(scope, receive, send):
        await asyncio.to_thread(release.wait, 10)
        seen.append("goes on")
        await receive()

    measured = measure(app)
    call = Call(measured)
    await settle()
    await pass_time(measured, clock)
    release.set()
    await until(lambda: seen)
    assert not call.task.done()
    look(measured)
    await over(call)
    assert (call.status, measured.instruments.gate.running) == (504, 0)


async def test_who_only_waits_for_a_free_thread_is_ended_at_once(measure, clock):
    measured = measure(in_a_thread("plain", threading.Event()))
    limiter = anyio.to_thread.current_default_thread_limiter()
    limiter.total_tokens = 1
    async with limiter:  # somebody else has the only thread
        call = Call(measured, http_scope("/plain"))
        await settle()
        await pass_time(measured, clock)
        assert (call.status, call.task.done(), measured.instruments.gate.running) == (504, True, 0)


async def test_a_server_that_cancels_a_request_whose_thread_was_let_be_hears_of_that(measure, clock):
    release = threading.Event()
    measured = measure(in_a_thread("to_thread", release))
    call = Call(measured, http_scope("/to_thread"))
    await settle()
    try:
        await pass_time(measured, clock)
        call.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await over(call)
    finally:
        release.set()
    assert (call.status, measured.instruments.gate.running) == (504, 0)


async def test_it_is_off_when_it_is_0(measure, clock, monkeypatch):
    monkeypatch.setenv("REQUEST_TIMEOUT", "0")
    measured = measure(begun)
    assert measured.instruments.deadlines is None
    call = Call(measured)
    call.deliver({"type": "http.request"})
    await over(call)
    assert call.status == 200


@pytest.mark.parametrize(
    "scope", (http_scope("/health"), http_scope("/api/health/deep"), {"type": "websocket", "path": "/work"})
)
async def test_excluded_paths_and_websockets_are_never_ended(measure, clock, scope):
    app = Puppet()
    measured = measure(app)
    call = Call(measured, scope)
    await settle()
    await pass_time(measured, clock, 100 * TIMEOUT)
    assert not call.task.done()
    app.answers[0].set()
    await over(call)
    assert call.status == 200


class Watched:
    """An exchange that counts how often it is looked at."""

    looks = 0

    def __init__(self, started):
        self._started = started

    @property
    def started(self):
        Watched.looks += 1
        return self._started

    def expire(self):
        return None


async def test_a_look_at_ten_thousand_requests_costs_as_much_as_the_overdue_ones():
    deadlines = Deadlines(TIMEOUT)
    for number in range(10_000):
        deadlines.open(Watched(number / 1000))
    Watched.looks = 0
    deadlines.end_overdue(TIMEOUT + 0.0025)
    assert Watched.looks == 4  # three are overdue, and the fourth is not
    deadlines.end_overdue(TIMEOUT + 0.0025)
    assert Watched.looks == 5


@pytest.mark.parametrize("http", ("h11", "httptools"))
def test_under_uvicorn_the_answer_is_in_time_and_the_connection_good_for_the_next_request(tmp_path, monkeypatch, http):
    monkeypatch.setenv("REQUEST_TIMEOUT", "0.2")
    app = FastAPI()
    release = threading.Event()

    @app.get("/asks")
    async def asks():
        await asyncio.Event().wait()

    @app.get("/thread")
    def thread():
        release.wait(10)

    @app.get("/port")
    async def port(request: Request):
        return request.client.port

    instruments = instrument(app, cgroup_root=cgroup_v2(tmp_path), max_queued=9)
    with served(app, http=http) as url, httpx.Client(base_url=url, timeout=5) as client:
        before = client.get("/port").json()
        for path in ("/asks", "/thread"):
            started = time.monotonic()
            answer = client.get(path)
            took = time.monotonic() - started
            assert answer.status_code == 504
            assert 0.2 <= took < 0.2 + 0.25 + 2  # the last is for a busy machine
        release.set()
        assert client.get("/port").json() == before
    assert (instruments.tracker.view().requests, instruments.tracker.view().errors) == (4, 2)
    assert instruments.gate.running == 0
