"""One change played step by step over the simulator's own rules, without HTTP or an engine: pure `next_step` against a whole Render.

played = Played(UP, overlap="wait", list_lag=20)
played.to_the_end()
assert played.change.state is State.WATCHING

`before_each` is called before every step; it may do to the service what people, pushes and bad luck do.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from autoscaler.core.change import AppSeen, Change, DeploySeen, Direction, Rung, State, World
from autoscaler.core.durations import MINUTE, SECOND
from autoscaler.core.steps import (
    AskDeploy,
    Become,
    CancelDeploy,
    Redeploy,
    SetEnv,
    SetInstances,
    SetPlan,
    Step,
    Wait,
    Write,
    attempted,
    confirmed,
    next_step,
    refused,
)
from render_client.sim import Durations, ServiceSpec, WorldSpec, configuration, fleet, lifecycle
from render_client.sim import World as Render
from render_client.sim.building import build_world
from render_client.sim.lifecycle import Order
from render_client.sim.plans import named, spelled
from render_client.sim.state import Refused, Service, Snapshot, Source

SERVICE = "srv-cukr0123456789abcdef"
START = 1_767_600_000_000
SOAK = MINUTE
LOOK = 5 * SECOND

SMALL = Rung("mvp", "starter", 1, {"MAX_CONCURRENT": "8", "DB_POOL_SIZE": "3", "TTL": "600"}, 7.0)
LARGE = Rung("scaled", "standard", 1, {"MAX_CONCURRENT": "20", "DB_POOL_SIZE": "6", "TTL": "600"}, 25.0)
WIDE = Rung("wide", "standard", 2, {"MAX_CONCURRENT": "20", "DB_POOL_SIZE": "6", "TTL": "900"}, 50.0)


def a_change(origin: Rung, target: Rung, **more: Any) -> Change:
    """A change that may begin now."""
    direction = Direction.UP if target.monthly > origin.monthly else Direction.DOWN
    fields = {"id": "chg-1", "service_id": SERVICE, "service": "holisticos-api", "reason": "", "created_at": START}
    return Change(
        **fields, origin=origin, target=target, direction=direction, due_at=START, soak=SOAK, watch=10 * MINUTE, **more
    )


UP, DOWN = a_change(SMALL, LARGE), a_change(LARGE, SMALL)
OUT, IN = a_change(LARGE, WIDE), a_change(WIDE, LARGE)


@dataclass(frozen=True)
class Answer:
    """What becomes of one write: whether Render takes it, and what the bot hears."""

    acts: bool = True
    heard: bool = True
    refusal: str = ""
    bad_request: bool = False


FINE = Answer()


def an_order(world: Render, service: Service, commit: str | None) -> Order:
    """What a request for a deploy asks for: the build that is there, or a build of that commit."""
    if commit is None:
        return lifecycle.deploy_only(world, service)
    found = next(one for one in service.commits if one.id == commit)
    return Order("api", Source(found, None), build=True)


class Played:
    """A Render with one service that runs the origin's tier, and the change."""

    def __init__(self, change: Change, *, env: dict[str, str] | None = None, **world: Any) -> None:
        origin = change.origin
        spec = ServiceSpec(
            name="holisticos-api",
            id=SERVICE,
            plan=origin.plan,
            instances=origin.instances,
            env=dict(origin.env) if env is None else env,
        )
        durations = world.pop("durations", Durations(build=40, update=20, drain=0))
        self.now = START
        self.render = build_world(WorldSpec(services=(spec,), durations=durations, **world), START - 1)
        self.change = change
        self.writes: list[Write] = []
        """Those that Render took; a plan by its older name."""
        self.states: list[State] = []
        self.asked_in_walk: Counter[bool] = Counter()
        self.answers: Callable[[Write], Answer] = lambda write: FINE
        self.before_each: Callable[[Played], None] = lambda played: None
        self.app_answers: Callable[[Snapshot], bool] = lambda snapshot: True
        self.silence: tuple[int, int] | None = None
        self.looks = 0

    @property
    def service(self) -> Service:
        """As Render has it now."""
        self.render.advance(self.now)
        return self.render.services[SERVICE]

    @property
    def configured(self) -> tuple[str, int, dict[str, str]]:
        """Plan, count and env that the next deploy runs with; the plan by its older name, however Render spells it."""
        seen = self.service.configured()
        return seen.plan, int(self.service.details["numInstances"]), dict(seen.env)

    def shown(self, plan: str) -> str:
        """A plan as this Render spells it."""
        return spelled(plan, self.render.spec.plan_spelling)

    @property
    def running(self) -> Snapshot:
        """What the live instance was started with."""
        return self.service.serving()[-1].snapshot

    def observe(self) -> World:
        """As the reconciler looks."""
        service = self.service
        _, instances, env = self.configured
        app = self._app()
        visible = self.now - round(self.render.spec.list_lag * 1000)
        deploys = [deploy for deploy in reversed(service.deploys) if deploy.created_at <= visible]
        return World(
            plan=self.shown(service.details["plan"]),
            instances=instances,
            env={name: value for name, value in env.items() if name in self.change.target.env},
            deploys=tuple(
                DeploySeen(
                    one.id,
                    one.status,
                    one.trigger,
                    one.created_at,
                    one.source.commit.id if one.source.commit else None,
                    one.finished_at,
                )
                for one in deploys[:20]
            ),
            suspended=service.suspended,
            has_disk="disk" in service.details,
            image_backed=service.image_backed,
            app=app,
            silence=self.silence,
        )

    def _app(self) -> AppSeen | None:
        """The app, asked at every look."""
        serving = self.service.serving()
        if not serving or not self.app_answers(serving[-1].snapshot):
            self.silence = (self.silence[0] if self.silence else self.now, self.now)
            return None
        self.silence = None
        return AppSeen(self.now, dict(serving[-1].snapshot.env))

    def step(self) -> Step:
        """Look, and take one step; a wait lets its time pass."""
        self.before_each(self)
        self.looks += 1
        step = next_step(self.change, self.observe(), self.now, LOOK)
        match step:
            case Wait(until):
                assert until > self.now, "a wait that waits for nothing would spin"
                self.now = until
            case Become(change):
                self._become(change)
            case _:
                self._write(step)
                self.now += 300
        return step

    def to_the_end(self, looks: int = 3000) -> "Played":
        """Until it is over, or watched."""
        for _ in range(looks):
            if self.change.state.is_final or self.change.state is State.WATCHING:
                return self
            self.step()
        raise AssertionError(f"still {self.change.state} after {looks} looks: {self.change}")

    def _become(self, change: Change) -> None:
        self.change = change
        if not self.states or self.states[-1] is not change.state:
            self.states.append(change.state)

    def _write(self, write: Write) -> None:
        self.change = attempted(self.change, write, self.now)
        if isinstance(write, AskDeploy):
            self.asked_in_walk[self.change.walking_back is not None] += 1
        plainly = SetPlan(named(write.plan)) if isinstance(write, SetPlan) else write
        answer = self.answers(plainly)
        deploy = None
        if answer.refusal:
            self._become(refused(self.change, write, answer.refusal, self.now, bad_request=answer.bad_request).change)
            return
        if answer.acts:
            try:
                deploy = self._perform(write)
            except Refused as error:
                bad = error.status == 400
                self._become(refused(self.change, write, error.message, self.now, bad_request=bad).change)
                return
            self.writes.append(plainly)
        if answer.heard:
            self.change = confirmed(self.change, write, deploy)

    def _perform(self, write: Write) -> str | None:
        service = self.service
        match write:
            case SetPlan(plan):
                configuration.patch(self.render, service, {"serviceDetails": {"plan": plan}}, self.now)
            case SetInstances(count):
                fleet.scale(self.render, service, count, self.now)
            case SetEnv(name, value):
                configuration.set_env_var(self.render, service, name, value, self.now)
            case CancelDeploy(deploy_id):
                with suppress(Refused):  # it has ended already
                    lifecycle.cancel(self.render, service, service.deploy(deploy_id), self.now)
            case AskDeploy(commit=commit) | Redeploy(commit=commit):
                deploy = lifecycle.request_deploy(
                    self.render, service, an_order(self.render, service, commit), self.now
                )
                return None if deploy.status == "queued" else deploy.id
        return None

    def until(self, reached: Callable[["Played"], bool], looks: int = 3000) -> "Played":
        """Step by step until that is so."""
        for _ in range(looks):
            if reached(self):
                return self
            self.step()
        raise AssertionError(f"not reached: {self.change}")
