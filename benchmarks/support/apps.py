"""One app of one route under uvicorn as it is deployed, alone or with a middleware; benchmarks/server.py starts it and puts it under load.

python -m support.apps fastapi app_core
"""

import sys
import time
from collections.abc import Callable
from threading import Thread

import uvicorn
from fastapi import FastAPI
from judoscale.asgi.middleware import FastAPIRequestQueueTimeMiddleware
from judoscale.core.reporter import reporter
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from support import peers
from support.seed import PerformanceMonitoring
from support.traffic import PATH

from app_core import instrument

_JUDOSCALE_REPORTS = 10  # seconds between two reports


def fastapi() -> FastAPI:
    """A FastAPI app of one route."""
    app = FastAPI()

    @app.get(PATH)
    async def analysis() -> dict[str, str]:
        return {"status": "ok"}

    return app


def bare(_app: Starlette) -> None:
    """Leave the app alone."""


def app_core(app: Starlette) -> None:
    """Install app_core as on Render's smallest plan: eight requests run at once, the others wait."""
    instrument(app, config=peers.starter())


def app_core_without_headers(app: Starlette) -> None:
    """The same without its two headers, which the server has to check and write."""
    instrument(app, config=peers.starter(), headers=False)


def floor(app: Starlette) -> None:
    """Install the wrapper that is written by hand and only measures."""
    app.add_middleware(peers.Floor)


def judoscale(app: Starlette) -> None:
    """Install judoscale; a thread takes its metrics away as its reporter's does, but sends them nowhere."""
    app.add_middleware(FastAPIRequestQueueTimeMiddleware, extra_config=peers.JUDOSCALE)
    Thread(target=_take_metrics, daemon=True).start()


def seed(app: Starlette) -> None:
    """Install the seed's own middleware."""
    app.add_middleware(BaseHTTPMiddleware, dispatch=PerformanceMonitoring().dispatch)


def _take_metrics() -> None:
    while True:
        time.sleep(_JUDOSCALE_REPORTS)
        _ = reporter.all_metrics  # reading empties the store


FRAMEWORKS: dict[str, Callable[[], Starlette]] = {"fastapi": fastapi, "starlette": peers.starlette}
INSTALL: dict[str, Callable[[Starlette], None]] = {
    "bare app": bare,
    "app_core, as installed": app_core,
    "app_core, headers off": app_core_without_headers,
    "floor: wrap, send, time": floor,
    "judoscale": judoscale,
    "the seed's own": seed,
}


def main() -> None:
    """Serve until the signal to stop."""
    framework, installed = sys.argv[1:]
    app = FRAMEWORKS[framework]()
    INSTALL[installed](app)
    uvicorn.run(app, host="127.0.0.1", port=0, loop="uvloop", http="httptools", access_log=False, use_colors=False)


if __name__ == "__main__":
    main()
