"""A receiver refuses, stumbles, hangs or sends on: the outbox learns whether to try again, people what to do, nobody the secrets."""

import asyncio
import logging
import socket
import traceback
from email.utils import formatdate

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.adapters.webhook import _seconds
from autoscaler.errors import RefusedError, UnavailableError
from autoscaler.report import messages
from tests.support.stories import NOW, delivery
from tests.support.webhook_receiver import PATH, SECRET, webhook_receiver

HELLO = delivery(messages.notice("Hello"), id="evt_hello")


@pytest.mark.parametrize("status", (200, 201, 202, 204, 299))
async def test_any_2xx_is_delivered(receiver, notifier, status):
    receiver.answers(status)
    assert await notifier.deliver(HELLO) == "evt_hello"


@pytest.mark.parametrize(
    ("status", "fix"),
    (
        (400, "log says why"),
        (401, "WEBHOOK_SECRET"),
        (403, "WEBHOOK_SECRET"),
        (404, "path of WEBHOOK_URL"),
        (405, "log says why"),
        (410, "take that variable away"),
        (422, "log says why"),
        (499, "log says why"),
    ),
)
async def test_a_refusal_names_its_fix_and_is_final(receiver, notifier, status, fix):
    receiver.answers(status)
    with pytest.raises(RefusedError) as caught:
        await notifier.deliver(HELLO)
    assert fix in str(caught.value)
    assert f"{receiver.origin} refused the message (HTTP {status})" in str(caught.value)


@pytest.mark.parametrize(
    ("status", "acted"), ((408, True), (429, False), (500, True), (502, True), (503, True), (504, True), (599, True))
)
async def test_a_receiver_that_can_not_now_is_to_be_tried_again(receiver, notifier, status, acted):
    receiver.answers(status)
    with pytest.raises(UnavailableError, match=rf"now \(HTTP {status}\)") as caught:
        await notifier.deliver(HELLO)
    assert caught.value.may_have_acted is acted
    assert caught.value.retry_after is None
    assert len(receiver.got) == 1, "nothing is retried in here"


@pytest.mark.parametrize("status", (429, 503))
@pytest.mark.parametrize(
    ("said", "seconds"),
    (
        ("7", 7.0),
        (formatdate(NOW / 1000 + 90, usegmt=True), 90.0),
        (formatdate(NOW / 1000 - 90, usegmt=True), None),
        ("0", None),
        ("-5", None),
        ("soon", None),
        ("9" * 400, None),
        ("٣", None),
        (f"Mon, 01 Jan {'9' * 20} 00:00:00 GMT", None),
        ("Mon, 01 Jan 0001 00:00:00 -0000", None),
        ("Mon, 32 Foo 2026 99:99:99 GMT", None),
    ),
)
async def test_the_time_that_it_asks_for_is_passed_on_if_it_is_one(receiver, notifier, status, said, seconds):
    receiver.answers(status, Retry_After=said)
    with pytest.raises(UnavailableError) as caught:
        await notifier.deliver(HELLO)
    assert caught.value.retry_after == seconds


@given(st.text())
def test_no_junk_for_a_time_breaks_anything(said):
    wait = _seconds(said, NOW)
    assert wait is None or wait > 0


@pytest.mark.parametrize("status", (300, 301, 302, 303, 304, 307, 308))
async def test_a_redirect_is_not_followed_and_names_its_fix(notifier, receiver, status):
    async with webhook_receiver() as other:
        receiver.answers(status, Location=f"{other.origin}/elsewhere?token=REDIRECTtoken")
        with pytest.raises(RefusedError, match="final address into WEBHOOK_URL") as caught:
            await notifier.deliver(HELLO)
        assert other.got == [], "nothing is signed for another host"
    assert len(receiver.got) == 1
    assert "elsewhere" not in str(caught.value)


async def hang(request):
    await asyncio.Event().wait()
    raise AssertionError


async def test_a_receiver_that_hangs_is_given_up_after_the_timeout(receiver, posting):
    receiver.handler = hang
    hasty = posting(receiver.url, timeout=0.2)
    with pytest.raises(UnavailableError, match=r"within 0\.2s; the message may have arrived") as caught:
        await asyncio.wait_for(hasty.deliver(HELLO), 2)
    assert caught.value.may_have_acted
    assert len(receiver.got) == 1, "it hung after it had the message"


