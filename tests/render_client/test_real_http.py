"""The network as it is: sockets that refuse, reset, hang, cut off and drip, on loopback."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import httpx
import pytest

from render_client import RenderClient, RenderDownError
from tests.support.render_replies import KEY, SERVICE, ToldTime

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(talk: Talk, *, seconds: float = 5.0) -> AsyncIterator[tuple[RenderClient, list[bytes]]]:
    """A server that reads a request's head and then does what it likes, a client of it, and the heads it read."""
    heads: list[bytes] = []
    open_writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_writers.append(writer)
        with suppress(asyncio.IncompleteReadError):
            heads.append(await reader.readuntil(b"\r\n\r\n"))
        await talk(reader, writer)

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    time = ToldTime()
    client = RenderClient(KEY, f"http://127.0.0.1:{port}/v1", timeout=seconds, clock=time.clock, sleep=time.sleep)
    try:
        yield client, heads
    finally:
        await client.aclose()
        for writer in open_writers:
            writer.close()
        listening.close()
        await listening.wait_closed()


async def test_a_refused_connection_is_said_as_such_and_has_not_acted():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets it, and it refuses
        time = ToldTime()
        base_url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        async with RenderClient(KEY, base_url, clock=time.clock, sleep=time.sleep) as client:
            with pytest.raises(RenderDownError, match="no connection") as caught:
                await client.create_deploy(SERVICE)
    assert not caught.value.request_may_have_acted
    assert len(time.waits) == 3


async def test_a_server_that_never_answers_is_given_up_after_the_timeout():
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the client goes

    async with server(hang, seconds=0.05) as (client, heads):
        with pytest.raises(RenderDownError, match=r"within 0\.05 s") as caught:
            await client.create_deploy(SERVICE)
    assert caught.value.request_may_have_acted
    assert len(heads) == 1


async def test_a_connection_that_is_never_ready_is_told_from_an_answer_that_never_comes():
    """A server that takes the connection and keeps silent in the TLS handshake: nothing of the call has left."""
    async with server(ignore) as (client, heads):
        port = client._transport._http.base_url.port
        time = ToldTime()
        base_url = f"https://127.0.0.1:{port}/v1"
        async with RenderClient(KEY, base_url, timeout=0.1, clock=time.clock, sleep=time.sleep) as secure:
            with pytest.raises(RenderDownError, match=r"no connection within 0\.05 s") as caught:
                await secure.create_deploy(SERVICE)
    assert not caught.value.request_may_have_acted
    assert heads == []


async def ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Do nothing with what was read."""


async def test_a_server_that_drips_is_given_up_although_each_byte_comes_in_time():
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            writer.write(b" ")
            with suppress(TimeoutError):
                await asyncio.wait_for(reader.read(), 0.02)
                return  # the client has gone

    async with server(drip, seconds=0.1) as (client, heads):
        with pytest.raises(RenderDownError, match=r"within 0\.1 s"):
            await client.restart_service(SERVICE)
    assert len(heads) == 1


async def test_a_connection_that_is_reset_may_have_acted():
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with server(reset) as (client, heads):
        with pytest.raises(RenderDownError, match="the connection broke") as caught:
            await client.create_deploy(SERVICE)
    assert caught.value.request_may_have_acted
    assert len(heads) == 1


@pytest.mark.parametrize(
    "reply",
    (
        b'HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n{"id": "dep-1"',
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 201 Created\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"HTTP/1.1 2",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b'HTTP/1.1 201 Created\r\nContent-Length: 9\r\nConnection: close\r\n\r\n{"id": "d',
    ),
)
async def test_a_reply_that_is_cut_short_or_garbled_is_render_down_and_may_have_acted(reply):
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(reply)
        writer.close()

    async with server(answer) as (client, heads):
        with pytest.raises(RenderDownError) as caught:
            await client.create_deploy(SERVICE)
    assert caught.value.request_may_have_acted
    assert len(heads) == 1


async def test_a_read_survives_one_broken_connection():
    replies = iter((b"", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]"))

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(next(replies))
        writer.close()

    async with server(answer) as (client, heads):
        assert await client.list_owners() == []
    assert len(heads) == 2
    assert heads[0] == heads[1]


async def test_a_simulator_on_loopback_is_reached_although_a_proxy_is_set(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]")
        writer.close()

    async with server(answer) as (client, _):
        assert await client.list_owners() == []


async def test_a_closed_client_cannot_be_used_any_more():
    client = RenderClient(KEY, transport=httpx.MockTransport(lambda _: httpx.Response(200, json=[])))
    await client.aclose()
    with pytest.raises(RuntimeError, match="closed"):
        await client.list_owners()
