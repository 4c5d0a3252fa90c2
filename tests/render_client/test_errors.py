"""Every odd reply becomes the error that says what to do about it. Answered by respx, as httpx meets them."""

import httpx
import pytest
import respx

from render_client import (
    BadKeyError,
    ConflictError,
    ForbiddenError,
    GoneError,
    NotFoundError,
    PaymentNeededError,
    RateLimitedError,
    RefusedInputError,
    RenderClient,
    RenderDownError,
    RenderError,
)
from tests.support.render_replies import KEY, SERVICE, ToldTime, deploy_json, quota, service_json

URL = f"https://api.render.com/v1/services/{SERVICE}"


@pytest.fixture
def render():
    """Render's API as respx plays it: an httpx transport, so nothing is patched."""
    return respx.Router()


@pytest.fixture
async def client(render):
    time = ToldTime()
    transport = httpx.MockTransport(render.async_handler)
    async with RenderClient(KEY, transport=transport, clock=time.clock, sleep=time.sleep) as client:
        yield client


MEANINGS = (
    (400, RefusedInputError, "refused the request"),
    (401, BadKeyError, "set RENDER_API_KEY"),
    (402, PaymentNeededError, "billing"),
    (403, ForbiddenError, "member of the workspace"),
    (404, NotFoundError, "Check the id"),
    (405, RefusedInputError, "refused the request"),
    (406, RefusedInputError, "refused the request"),
    (409, ConflictError, "Look at its state"),
    (410, GoneError, "Stop looking after it"),
    (413, RefusedInputError, "refused the request"),
    (429, RateLimitedError, "Ask again"),
    (500, RenderDownError, "status.render.com"),
    (503, RenderDownError, "status.render.com"),
)


@pytest.mark.parametrize(("status", "kind", "next_step"), MEANINGS)
async def test_a_status_is_an_error_by_its_meaning_with_renders_words_and_the_next_step(
    render, client, status, kind, next_step
):
    headers = {"Render-Request-Id": "api-1/2"}
    render.get(URL).respond(status, json={"message": "in Render's words"}, headers=headers)
    with pytest.raises(RenderError) as caught:
        await client.retrieve_service(SERVICE)
    error = caught.value
    assert type(error) is kind
    assert (error.method, error.path, error.status) == ("GET", f"/services/{SERVICE}", status)
    assert (error.message, error.request_id) == ("in Render's words", "api-1/2")
    assert not error.request_may_have_acted
    for part in (next_step, "in Render's words", f"GET /services/{SERVICE}", str(status)):
        assert part in str(error)


@pytest.mark.parametrize(("status", "kind", "_"), MEANINGS)
@pytest.mark.parametrize("body", (b"", b"<html>", b"[]", b"null", b'{"message": 3}', b'{"id": "x"}', b"\xff\xfe"))
async def test_an_error_without_words_keeps_its_meaning(render, client, status, kind, _, body):
    render.get(URL).respond(status, content=body)
    with pytest.raises(kind) as caught:
        await client.retrieve_service(SERVICE)
    assert caught.value.message == ""


async def test_a_deploy_of_a_suspended_service_is_refused_in_renders_words(render, client):
    render.post(f"{URL}/deploys").respond(400, json={"message": "cannot deploy suspended service"})
    with pytest.raises(RefusedInputError, match="cannot deploy suspended service"):
        await client.create_deploy(SERVICE)


