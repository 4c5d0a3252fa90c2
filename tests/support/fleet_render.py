"""The fleet's Render: the simulator over real HTTP, which knows who sent each write and judges each of them at once."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from autoscaler.core.plans import is_smaller, same_plan
from render_client.sim import Call, Durations, Limits, ServiceSpec, Simulator, WorldSpec
from render_client.sim.building import build_world
from render_client.sim.gateway import Gateway
from render_client.sim.state import Service
from tests.support.fleet_worker import HEADER

ENV = {
    "starter": {"MAX_CONCURRENT": "8", "DB_POOL_SIZE": "3"},
    "standard": {"MAX_CONCURRENT": "20", "DB_POOL_SIZE": "6"},
}
"""Of each plan of the ladder."""
_MOST_CALLS = 5_000

_sender: ContextVar[dict[str, Any]] = ContextVar("_sender")


@dataclass(frozen=True)
class Sent:
    """One write that took effect."""

    at: float
    """When it arrived, seconds."""
    service_id: str
    step: str
    """In the journal's words."""
    entry: dict[str, Any]
    """What its sender had written down for it: see fleet_worker.HEADER."""
    changed: bool
    """Whether anything is otherwise than before."""

    @property
    def key(self) -> tuple[str, int]:
        return self.entry["change"], self.entry["number"]


class SkewedClock:
    """A Render whose clock is not ours."""

    def __init__(self, wrong_by: float) -> None:
        self.wrong_by = wrong_by

    def now(self) -> int:
        return round((time.time() + self.wrong_by) * 1000)


@dataclass
class FleetRender:
    """The simulator, and what it was told."""

    sim: Simulator
    sent: list[Sent] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """Where an env value belonged to a larger plan than the one beside it."""
    _before: Any = None

    def service(self, service_id: str) -> Service:
        return self.sim.world.services[service_id]

    def _note_before(self, call: Call) -> None:
        self._before = _shape(self._service_of(call))

    def _note_after(self, call: Call) -> None:
        service, entry = self._service_of(call), _sender.get()
        changed = _shape(service) != self._before
        self.sent.append(Sent(time.time(), service.id, _step(call), entry, changed))
        configured = service.configured()
        newest = service.deploys[-1].snapshot
        if not fits(configured.plan, configured.env) or (newest and not fits(newest.plan, newest.env)):
            self.broken.append(f"{service.id} after '{_step(call)}' of {entry}: {configured}, newest deploy {newest}")
        if len(self.sim.calls) > _MOST_CALLS:
            self.sim.calls.clear()

    def _service_of(self, call: Call) -> Service:
        return self.sim.gateway.world.services[call.path.split("/")[2]]


def fits(plan: str, env: Any) -> bool:
    """The order property: no value belongs to a larger plan only."""
    allowed = [values for name, values in ENV.items() if same_plan(name, plan) or is_smaller(name, plan)]
    return all(any(values[name] == env.get(name) for values in allowed) for name in ENV["starter"])


def _shape(service: Service) -> Any:
    return service.configured(), len(service.deploys), service.deploys[-1].status


def _step(call: Call) -> str:
    _, _, _, *rest = call.path.split("/")
    match call.method, rest:
        case "PATCH", []:
            return f"set plan {call.body['serviceDetails']['plan']}"
        case "PUT", ["env-vars", name]:
            return f"set {name}"
        case "POST", ["deploys"] if call.body == {"deployMode": "deploy_only"}:
            return "ask for a deploy (deploy_only)"
        case "POST", ["deploys", deploy, "cancel"]:
            return f"cancel deploy {deploy} of ours"
    return f"unexpected {call.method} {call.path}"


@web.middleware
async def _who_sends(request: web.Request, handler: Any) -> web.StreamResponse:
    _sender.set(json.loads(request.headers.get(HEADER, "{}")))
    return await handler(request)


@asynccontextmanager
async def fleet_render(services: int, wrong_by: float) -> AsyncIterator[FleetRender]:
    """So many services on `starter`. Its rate limits are as good as off: they would hold up hundreds of quick changes by hand."""
    specs = [
        ServiceSpec(name=f"app-{number:03}", id=f"srv-fleet{number:015}", env=ENV["starter"])
        for number in range(services)
    ]
    limits, durations = Limits(enabled=False, scale=100_000), Durations(update=0.3, drain=0)
    clock = SkewedClock(wrong_by)
    world = build_world(WorldSpec(services=tuple(specs), durations=durations, limits=limits), clock.now())
    gateway = Gateway(world, clock)
    app = web.Application(middlewares=[_who_sends])
    gateway.add_routes(app)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        render = FleetRender(Simulator(f"http://127.0.0.1:{runner.addresses[0][1]}", clock, gateway))
        render.sim.hooks.before_write(render._note_before)
        render.sim.hooks.after_write(render._note_after)
        yield render
    finally:
        await runner.cleanup()