async def test_an_answer_without_an_end_is_an_answer_and_its_body_is_not_read(receiver, posting):
    async def endless(request):
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)

    receiver.handler = endless
    assert await asyncio.wait_for(posting(receiver.url, timeout=30).deliver(HELLO), 10) == "evt_hello"


@pytest.fixture
async def raw():
    """A server that says these bytes to whoever asks, then closes or, without any, breaks off; its address."""
    servers = []

    async def serve(*said, dripping=False):
        async def answer(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            while dripping and not writer.is_closing():
                writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
                await asyncio.sleep(0)
            writer.write(b"".join(said))
            writer.close()

        servers.append(await asyncio.start_server(answer, "127.0.0.1", 0))
        return f"http://127.0.0.1:{servers[-1].sockets[0].getsockname()[1]}{PATH}"

    yield serve
    for server in servers:
        server.close()


@pytest.mark.parametrize(
    "said",
    (
        b"",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x00\xff" * 50,
        b"HTTP/1.1 2xx\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nbroken\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100_000,
        b"HTTP/1.1 302 Found\r\nLocation: http://[::bad/REDIRECTtoken\r\nContent-Length: 0\r\n\r\n",
    ),
)
async def test_what_is_no_http_is_to_be_tried_again(posting, raw, said):
    with pytest.raises(UnavailableError, match="broke off") as caught:
        await posting(await raw(said)).deliver(HELLO)
    assert caught.value.may_have_acted
    assert "REDIRECT" not in str(caught.value)


async def test_hints_without_an_end_are_bounded_by_the_same_timeout(posting, raw):
    notifier = posting(await raw(dripping=True), timeout=0.2)
    with pytest.raises(UnavailableError, match="did not answer within"):
        await asyncio.wait_for(notifier.deliver(HELLO), 10)


async def test_a_connection_that_breaks_is_to_be_tried_again(receiver, notifier):
    async def abort(request):
        request.transport.abort()
        return web.Response()

    receiver.handler = abort
    with pytest.raises(UnavailableError, match="broke off") as caught:
        await notifier.deliver(HELLO)
    assert caught.value.may_have_acted
    receiver.handler = None
    assert await notifier.deliver(HELLO), "the next one goes out"


async def test_a_receiver_that_can_not_be_reached_has_not_got_it(posting):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, never listening: nobody else gets the port, and it refuses
        away = posting(f"http://127.0.0.1:{taken.getsockname()[1]}{PATH}")
        with pytest.raises(UnavailableError, match="can't be reached") as caught:
            await away.deliver(HELLO)
    assert not caught.value.may_have_acted


async def test_a_receiver_that_speaks_no_tls_can_not_be_reached(receiver, posting):
    with pytest.raises(UnavailableError, match=r"can't be reached: .*SSL"):
        await posting(receiver.url.replace("http:", "https:")).deliver(HELLO)


HIDDEN = ("PATHtoken", "QUERYtoken", "USERtoken", "PASStoken", SECRET.removeprefix("whsec_"))


async def test_address_and_secret_are_in_no_log_no_error_and_no_traceback(receiver, posting, caplog):
    caplog.set_level(logging.DEBUG)
    notifier = posting(receiver.origin.replace("//", "//USERtoken:PASStoken@") + PATH + "?key=QUERYtoken", timeout=0.5)
    shown = [repr(notifier), str(vars(notifier)), notifier.where]
    await notifier.deliver(HELLO)
    for status in (302, 401, 404, 410, 429, 500, None):
        receiver.answers(status or 200)
        receiver.handler = receiver.handler if status else hang
        with pytest.raises((RefusedError, UnavailableError)) as caught:
            await notifier.deliver(HELLO)
        assert caught.value.__context__ is None, "httpx's frames hold the request"
        below_this_test = caught.value.__traceback__.tb_next
        with_locals = traceback.TracebackException(caught.type, caught.value, below_this_test, capture_locals=True)
        shown += [str(caught.value), repr(caught.value), "".join(with_locals.format())]
    shown += [record.getMessage() + repr(record.args) for record in caplog.records]
    assert any(one.name == "httpx" and receiver.origin in one.getMessage() for one in caplog.records), (
        "it logs addresses"
    )
    sent = str(receiver.got[0].headers) + receiver.got[0].path
    assert "QUERYtoken" in sent, "it was there to be seen"
    assert not [(name, text) for text in shown for name in HIDDEN if name in text]
