"""The API key shows nowhere: in no log, no repr, no exception, no traceback with its local variables. Nor do values."""

import asyncio
import io
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
import rich.console
import rich.traceback
from pydantic import SecretStr

from render_client import BadKeyError, RenderClient, RenderError
from tests.support.render_replies import KEY, SERVICE, Reply, conversation, service_json

VALUE = "swordfish-is-the-value"

Ask = Callable[[RenderClient], Awaitable[Any]]
ASKS: tuple[Ask, ...] = (
    lambda render: render.retrieve_service(SERVICE),
    lambda render: render.create_deploy(SERVICE),
    lambda render: render.get_env_vars_for_service(SERVICE),
    lambda render: render.update_env_var(SERVICE, "TOKEN", VALUE),
)


def stumble(request: httpx.Request) -> httpx.Response:
    """A bug in a layer below, in frames that hold the key."""
    header = request.headers["authorization"]
    try:
        return {}[len(header)]
    except LookupError as error:
        raise RuntimeError("a bug below") from error


FAULTS: tuple[Reply, ...] = (
    stumble,
    *(
        httpx.Response(status, json={"message": f"who is {KEY}, and why {VALUE}?"})
        for status in (302, 400, 401, 402, 403, 404, 406, 409, 410, 418, 429, 500, 502, 503)
    ),
    httpx.Response(200, text=f"<html>{KEY} {VALUE}</html>"),
    httpx.Response(200, text=f'{{"key": "TOKEN", "value": "{VALUE}'),
    httpx.Response(200, json={"key": "TOKEN", "value": [VALUE, KEY]}),
    httpx.Response(200, json=[{"cursor": "1", "envVar": {"key": [VALUE], "value": VALUE}}]),
    httpx.Response(429, headers={"Retry-After": "4000"}),
    httpx.ConnectError("refused"),
    httpx.ConnectTimeout(""),
    httpx.ReadTimeout(""),
    httpx.RemoteProtocolError("Server disconnected"),
    asyncio.CancelledError(),
)


def chained(error: BaseException | None) -> list[BaseException]:
    """The error and all that it came from, shown or not."""
    found: list[BaseException] = []
    queue = [error]
    while queue:
        one = queue.pop()
        if one is not None and one not in found:
            found.append(one)
            queue += [one.__cause__, one.__context__]
    return found


def all_that_is_told(error: BaseException) -> str:
    """Every text that a logger, a debugger or a crash report makes of an error."""
    texts = []
    for one in chained(error):
        texts += [str(one), repr(one), repr(vars(one))]
        texts += traceback.TracebackException.from_exception(one, capture_locals=True).format()
    return "\n".join(texts)


def on_a_rich_screen(error: BaseException) -> str:
    """The traceback as rich prints it, which digs into values where a repr would not. Slow, so not for every fault."""
    screen = io.StringIO()
    pretty = rich.traceback.Traceback.from_exception(
        type(error), error, error.__traceback__, show_locals=True, locals_max_string=None, locals_max_length=None
    )
    rich.console.Console(file=screen, width=400).print(pretty)
    return screen.getvalue()


async def error_of(ask: Ask, client: RenderClient) -> BaseException:
    try:
        await ask(client)
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  # whatever comes is what is looked at
        return error
    raise AssertionError("it did not fail")


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """All records as a formatter, or one that prints everything, would show them."""
    return "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)


@pytest.mark.parametrize("ask", ASKS, ids=("read", "deploy", "env_vars", "env_var"))
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: getattr(fault, "__name__", str(fault)))
async def test_no_fault_tells_the_key_or_a_value(ask, fault, caplog):
    caplog.set_level(logging.DEBUG)
    talk = conversation(fault)
    error = await error_of(ask, talk.client)
    told = all_that_is_told(error) + logged(caplog) + repr(talk.client) + repr(vars(talk.client))
    assert "call = Call(" in told or not isinstance(fault, httpx.Response), "local variables were looked at"
    assert KEY not in told
    if ask is ASKS[3]:
        assert VALUE not in told


