"""The app that real servers serve in the tests of real servers: `uvicorn tests.support.served_app:app`."""

import asyncio
import os
import signal

from app_core import ScalingMiddleware
from tests.support.asgi import reply


async def _work(scope, receive, send):
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "websocket":
        while (message := await receive())["type"] != "websocket.disconnect":
            await send({"type": "websocket.accept"} if message["type"] == "websocket.connect" else _echo(message))
    elif scope["path"] == "/hold":  # until the client leaves
        while (await receive())["type"] != "http.disconnect":
            pass
    elif scope["path"].endswith("/kill"):  # what the system does to a worker that takes too much memory
        os.kill(os.getpid(), signal.SIGKILL)
    elif scope["path"].endswith("/limit"):
        await reply(send, body=f"{os.getpid()} {app.instruments.gate.limit}".encode())
    else:
        await asyncio.sleep(0.002)
        await reply(send)


def _echo(message):
    return {"type": "websocket.send", "text": message["text"]}


app = ScalingMiddleware(_work)
