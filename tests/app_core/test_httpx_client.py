"""The calls of an httpx client, measured as waits for a dependency: real clients, a real server on loopback, a clock that moves when told."""

import asyncio
from contextlib import asynccontextmanager, contextmanager

import httpx
import pytest
from aiohttp import web

from app_core.dependencies import Waits, current
from app_core.httpx_client import MeasuredAsyncTransport, MeasuredTransport, measure_client
from app_core.ledger import Kind, Ledger
from tests.support.asgi import Clock, settle


class Measured:
    """One request of the app, and what it has waited for."""

    def __init__(self):
        self.clock = Clock()
        self._ledger = Ledger()
        self._waits = Waits(self.clock, self._ledger)

    def waits(self):
        return self._waits

    @contextmanager
    def served(self):
        token = current.set(self)
        try:
            yield
        finally:
            current.reset(token)
            self._waits.close()

    def result(self):
        """Calls, failures and seconds by name."""
        names = self._ledger.names_of(Kind.DEPENDENCY)
        return {name: tuple(self._ledger.totals(place, place + 3)) for name, place in names.items()}


@pytest.fixture
def request_of_app():
    return Measured()


@asynccontextmanager
async def peer(handler):
    """The dependency: every path is answered by the handler."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_call_waits_from_the_request_until_the_last_byte(request_of_app):
    async def answer(request):
        request_of_app.clock.advance(2)
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"one")
        await settle()
        request_of_app.clock.advance(3)
        await response.write(b"two")
        return response

    async with peer(answer) as url, measure_client(httpx.AsyncClient(), "openai") as client:
        with request_of_app.served():
            got = await client.get(url)
            request_of_app.clock.advance(100)
    assert got.text == "onetwo"
    assert request_of_app.result() == {"openai": (1, 0, 5)}


async def test_what_the_app_does_between_two_parts_of_a_stream_is_no_wait(request_of_app):
    next_part = asyncio.Queue()

    async def answer(request):
        request_of_app.clock.advance(2)
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(3):
            request_of_app.clock.advance(await next_part.get())
            await response.write(b"part")
        return response

    async with peer(answer) as url, measure_client(httpx.AsyncClient(), "openai") as client:
        with request_of_app.served():
            async with client.stream("GET", url) as response:
                request_of_app.clock.advance(100)
                next_part.put_nowait(1)
                async for part in response.aiter_raw():
                    assert part == b"part"
                    request_of_app.clock.advance(100)
                    next_part.put_nowait(1)
    assert request_of_app.result() == {"openai": (1, 0, 5)}


async def test_a_stream_that_the_app_leaves_is_one_call_that_did_not_fail(request_of_app):
    async def answer(request):
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"part")
        await asyncio.Event().wait()

    async with peer(answer) as url, measure_client(httpx.AsyncClient(), "openai") as client:
        with request_of_app.served():
            async with client.stream("GET", url) as response:
                parts = response.aiter_raw()
                assert await anext(parts) == b"part"
            await parts.aclose()
    assert request_of_app.result() == {"openai": (1, 0, 0)}


async def test_a_call_that_times_out_has_failed_and_the_time_counts(request_of_app):
    async def answer(request):
        request_of_app.clock.advance(30)
        await asyncio.Event().wait()

    async with peer(answer) as url, measure_client(httpx.AsyncClient(timeout=0.05), "openai") as client:
        with request_of_app.served(), pytest.raises(httpx.ReadTimeout):
            await client.get(url)
    assert request_of_app.result() == {"openai": (1, 1, 30)}


async def test_a_body_that_breaks_off_is_one_failed_call(request_of_app):
    async def answer(request):
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"part")
        await settle()
        request_of_app.clock.advance(4)
        request.transport.abort()
        return response

    async with peer(answer) as url, measure_client(httpx.AsyncClient(), "openai") as client:
        with request_of_app.served(), pytest.raises(httpx.TransportError):
            await client.get(url)
    assert request_of_app.result() == {"openai": (1, 1, 4)}


async def test_a_peer_that_refuses_is_a_failed_call(request_of_app, unused_tcp_port):
    async with measure_client(httpx.AsyncClient()) as client:
        with request_of_app.served(), pytest.raises(httpx.ConnectError):
            await client.get(f"http://127.0.0.1:{unused_tcp_port}")
    assert request_of_app.result() == {"127.0.0.1": (1, 1, 0)}


@pytest.mark.parametrize(
    ("status", "failures"), ((200, 0), (302, 0), (400, 0), (404, 0), (429, 1), (500, 1), (503, 1), (599, 1))
)
async def test_a_call_fails_when_the_dependency_did_not_do_its_work(request_of_app, status, failures):
    async def answer(request):
        return web.Response(status=status, text="why")

    async with peer(answer) as url, measure_client(httpx.AsyncClient(), "openai") as client:
        with request_of_app.served():
            got = await client.get(url)
    assert (got.status_code, got.text) == (status, "why")
    assert request_of_app.result() == {"openai": (1, failures, 0)}


async def test_a_failed_answer_that_breaks_off_is_one_failure(request_of_app):
    async def answer(request):
        response = web.StreamResponse(status=502)
        await response.prepare(request)
        await response.write(b"part")
        await settle()
        request_of_app.clock.advance(4)
        request.transport.abort()
        return response

    async with peer(answer) as url, measure_client(httpx.AsyncClient(), "openai") as client:
        with request_of_app.served(), pytest.raises(httpx.TransportError):
            await client.get(url)
    assert request_of_app.result() == {"openai": (1, 1, 4)}


async def test_a_call_that_the_app_cancels_did_not_fail(request_of_app):
    arrived = asyncio.Event()

    async def answer(request):
        request_of_app.clock.advance(7)
        arrived.set()
        await asyncio.Event().wait()

    async with peer(answer) as url, measure_client(httpx.AsyncClient(), "openai") as client:
        with request_of_app.served():
            call = asyncio.create_task(client.get(url))
            await asyncio.wait_for(arrived.wait(), 10)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
    assert request_of_app.result() == {"openai": (1, 0, 7)}


async def test_an_answer_that_says_it_failed_has_failed_however_its_body_ends(request_of_app):
    async def answer(request):
        response = web.StreamResponse(status=503)
        await response.prepare(request)
        await response.write(b"part")
        await asyncio.Event().wait()

    async with peer(answer) as url, measure_client(httpx.AsyncClient(), "openai") as client:
        with request_of_app.served():
            async with client.stream("GET", url) as response:
                rest = asyncio.create_task(response.aread())
                await settle()
                rest.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await rest
    assert request_of_app.result() == {"openai": (1, 1, 0)}


async def test_calls_at_the_same_time_are_waited_for_once(request_of_app):
    both = asyncio.Barrier(2)

    async def answer(request):
        await both.wait()
        request_of_app.clock.advance(3)
        return web.Response()

    async with peer(answer) as url, measure_client(httpx.AsyncClient(), "openai") as client:
        with request_of_app.served():
            await asyncio.wait_for(asyncio.gather(client.get(url), client.get(url)), 10)
    assert request_of_app.result() == {"openai": (2, 0, 6)}


async def test_a_redirect_is_a_call_of_its_own(request_of_app):
    async def answer(request):
        raise web.HTTPFound("/there") if request.path == "/here" else web.HTTPOk

    async with peer(answer) as url, measure_client(httpx.AsyncClient(follow_redirects=True), "openai") as client:
        with request_of_app.served():
            assert (await client.get(f"{url}/here")).status_code == 200
    assert request_of_app.result() == {"openai": (2, 0, 0)}


async def test_outside_of_a_request_a_client_works_as_before():
    async def answer(request):
        return web.Response(text="hello")

    async with peer(answer) as url, measure_client(httpx.AsyncClient()) as client:
        assert (await client.get(url)).text == "hello"


async def test_a_sync_client_in_a_worker_thread_is_measured_alike(request_of_app):
    async def answer(request):
        request_of_app.clock.advance(2)
        return web.Response(status=500, text="sorry")

    async with peer(answer) as url:
        with request_of_app.served(), measure_client(httpx.Client(), "openai") as client:
            assert (await asyncio.to_thread(client.get, url)).text == "sorry"
    assert request_of_app.result() == {"openai": (1, 1, 2)}


def test_a_sync_stream_waits_only_while_more_of_it_is_asked_for(request_of_app):
    def answer(environ, start_response):
        request_of_app.clock.advance(2)
        start_response("200 OK", [])
        for part in (b"one", b"two"):
            request_of_app.clock.advance(1)
            yield part

    client = measure_client(httpx.Client(transport=httpx.WSGITransport(answer)), "openai")
    with request_of_app.served(), client, client.stream("GET", "http://openai") as response:
        for _ in response.iter_raw():
            request_of_app.clock.advance(100)
    assert request_of_app.result() == {"openai": (1, 0, 4)}


def test_a_sync_body_that_breaks_off_is_one_failed_call(request_of_app):
    class Broken(httpx.SyncByteStream):
        def __iter__(self):
            yield b"part"
            raise httpx.ReadError("gone")

    client = measure_client(httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, stream=Broken()))))
    with request_of_app.served(), client, pytest.raises(httpx.ReadError):
        client.get("http://openai")
    assert request_of_app.result() == {"openai": (1, 1, 0)}


def answered_by(name):
    return httpx.MockTransport(lambda _: httpx.Response(200, text=name))


async def test_transports_for_certain_addresses_are_measured_too_and_keep_their_place(request_of_app):
    mounts = {"all://a": answered_by("mounted"), "all://b": None}
    client = measure_client(httpx.AsyncClient(transport=answered_by("main"), mounts=mounts))
    async with client:
        with request_of_app.served():
            answers = [(await client.get(f"http://{host}")).text for host in "abc"]
    assert answers == ["mounted", "main", "main"]
    assert request_of_app.result() == {"a": (1, 0, 0), "b": (1, 0, 0), "c": (1, 0, 0)}


@pytest.mark.parametrize("kind", (httpx.Client, httpx.AsyncClient))
async def test_a_client_measured_again_goes_by_the_last_name(request_of_app, kind):
    client = kind(transport=answered_by("main"), mounts={"all://a": answered_by("mounted")})
    assert measure_client(measure_client(client, "first"), "second") is client
    with request_of_app.served():
        for host in ("a", "b"):
            got = client.get(f"http://{host}")
            assert (got if kind is httpx.Client else await got).status_code == 200
    assert request_of_app.result() == {"second": (2, 0, 0)}


async def test_a_client_can_be_made_with_a_measured_transport(request_of_app):
    sync = httpx.Client(transport=MeasuredTransport(answered_by("main"), "sync"))
    with request_of_app.served(), sync:
        await asyncio.to_thread(sync.get, "http://a")
        async with httpx.AsyncClient(transport=MeasuredAsyncTransport(answered_by("main"), "async")) as client:
            await client.get("http://a")
    assert request_of_app.result() == {"sync": (1, 0, 0), "async": (1, 0, 0)}


class Noting(httpx.BaseTransport, httpx.AsyncBaseTransport):
    def __init__(self):
        self.notes = []

    def __enter__(self):
        self.notes.append("entered")

    def __exit__(self, *error):
        self.notes.append("left")

    def close(self):
        self.notes.append("closed")

    async def __aenter__(self):
        self.notes.append("entered")

    async def __aexit__(self, *error):
        self.notes.append("left")

    async def aclose(self):
        self.notes.append("closed")


async def test_a_measured_transport_is_opened_and_closed_with_its_client():
    first, second, third, fourth = (Noting() for _ in range(4))
    async with measure_client(httpx.AsyncClient(transport=first)):
        pass
    await measure_client(httpx.AsyncClient(transport=second)).aclose()
    with measure_client(httpx.Client(transport=third)):
        pass
    measure_client(httpx.Client(transport=fourth)).close()
    assert [each.notes for each in (first, second, third, fourth)] == [["entered", "left"], ["closed"]] * 2


class NotingBody(httpx.SyncByteStream, httpx.AsyncByteStream):
    closed = False

    def close(self):
        self.closed = True

    async def aclose(self):
        self.closed = True


async def test_a_body_that_nobody_reads_is_closed_with_its_response():
    bodies = NotingBody(), NotingBody()
    to_async, to_sync = (httpx.MockTransport(lambda _, body=body: httpx.Response(200, stream=body)) for body in bodies)
    async with measure_client(httpx.AsyncClient(transport=to_async)) as client, client.stream("GET", "http://a"):
        pass
    with measure_client(httpx.Client(transport=to_sync)) as client, client.stream("GET", "http://a"):
        pass
    assert [body.closed for body in bodies] == [True, True]


def test_what_is_no_httpx_client_is_refused():
    with pytest.raises(TypeError, match=r"^Clock is neither an httpx.Client nor an httpx.AsyncClient"):
        measure_client(Clock())


@pytest.mark.parametrize(
    ("kind", "transport"), ((httpx.Client, "MeasuredTransport"), (httpx.AsyncClient, "MeasuredAsyncTransport"))
)
def test_a_client_whose_transports_are_elsewhere_is_refused_with_another_way(kind, transport):
    client = kind()
    del client._mounts
    with pytest.raises(TypeError, match=rf"make it with transport=app_core\.httpx_client\.{transport}\("):
        measure_client(client)
