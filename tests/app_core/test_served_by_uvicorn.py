"""A real server on a real port: FastAPI with the two lines of the README."""

import asyncio
import threading

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from app_core import ScalingMiddleware, instrument
from tests.support.asgi import cgroup_v2, reply
from tests.support.served import scaling, served, until


@pytest.fixture
def root(tmp_path):
    return cgroup_v2(tmp_path)


def test_two_lines_give_a_fastapi_app_its_numbers(root):
    app = FastAPI()

    @app.get("/hello")
    async def hello():
        return {"hello": "you"}

    @app.get("/broken")
    async def broken():
        raise RuntimeError("on purpose")

    instrument(app, cgroup_root=root)
    # uvicorn closes the connection after an exception, so each request has one of its own.
    with served(app) as url, httpx.Client(base_url=url, headers={"connection": "close"}) as client:
        answer = client.get("/hello")
        assert answer.json() == {"hello": "you"}
        assert answer.headers["x-concurrent-requests"] == "1"
        assert answer.headers["x-response-time"].endswith("s")
        assert client.get("/broken").status_code == 500
        report = scaling(client)
    assert (report["counters"]["requests_total"], report["counters"]["errors_total"]) == (2, 1)
    assert report["recommendations"]["current_instance"] == "0.5 CPU + 512MB"


def test_the_event_loop_is_watched_from_the_start(root):
    app = FastAPI()
    instruments = instrument(app, cgroup_root=root)
    with served(app):
        for _ in range(1000):
            if instruments.view().loop_lag is not None:
                break
            threading.Event().wait(0.01)
    assert instruments.view().loop_lag is not None


def test_any_asgi_app_can_be_wrapped(root):
    async def app(scope, receive, send):
        await reply(send)

    with served(ScalingMiddleware(app, cgroup_root=root)) as url, httpx.Client(base_url=url) as client:
        assert client.get("/").text == "ok"
        assert scaling(client)["counters"]["requests_total"] == 1


def test_a_client_that_leaves_a_stream_is_not_counted_any_more(root):
    app = FastAPI()

    @app.get("/stream")
    async def stream():
        async def parts():
            yield b"first"
            await asyncio.Event().wait()

        return StreamingResponse(parts())

    instrument(app, cgroup_root=root)
    with served(app) as url, httpx.Client(base_url=url) as client:
        with httpx.Client(base_url=url) as leaving, leaving.stream("GET", "/stream") as response:
            parts = response.iter_raw()  # kept: dropping the iterator closes the connection
            assert next(parts) == b"first"
            assert scaling(client)["concurrency"]["running"] == 1
        report = until(client, lambda seen: seen["concurrency"]["running"] == 0)
    assert (report["counters"]["requests_total"], report["counters"]["errors_total"]) == (1, 0)


def test_more_than_may_run_wait_and_are_served_in_turn(root, monkeypatch):
    monkeypatch.setenv("MAX_CONCURRENT", "2")
    app = FastAPI()
    most = running = 0

    @app.get("/work")
    async def work():
        nonlocal most, running
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return "done"

    instrument(app, cgroup_root=root)

    async def ask(url):
        async with httpx.AsyncClient(base_url=url) as client:
            return await asyncio.gather(*(client.get("/work") for _ in range(12)))

    with served(app) as url, httpx.Client(base_url=url) as client:
        answers = asyncio.run(ask(url))
        until(client, lambda seen: seen["concurrency"]["peak"]["1m"] > 2)
    assert {answer.status_code for answer in answers} == {200}
    assert most == 2
