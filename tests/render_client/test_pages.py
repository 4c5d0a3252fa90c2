"""Lists are followed to their end, over real HTTP, and never further than asked."""

from typing import Any

import httpx
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from render_client import RenderClient, RenderDownError
from tests.support.render_replies import KEY, SERVICE, conversation, deploy_json


def page(entries: list[dict[str, Any]], thing: str, query: Any) -> list[dict[str, Any]]:
    """A page as Render cuts it: after the entry that the cursor names, 20 unless asked otherwise, 100 at most."""
    start = int(query["cursor"].removeprefix("after-")) if "cursor" in query else 0
    size = min(int(query.get("limit", 20)), 100)
    return [
        {"cursor": f"after-{number + 1}", thing: entry}
        for number, entry in enumerate(entries)
        if start <= number < start + size
    ]


@pytest.fixture
async def render():
    """A small Render on loopback with 257 variables and 257 deploys, and how often it was asked."""
    asked: list[str] = []
    variables = [{"key": f"KEY_{number}", "value": str(number)} for number in range(257)]
    deploys = [deploy_json(number) for number in range(257)]

    async def env_vars(request: web.Request) -> web.Response:
        asked.append(request.path_qs)
        return web.json_response(page(variables, "envVar", request.query))

    async def listed_deploys(request: web.Request) -> web.Response:
        asked.append(request.path_qs)
        return web.json_response(page(deploys, "deploy", request.query))

    app = web.Application()
    app.router.add_get("/v1/services/{id}/env-vars", env_vars)
    app.router.add_get("/v1/services/{id}/deploys", listed_deploys)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with RenderClient(KEY, f"http://127.0.0.1:{port}/v1") as client:
        yield client, asked
    await runner.cleanup()


async def test_a_list_of_many_pages_is_complete_and_in_order(render):
    client, asked = render
    variables = await client.get_env_vars_for_service(SERVICE)
    assert [variable.key for variable in variables] == [f"KEY_{number}" for number in range(257)]
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("limit", "count", "calls"), ((1, 1, 1), (20, 20, 1), (100, 100, 1), (101, 101, 2), (None, 257, 3))
)
async def test_the_newest_deploys_are_taken_without_following_the_rest(render, limit, count, calls):
    client, asked = render
    deploys = await client.list_deploys(SERVICE, limit=limit)
    assert [deploy.id for deploy in deploys] == [f"dep-{number}" for number in range(count)]
    assert len(asked) == calls


async def test_without_a_limit_the_twenty_newest_deploys_are_taken(render):
    client, asked = render
    assert len(await client.list_deploys(SERVICE)) == 20
    assert len(asked) == 1


async def test_a_limit_of_nothing_is_refused(render):
    client, asked = render
    with pytest.raises(ValueError, match="at least 1"):
        await client.list_deploys(SERVICE, limit=0)
    assert not asked


@given(count=st.integers(0, 450), limit=st.none() | st.integers(1, 450))
async def test_any_list_gives_what_was_asked_for_and_no_call_too_many(count, limit):
    entries = [deploy_json(number) for number in range(count)]
    talk = conversation(lambda request: httpx.Response(200, json=page(entries, "deploy", request.url.params)))
    deploys = await talk.client.list_deploys(SERVICE, limit=limit)
    wanted = count if limit is None else min(count, limit)
    assert [deploy.id for deploy in deploys] == [f"dep-{number}" for number in range(wanted)]
    assert len(talk.requests) <= wanted // 100 + 1


async def test_the_filters_go_with_every_page():
    entries = [deploy_json(number) for number in range(150)]
    talk = conversation(lambda request: httpx.Response(200, json=page(entries, "deploy", request.url.params)))
    await talk.client.list_deploys(SERVICE, status=["live"], limit=None)
    assert [request.url.params.get("status") for request in talk.requests] == ["live", "live"]


async def test_a_server_that_gives_more_than_was_asked_for_is_cut_to_it():
    entries = [{"cursor": str(number), "deploy": deploy_json(number)} for number in range(50)]
    talk = conversation(httpx.Response(200, json=entries))
    assert len(await talk.client.list_deploys(SERVICE, limit=3)) == 3


@pytest.mark.parametrize("cursor", ("always-the-same", "", None))
async def test_a_cursor_that_leads_nowhere_is_an_error_and_no_endless_walk(cursor):
    entries = [{"cursor": cursor, "deploy": deploy_json(number)} for number in range(100)]
    talk = conversation(httpx.Response(200, json=entries))
    with pytest.raises(RenderDownError, match="cursor"):
        await talk.client.list_deploys(SERVICE, limit=None)
    assert len(talk.requests) <= 2


async def test_cursors_that_never_end_do_end():
    def endless(request: httpx.Request) -> httpx.Response:
        start = int(request.url.params.get("cursor", 0))
        return httpx.Response(200, json=[{"cursor": str(start + 1), "owner": {"id": "tea-1"}}] * 100)

    talk = conversation(endless)
    with pytest.raises(RenderDownError, match="300 pages"):
        await talk.client.list_owners()
    assert len(talk.requests) == 300


async def test_a_page_in_the_middle_that_fails_fails_the_whole_list():
    entries = [deploy_json(number) for number in range(150)]
    first = httpx.Response(200, json=page(entries, "deploy", {"limit": "100"}))
    talk = conversation(first, httpx.Response(500))
    with pytest.raises(RenderDownError):
        await talk.client.list_deploys(SERVICE, limit=None)
