"""Starting and stopping a local Render in this process."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from render_client.sim.admin import PREFIX as CONTROL_PREFIX
from render_client.sim.admin import Admin
from render_client.sim.building import build_world
from render_client.sim.calls import Call, Hooks
from render_client.sim.clock import Clock, ManualClock, SystemClock
from render_client.sim.faults import Faults
from render_client.sim.gateway import PREFIX, Gateway
from render_client.sim.processes import Processes
from render_client.sim.proxy import Proxy, proxy_session
from render_client.sim.spec import WorldSpec, default_world
from render_client.sim.state import Answered, Service
from render_client.sim.world import World

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Simulator:
    """A running simulator. `base_url` is what a client takes instead of `https://api.render.com/v1`."""

    url: str
    clock: Clock
    gateway: Gateway

    @property
    def base_url(self) -> str:
        """The public API."""
        return self.url + PREFIX

    @property
    def control_url(self) -> str:
        """The control routes."""
        return self.url + CONTROL_PREFIX

    @property
    def api_key(self) -> str:
        """The one key that is accepted."""
        return self.world.spec.api_key

    @property
    def world(self) -> World:
        """The world as it is now."""
        self.gateway.world.advance(self.clock.now())
        return self.gateway.world

    @property
    def faults(self) -> Faults:
        """The planned faults."""
        return self.gateway.faults

    @property
    def hooks(self) -> Hooks:
        """The callbacks around writes."""
        return self.gateway.hooks

    @property
    def calls(self) -> list[Call]:
        """The public calls so far, oldest first; may be cleared."""
        return self.gateway.calls


@asynccontextmanager
async def running_simulator(
    world: WorldSpec | World | None = None, *, clock: Clock | None = None, port: int = 0
) -> AsyncIterator[Simulator]:
    """Serve a local Render on loopback while the context lasts.

    Args:
        world: What there is; `default_world()` if left out. A `World` is taken as it is.
        clock: A `ManualClock` for tests; the real time if left out.
        port: 0 takes a free one.

    Raises:
        OSError: The port is taken.
        AppFailedError: An app with a command does not come up.
    """
    clock = clock or SystemClock()
    if not isinstance(world, World):
        world = build_world(world or default_world(), clock.now())
    gateway = Gateway(world, clock)
    if isinstance(clock, ManualClock):
        clock.subscribe(lambda: world.advance(clock.now()))
    app = web.Application()
    gateway.add_routes(app)
    Admin(gateway).add_routes(app)
    # handler_cancellation ends a call that a fault lets hang as soon as its caller hangs up.
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, port)
        await site.start()
        bound: int = runner.addresses[0][1]
        async with _running_apps(world, clock):
            yield Simulator(f"http://{HOST}:{bound}", clock, gateway)
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _running_apps(world: World, clock: Clock) -> AsyncIterator[None]:
    """The processes and proxies of the services that have a command."""
    services = [service for service in world.services.values() if service.command]
    if not services:
        yield
        return
    async with proxy_session() as session, AsyncExitStack() as stack:
        processes = Processes(world, clock, session)
        stack.push_async_callback(processes.stop)
        for service in services:
            if service.document["type"] == "web_service":
                proxy = Proxy(session, partial(processes.ports, service), partial(_note, service, clock))
                runner = web.ServerRunner(web.Server(proxy.handle), shutdown_timeout=0.2)
                await runner.setup()
                stack.push_async_callback(runner.cleanup)
                await web.TCPSite(runner, HOST, 0).start()
                service.details["url"] = f"http://{HOST}:{runner.addresses[0][1]}"
        await processes.start()
        yield


def _note(service: Service, clock: Clock, status: int, seconds: float) -> None:
    service.answered.append(Answered(clock.now(), status, seconds))