@pytest.fixture
async def rude_server() -> AsyncIterator[tuple[str, list[str], asyncio.Event]]:
    """A server that does what it was told last: reset, hang, echo the request's head, or speak no HTTP."""
    manner: list[str] = []
    arrived = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        arrived.set()
        if manner[-1] == "hang":
            await reader.read()
        if manner[-1] == "echo in the body":
            writer.write(b"HTTP/1.1 400 Bad\r\nConnection: close\r\n\r\n" + head)
        if manner[-1] == "echo as the reply":
            writer.write(head)
        if manner[-1] == "reset":
            writer.transport.abort()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1", manner, arrived
    listening.close()
    await listening.wait_closed()


@pytest.mark.parametrize("manner", ("reset", "hang", "echo in the body", "echo as the reply"))
async def test_no_fault_of_the_network_tells_the_key(rude_server, manner, caplog):
    caplog.set_level(logging.DEBUG)
    base_url, manners, _ = rude_server
    manners.append(manner)
    async with RenderClient(SecretStr(KEY), base_url, timeout=0.05) as client:
        error = await error_of(ASKS[1], client)
    assert isinstance(error, RenderError)
    assert KEY not in all_that_is_told(error) + on_a_rich_screen(error) + logged(caplog)
    assert chained(error) == [error], "nothing of httpx hangs on it"


async def test_a_call_that_is_cancelled_under_way_does_not_tell_the_key(rude_server, caplog):
    caplog.set_level(logging.DEBUG)
    base_url, manners, arrived = rude_server
    manners.append("hang")
    async with RenderClient(SecretStr(KEY), base_url) as client:
        task = asyncio.create_task(error_of(ASKS[0], client))
        await arrived.wait()
        task.cancel()
        error = await task
    assert isinstance(error, asyncio.CancelledError)
    assert KEY not in all_that_is_told(error) + on_a_rich_screen(error) + logged(caplog)


async def test_a_connection_that_is_refused_does_not_tell_the_key(caplog):
    caplog.set_level(logging.DEBUG)
    async with RenderClient(SecretStr(KEY), "http://127.0.0.1:1/v1", sleep=no_wait) as client:
        error = await error_of(ASKS[0], client)
    assert KEY not in all_that_is_told(error) + logged(caplog)


async def no_wait(_: float) -> None:
    """Time that costs none."""


@pytest.mark.parametrize("flaw", ("\n", " ", "ä", "\x00"))
def test_a_key_with_a_flaw_does_not_show_in_the_error_about_it(flaw):
    flawed = SecretStr(KEY + flaw + "x")
    with pytest.raises(BadKeyError) as caught:
        RenderClient(flawed.get_secret_value())
    assert KEY not in all_that_is_told(caught.value)


async def test_a_success_is_one_line_of_debug_without_bodies(caplog):
    caplog.set_level(logging.DEBUG)
    talk = conversation(httpx.Response(200, json={"key": "TOKEN", "value": VALUE}))
    await talk.client.update_env_var(SERVICE, "TOKEN", VALUE)
    ours = [record for record in caplog.records if record.name == "render_client"]
    assert [record.getMessage() for record in ours] == [f"PUT /services/{SERVICE}/env-vars/TOKEN 200, 0.000 s"]
    assert ours[0].levelno == logging.DEBUG
    assert KEY not in logged(caplog)
    assert VALUE not in logged(caplog)


async def test_a_try_without_an_answer_is_a_line_too(caplog):
    caplog.set_level(logging.DEBUG, logger="render_client")
    talk = conversation(httpx.ReadTimeout(""))
    await error_of(ASKS[1], talk.client)
    assert [record.getMessage() for record in caplog.records] == [
        f"POST /services/{SERVICE}/deploys no answer, 0.000 s"
    ]


async def test_renders_words_stay_readable_when_something_is_taken_out():
    talk = conversation(httpx.Response(400, json={"message": f"the value {VALUE} is too long for {KEY}"}))
    error = await error_of(ASKS[3], talk.client)
    assert isinstance(error, RenderError)
    assert error.message == "the value [value] is too long for [API key]"
    assert error.message in str(error)


async def test_a_plain_repr_of_the_client_names_its_server_only():
    talk = conversation(httpx.Response(200, json=service_json()))
    assert repr(talk.client) == "RenderClient('https://api.render.com/v1')"