async def test_a_long_or_unruly_message_is_one_short_line(render, client):
    render.get(URL).respond(404, json={"message": "a\nb\x1b[31m" + "c" * 5000})
    with pytest.raises(NotFoundError) as caught:
        await client.retrieve_service(SERVICE)
    assert caught.value.message.startswith("a b [31mccc")
    assert len(caught.value.message) == 300
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    ("headers", "retry_after"),
    (
        ({"Retry-After": "3600"}, 3600),
        ({"Retry-After": "Mon, 13 Jan 2025 16:44:00 GMT", "Date": "Mon, 13 Jan 2025 16:42:30 GMT"}, 90),
        ({"Retry-After": "Mon, 13 Jan 2025 16:42:00 GMT", "Date": "Mon, 13 Jan 2025 16:42:30 GMT"}, 0),
        (quota(400, 0, 500), 500),
        ({"Retry-After": "200", **quota(400, 0, 500)}, 200),
        ({"Retry-After": "soon", **quota(400, 0, 500)}, 500),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "nan"}, None),
        ({}, None),
    ),
)
async def test_a_429_says_when_to_come_back_as_far_as_the_headers_do(render, client, headers, retry_after):
    render.get(URL).respond(429, json={"message": "rate limit exceeded"}, headers=headers)
    with pytest.raises(RateLimitedError) as caught:
        await client.retrieve_service(SERVICE)
    assert caught.value.retry_after == retry_after


async def test_a_deploy_that_met_a_429_was_not_accepted(render, client):
    route = render.post(f"{URL}/deploys").respond(429, headers={"Retry-After": "1"})
    with pytest.raises(RateLimitedError) as caught:
        await client.create_deploy(SERVICE)
    assert not caught.value.request_may_have_acted
    assert route.call_count == 1


UNREADABLE = (
    httpx.Response(200, html="<html>Welcome to the hotel's wifi</html>"),
    httpx.Response(200, content=b'{"id": "srv-'),
    httpx.Response(200, content=b""),
    httpx.Response(200, content=b"\xff\xfe\x00"),
    httpx.Response(200, content=b"[" * 100_000),
    httpx.Response(200, json=[1]),
    httpx.Response(200, json="fine"),
    httpx.Response(200, json=None),
    httpx.Response(200, json={"name": "no id"}),
    httpx.Response(502, html="<html>Bad Gateway</html>"),
    httpx.Response(500, json={"message": "internal"}),
    httpx.Response(304),
)


@pytest.mark.parametrize("reply", UNREADABLE, ids=lambda reply: f"{reply.status_code} {reply.content[:12]!r}")
async def test_an_answer_that_makes_no_sense_is_render_down(render, client, reply):
    render.get(URL).mock(return_value=reply)
    with pytest.raises(RenderDownError) as caught:
        await client.retrieve_service(SERVICE)
    assert not caught.value.request_may_have_acted


@pytest.mark.parametrize(
    "content", (b"", b"{}", b'"x"', b"[1]", b'[{"cursor": "c"}]', b'[{"cursor": "c", "envVar": null}]')
)
async def test_an_answer_that_is_no_list_is_never_an_empty_list(render, client, content):
    render.get(f"{URL}/env-vars").respond(200, content=content)
    with pytest.raises(RenderDownError):
        await client.get_env_vars_for_service(SERVICE)


async def test_the_null_that_go_writes_for_an_empty_list_is_one(render, client):
    render.get(f"{URL}/env-vars").respond(200, content=b"null")
    assert await client.get_env_vars_for_service(SERVICE) == []


@pytest.mark.parametrize("content", (b'{"id": "srv-', b"", b"<html>"))
async def test_a_write_whose_confirmation_cannot_be_read_may_have_acted(render, client, content):
    render.patch(URL).respond(200, content=content)
    with pytest.raises(RenderDownError) as caught:
        await client.update_service(SERVICE, plan="standard")
    assert caught.value.request_may_have_acted


async def test_a_scale_that_a_portal_answered_with_html_is_not_taken_as_done(render, client):
    render.post(f"{URL}/scale").respond(200, html="<html>")
    with pytest.raises(RenderDownError) as caught:
        await client.scale_service(SERVICE, 2)
    assert caught.value.request_may_have_acted


