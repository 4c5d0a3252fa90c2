"""Websockets pass untouched, through a real server that speaks them."""

import aiohttp

from tests.support.servers import GUNICORN, play


def test_a_websocket_is_served_as_without_the_middleware_and_counts_in_nothing(tmp_path):
    async def story(server):
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{await server.address()}/talk") as socket:
            for words in ("hello", "you"):
                await socket.send_str(words)
                assert (await socket.receive(timeout=10)).data == words
            report = await server.report()
        assert (report["concurrency"]["running"], report["counters"]["requests_total"]) == (0, 0)

    play(story, GUNICORN, tmp_path)
