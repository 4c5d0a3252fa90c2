"""The engine over a Render without HTTP, and people, pushes and bad luck that get between any two of its calls.

town = Town(tmp_folder, overlap="wait")
town.plan(after=3, act=("plan", "starter"))     # before the fourth call of ours from now
town.pass_time(20)                               # twenty polls
town.check()
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autoscaler.adapters.store import open_store
from autoscaler.core.change import Change
from autoscaler.core.observations import Miss, Missed
from autoscaler.core.plans import is_smaller, same_plan
from autoscaler.engine import drift
from autoscaler.engine.adoption import adopt
from autoscaler.engine.managed import Managed
from autoscaler.engine.outbox import deliver
from autoscaler.engine.reconciler import Reconciler
from autoscaler.engine.tick import Ticker
from autoscaler.policyfile import load_text
from autoscaler.ports import Report
from render_client.sim import (
    Durations,
    ManualClock,
    ServiceSpec,
    WorldSpec,
    configuration,
    fleet,
    lifecycle,
    suspension,
)
from render_client.sim.building import build_world
from render_client.sim.controls import dashboard, fail_next_deploy, push
from render_client.sim.lifecycle import Order
from render_client.sim.state import Deploy, Refused, Service
from tests.support.crashing import Heard, Killed, PlainRender
from tests.support.rig import MVP_ENV, POLICY, SERVICE

POLL = 10
DRIFT = 60
LARGE_ENV = {"MAX_CONCURRENT": "40", "DB_POOL_SIZE": "12"}
FILE = load_text(
    POLICY.replace(
        "emergency:", "  - {name: large, plan: pro, env: {MAX_CONCURRENT: 40, DB_POOL_SIZE: 12}}\nemergency:"
    ).replace("max_changes: 20", "max_changes: 90"),
    "policy.yaml",
)
TIERS = FILE.policy.tiers
MIB = 1024**2
LOADS = {
    "calm": (2.0, 0.1, 100 * MIB),
    "busy": (10.0, 3.0, 100 * MIB),
    "full": (2.0, 0.1, 500 * MIB),
    "silent": None,
}
"""Requests a second, their response time in seconds, memory."""


@dataclass
class Town:
    """One service, our engine, and everybody else."""

    folder: Path
    overlap: str = "override"
    list_lag: float = 0
    rung: int = 0
    clock: ManualClock = field(default_factory=ManualClock)
    load: str = "calm"
    calls: int = 0
    lives: bool = True
    deaths: int = 0

    def __post_init__(self) -> None:
        tier = TIERS[self.rung]
        spec = ServiceSpec(name="holisticos-api", id=SERVICE, plan=tier.plan, env=dict(tier.env))
        world = WorldSpec(
            services=(spec,),
            durations=Durations(build=40, update=15, drain=0),
            overlap=self.overlap,
            list_lag=self.list_lag,
        )
        self.render = PlainRender(build_world(world, self.clock.now() - 1), self.clock)
        self.url = f"sqlite:///{self.folder}/bot.db"
        self.heard = Heard()
        self.acts: list[tuple[int, Callable[[], None]]] = []
        self.persons: set[str] = set()
        """What people hold: names of variables, and `plan` for one that is on no rung."""
        self.excused_until = 0
        """Until when the env may be too large for a plan that somebody else set, ms."""
        self.rolled_back: set[str] = set()
        self.saved_only = False
        self.judged: set[str] = set()
        self.log: list[tuple[object, ...]] = []
        """What others did, and when."""
        self.totals = [0.0, 0.0]
        self.dies_before = self.dies_after = -1
        """At which call of ours the worker is killed: before it is made, or before its answer is known."""

    async def start(self) -> None:
        """As a worker starts."""
        self.store = open_store(self.url)
        clock: Any = _Clock(self.clock)
        self.managed: Managed = await adopt(FILE, self._between, self.store, clock, fleet_ := {})
        self.ticker = Ticker(self.store, self, clock, dry_run=False)
        self.reconciler = Reconciler(self.store, self._between, clock, fleet_)

    def kill(self, after: int, *, answered: bool) -> None:
        """Let the worker die at the call that is so many calls ahead."""
        at = self.calls + 1 + after
        self.dies_before, self.dies_after = (at, -1) if not answered else (-1, at)

    async def restart(self) -> None:
        """Another process on the same database."""
        await self.store.close()
        await self.start()
        self.lives = True

    async def end(self) -> None:
        await self.store.close()

    @property
    def service(self) -> Service:
        return self.render.service

    @property
    def _between(self) -> Any:
        return _Between(self)

    # What others do ---------------------------------------------------------------------------------------------------

    def plan(self, after: int, act: tuple[str, ...]) -> None:
        """Let it happen before the call of ours that is so many calls ahead."""
        self.acts.append((self.calls + after, lambda: self._act(*act)))

    def before_a_call(self) -> None:
        self.calls += 1
        if self.calls == self.dies_before:
            raise Killed
        due = [act for at, act in self.acts if at < self.calls]
        self.acts = [(at, act) for at, act in self.acts if at >= self.calls]
        for act in due:
            with suppress(Refused):
                act()
        self.check()

    def _act(self, what: str, *more: str) -> None:
        self.log.append((self.clock.now(), what, *more))
        getattr(self, f"_{what}")(*more)

    def _push(self) -> None:
        push(self.render.world, self.service, self.clock.now())

    def _plan(self, plan: str, how: str = "deploy") -> None:
        before = self.service.configured().plan
        dashboard(self.render.world, self.service, self.clock.now(), plan=plan, deploy=how == "deploy")
        self._was_set(before, plan)
        self.saved_only |= how != "deploy"

    def _was_set(self, before: str, plan: str) -> None:
        """From the next look on the env follows, and within one drift interval it fits."""
        if not same_plan(before, plan):
            self.excused_until = self.clock.now() + (DRIFT + 2 * POLL) * 1000

    def _sync(self, plan: str) -> None:
        """A Blueprint sync."""
        before = self.service.configured().plan
        configuration.patch(self.render.world, self.service, {"serviceDetails": {"plan": plan}}, self.clock.now())
        self._was_set(before, plan)
        order = Order("blueprint_sync", lifecycle.branch_head(self.service), build=True)
        lifecycle.request_deploy(self.render.world, self.service, order, self.clock.now())

    def _env(self, name: str, value: str, how: str = "deploy") -> None:
        dashboard(self.render.world, self.service, self.clock.now(), env={name: value}, deploy=how == "deploy")
        self.persons.add(name)
        self.saved_only |= how != "deploy"

    def _rollback(self) -> None:
        older = [deploy for deploy in self.service.deploys if deploy.status == "deactivated"]
        if older:
            order = Order("rollback", older[-1].source, build=False, rollback_of=older[-1])
            deploy = lifecycle.request_deploy(self.render.world, self.service, order, self.clock.now())
            self.rolled_back.add(deploy.id)

    def _foreign(self) -> None:
        """Somebody else's program asks for a deploy through the API."""
        order = Order("api", lifecycle.branch_head(self.service), build=True)
        lifecycle.request_deploy(self.render.world, self.service, order, self.clock.now())

    def _suspend(self) -> None:
        suspension.suspend(self.render.world, self.service, self.clock.now())

    def _resume(self) -> None:
        suspension.resume(self.render.world, self.service, self.clock.now())

    def _scale(self, count: str) -> None:
        fleet.scale(self.render.world, self.service, int(count), self.clock.now())

    def _fail(self, stage: str) -> None:
        fail_next_deploy(self.service, stage)

    def _cancel(self) -> None:
        if self.service.running_deploy:
            lifecycle.cancel(self.render.world, self.service, self.service.running_deploy, self.clock.now())

    # What we do -------------------------------------------------------------------------------------------------------

    async def pass_time(self, polls: int) -> None:
        """Poll by poll; a worker that is killed is followed by another one at the next poll."""
        for _ in range(polls):
            self.clock.advance(POLL)
            self.check()
            try:
                if not self.lives:
                    await self.restart()
                await self._poll()
            except Killed:
                self.lives = False
                self.deaths += 1
                self.log.append((self.clock.now(), "killed"))
                if self.clock.now() <= self.excused_until:  # the interval is that of a worker that lives
                    self.excused_until = self.clock.now() + (DRIFT + 2 * POLL) * 1000
            self.check()

    async def _poll(self) -> None:
        clock: Any = _Clock(self.clock)
        if self.clock.now() // 1000 % DRIFT < POLL:
            await drift.look(self.managed, self._between, self.store, clock)
        await self.ticker.tick(self.managed)
        for change in await self.store.due_changes(self.clock.now()):
            await self.reconciler.advance(change)
        await deliver(self.store, self.heard, clock)

    async def fetch(self, health: object) -> Report | Missed:
        """ports.HealthPort."""
        now, load = self.clock.now(), LOADS[self.load]
        serving = self.service.serving()
        if load is None or not serving:
            return Missed(now, Miss.REFUSED, "connection refused")
        rate, seconds, memory = load
        snapshot = serving[-1].snapshot
        self.totals[0] += rate * POLL
        self.totals[1] += rate * POLL * seconds
        limit = {"starter": 512, "standard": 2048, "pro": 4096}.get(snapshot.plan, 8192) * MIB
        return Report(
            now,
            0.01,
            {
                "timestamp": datetime.fromtimestamp(now / 1000, UTC).isoformat(),
                "current_metrics": {"concurrent_requests": 1},
                "instance": {"id": serving[-1].id, "started_at": _iso(serving[-1].created_at)},
                "counters": {
                    "requests_total": self.totals[0],
                    "errors_total": 0,
                    "response_seconds_total": self.totals[1],
                },
                "resources": {"memory_used_bytes": min(memory, limit), "memory_limit_bytes": limit},
            },
        )

    # What must hold ---------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """The order property, at this instant: no deploy began an instance whose env belongs to a larger tier than its plan."""
        now = self.clock.now()
        for deploy in self.service.deploys:
            if deploy.snapshot is None or deploy.id in self.judged:
                continue
            self.judged.add(deploy.id)
            if now > self.excused_until and deploy.id not in self.rolled_back:
                assert self.fits(deploy.snapshot.plan, deploy.snapshot.env), _tell(deploy)
        if now > self.excused_until and not self.service.suspended and not self.acts:
            configured = self.service.configured()
            assert self.fits(configured.plan, configured.env), f"configured {configured}"

    def fits(self, plan: str, env: Any) -> bool:
        """Whether no value that is not a person's belongs to a larger tier only."""
        allowed = [tier for tier in TIERS if same_plan(tier.plan, plan) or is_smaller(tier.plan, plan)]
        larger = [tier for tier in TIERS if tier not in allowed]
        for name in MVP_ENV:
            too_large = {tier.env[name] for tier in larger} - {tier.env[name] for tier in allowed}
            if name not in self.persons and env.get(name) in too_large:
                return not allowed  # on a plan below the ladder nothing fits
        return True

    async def at_rest(self) -> list[Change]:
        """In the end, calm and left alone: nothing is open, what is configured runs, the record is whole."""
        self.acts.clear()
        self.load = "calm"
        self.service.fail_next = None
        with suppress(Refused):
            suspension.resume(self.render.world, self.service, self.clock.now())
        await self.pass_time(6 * 20)
        changes = await self.store.changes()
        assert not [change for change in changes if change.state.is_open], changes
        if not self.saved_only and not self.rolled_back:
            configured, running = self.service.configured(), self.service.serving()[-1].snapshot
            assert same_plan(configured.plan, running.plan), (configured, running, changes)
            for name in set(MVP_ENV) - self.persons:
                assert configured.env.get(name) == running.env.get(name), (configured, running, changes)
        for change in changes:
            journal = await self.store.journal(change.id)
            assert [entry.number for entry in journal] == list(range(1, len(journal) + 1))
            assert all(entry.outcome for entry in journal), journal
            asked = [entry for entry in journal if entry.step.startswith("ask ") or entry.step.startswith("ask again")]
            assert len(change.attempts) <= 3, change
            assert len(asked) <= 3 * 2 + len(change.given_back), journal
        return changes


class _Between:
    """A RenderPort before each of whose calls the others have their turn."""

    def __init__(self, town: Town) -> None:
        self._town = town

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._town.render, name)

        async def called(*arguments: Any, **named: Any) -> Any:
            self._town.before_a_call()
            result = await call(*arguments, **named)
            self._town.check()
            if self._town.calls == self._town.dies_after:
                raise Killed
            return result

        return called


class _Clock:
    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock

    def now(self) -> int:
        return self._clock.now()

    def monotonic(self) -> float:
        return self._clock.now() / 1000


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat()


def _tell(deploy: Deploy) -> str:
    return f"{deploy.trigger} {deploy.id} began {deploy.snapshot}"