@pytest.mark.parametrize("status", (301, 302, 307, 308))
async def test_a_redirect_is_not_followed(render, client, status):
    elsewhere = render.get("https://elsewhere.example/").respond(200, json=service_json())
    first = render.get(URL).respond(status, headers={"Location": "https://elsewhere.example/"})
    with pytest.raises(RenderDownError, match="Check the base URL") as caught:
        await client.retrieve_service(SERVICE)
    assert caught.value.status == status
    assert (first.call_count, elsewhere.call_count) == (1, 0)


REQUEST = httpx.Request("POST", URL)
NEVER_SENT = (
    httpx.ConnectError("refused", request=REQUEST),
    httpx.ConnectTimeout("", request=REQUEST),
    httpx.PoolTimeout("", request=REQUEST),
    httpx.ProxyError("407", request=REQUEST),
)
PERHAPS_SENT = (
    httpx.ReadTimeout("", request=REQUEST),
    httpx.WriteTimeout("", request=REQUEST),
    httpx.ReadError("reset", request=REQUEST),
    httpx.WriteError("reset", request=REQUEST),
    httpx.RemoteProtocolError("Server disconnected", request=REQUEST),
    httpx.DecodingError("gzip", request=REQUEST),
)


@pytest.mark.parametrize("fault", NEVER_SENT, ids=lambda fault: type(fault).__name__)
async def test_a_deploy_that_never_left_is_tried_again_and_has_not_acted(render, client, fault):
    route = render.post(f"{URL}/deploys").mock(side_effect=fault)
    with pytest.raises(RenderDownError) as caught:
        await client.create_deploy(SERVICE)
    assert not caught.value.request_may_have_acted
    assert caught.value.status is None
    assert route.call_count == 4


@pytest.mark.parametrize("fault", PERHAPS_SENT, ids=lambda fault: type(fault).__name__)
async def test_a_deploy_that_render_may_have_heard_is_not_tried_again(render, client, fault):
    route = render.post(f"{URL}/deploys").mock(side_effect=fault)
    with pytest.raises(RenderDownError) as caught:
        await client.create_deploy(SERVICE)
    assert caught.value.request_may_have_acted
    assert route.call_count == 1


async def test_a_deploy_whose_first_try_never_left_succeeds_with_the_second(render, client):
    route = render.post(f"{URL}/deploys")
    route.side_effect = [NEVER_SENT[0], httpx.Response(201, json=deploy_json(7))]
    deploy = await client.create_deploy(SERVICE)
    assert deploy is not None
    assert deploy.id == "dep-7"


@pytest.mark.parametrize(
    ("status", "may_have_acted"), ((500, True), (502, True), (503, True), (302, False), (409, False))
)
async def test_a_write_that_met_a_fault_of_the_server_may_have_acted(render, client, status, may_have_acted):
    render.post(f"{URL}/deploys").respond(status)
    with pytest.raises(RenderError) as caught:
        await client.create_deploy(SERVICE)
    assert caught.value.request_may_have_acted is may_have_acted


async def test_a_read_has_never_acted(render, client):
    render.get(URL).mock(side_effect=PERHAPS_SENT[0])
    with pytest.raises(RenderDownError) as caught:
        await client.retrieve_service(SERVICE)
    assert not caught.value.request_may_have_acted


async def test_every_error_is_a_render_error():
    kinds = {kind for _, kind, _ in MEANINGS}
    assert all(issubclass(kind, RenderError) for kind in kinds)
    assert kinds == set(RenderError.__subclasses__())


@pytest.mark.parametrize("key", ("", " ", "rnd_a b", "rnd_a\n", "\trnd_a", "rnd_ä", "rnd_\x00", "“rnd_a”"))
def test_a_key_that_cannot_be_one_is_refused_before_it_is_used_and_not_repeated(key):
    with pytest.raises(BadKeyError, match="set RENDER_API_KEY") as caught:
        RenderClient(key)
    assert not key.strip() or key.strip() not in str(caught.value)
