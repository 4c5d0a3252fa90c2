"""The control routes below `/_sim`. They need no key: the simulator listens on loopback only."""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from render_client.sim import bodies, controls
from render_client.sim.clock import ManualClock
from render_client.sim.documents import deploy_body
from render_client.sim.faults import Fault
from render_client.sim.gateway import Gateway
from render_client.sim.state import Deploy, Json, Refused, Service

PREFIX = "/_sim"


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Advance(_Body):
    seconds: Annotated[float, Field(ge=0)]


class _Push(_Body):
    message: str = "A change"


class _Dashboard(_Body):
    plan: str | None = None
    env: dict[str, str] = {}
    deploy: bool = True


class _FailNext(_Body):
    stage: str = "update"


M = TypeVar("M", bound=BaseModel)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Admin:
    """The control routes of one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def add_routes(self, app: web.Application) -> None:
        """Serve them."""
        service = f"{PREFIX}/services/{{serviceId}}"
        routes: tuple[tuple[str, str, Handler], ...] = (
            ("GET", f"{PREFIX}/state", self._state),
            ("GET", f"{PREFIX}/calls", self._calls),
            ("POST", f"{PREFIX}/advance", self._advance),
            ("POST", f"{PREFIX}/faults", self._add_fault),
            ("DELETE", f"{PREFIX}/faults", self._clear_faults),
            ("POST", f"{service}/push", self._push),
            ("POST", f"{service}/dashboard", self._dashboard),
            ("POST", f"{service}/fail_next_deploy", self._fail_next_deploy),
            ("POST", f"{service}/oom_kill", self._oom_kill),
        )
        for method, path, handler in routes:
            app.router.add_route(method, path, _explained(handler))

    async def _state(self, _request: web.Request) -> web.Response:
        return web.json_response({"now": self._now(), **controls.world_state(self._gateway.world)})

    async def _calls(self, _request: web.Request) -> web.Response:
        return web.json_response([call.as_json() for call in self._gateway.calls])

    async def _advance(self, request: web.Request) -> web.Response:
        clock = self._gateway.clock
        if not isinstance(clock, ManualClock):
            raise Refused(409, "the clock is the real one; start the simulator with --clock manual")
        clock.advance((await _body(request, _Advance)).seconds)
        return web.json_response({"now": clock.now()})

    async def _add_fault(self, request: web.Request) -> web.Response:
        self._gateway.faults.add(await _body(request, Fault))
        return web.json_response({"planned": len(self._gateway.faults.planned())}, status=201)

    async def _clear_faults(self, _request: web.Request) -> web.Response:
        self._gateway.faults.clear()
        return web.Response(status=204)

    async def _push(self, request: web.Request) -> web.Response:
        body, now = await _body(request, _Push), self._now()
        service = self._service(request)
        deploy = controls.push(self._gateway.world, service, now, body.message)
        return _deploy_response(deploy, commit=service.commits[-1].id)

    async def _dashboard(self, request: web.Request) -> web.Response:
        body, now = await _body(request, _Dashboard), self._now()
        service = self._service(request)
        deploy = controls.dashboard(self._gateway.world, service, now, plan=body.plan, env=body.env, deploy=body.deploy)
        return _deploy_response(deploy)

    async def _fail_next_deploy(self, request: web.Request) -> web.Response:
        controls.fail_next_deploy(self._service(request), (await _body(request, _FailNext)).stage)
        return web.Response(status=204)

    async def _oom_kill(self, request: web.Request) -> web.Response:
        now = self._now()
        instance = controls.oom_kill(self._gateway.world, self._service(request), now)
        return web.json_response({"instanceId": instance.id})

    def _service(self, request: web.Request) -> Service:
        return self._gateway.world.find(request.match_info["serviceId"])

    def _now(self) -> int:
        now = self._gateway.clock.now()
        self._gateway.world.advance(now)
        return now


def _explained(handler: Handler) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refused as refused:
            return web.json_response({"message": refused.message}, status=refused.status)

    return handle


async def _body(request: web.Request, model: type[M]) -> M:
    try:
        return model.model_validate(bodies.decode(await request.read()))
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise Refused(400, problems) from None


def _deploy_response(deploy: Deploy | None, **more: Json | str) -> web.Response:
    return web.json_response({"deploy": deploy_body(deploy) if deploy else None, **more})
