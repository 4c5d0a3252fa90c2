"""The whole engine over real parts in fake time: the simulator over HTTP, a SQLite file, and an app whose load the test sets.

async with running_rig(tmp_path) as rig:
    rig.load = BUSY
    await rig.run(minutes=2)
    assert rig.configured == ("standard", SCALED_ENV)
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from autoscaler.adapters.render import RenderAdapter
from autoscaler.adapters.store import SqlStore, open_store
from autoscaler.core.change import Change
from autoscaler.core.observations import Miss, Missed
from autoscaler.engine import drift
from autoscaler.engine.adoption import adopt
from autoscaler.engine.hearing import Hearing
from autoscaler.engine.managed import Managed
from autoscaler.engine.meter import Meter
from autoscaler.engine.outbox import deliver
from autoscaler.engine.reconciler import Reconciler
from autoscaler.engine.tick import Pass, Ticker
from autoscaler.errors import OutsideError
from autoscaler.policyfile import load_text
from autoscaler.ports import Delivery, Report
from render_client import RenderClient
from render_client.sim import Durations, ManualClock, ServiceSpec, Simulator, WorldSpec, running_simulator

SERVICE = "srv-cukr0123456789abcdef"
EVERY = 10
"""Seconds between polls."""
MVP_ENV = {"MAX_CONCURRENT": "8", "DB_POOL_SIZE": "3"}
SCALED_ENV = {"MAX_CONCURRENT": "20", "DB_POOL_SIZE": "6"}

POLICY = f"""
version: 1
mode: act
service:
  id: {SERVICE}
  health: {{url: "http://127.0.0.1:1/api/health/scaling", every: {EVERY}s, timeout: 5s}}
tiers:
  - name: mvp
    plan: starter
    env: {{MAX_CONCURRENT: 8, DB_POOL_SIZE: 3}}
    scale_up: {{any: [avg_response_time > 1s for 2m, complaints >= 3 within 24h]}}
  - name: scaled
    plan: standard
    env: {{MAX_CONCURRENT: 20, DB_POOL_SIZE: 6}}
    scale_down: {{all: [avg_response_time < 500ms for 5m, memory_usage < 200MB for 5m]}}
emergency: {{any: [memory_percent > 95% for 30s]}}
alerts: [{{name: growth, when: daily_active_users >= 100, do: prepare_for_scaling}}]
guards: {{cooldown: {{up: 1m, down: 2m}}, max_changes: 20 per day}}
verify: {{soak: 1m, watch: 10m}}
notify: {{slack: "#ops"}}
evidence: {{rate_window: 1m, min_requests: 5, warm_up: 20s, fit_window: 5m, drift_every: 1m}}
"""


@dataclass(frozen=True)
class Load:
    """What the app goes through: requests a second, and their response time on each plan, seconds."""

    rate: float
    seconds: dict[str, float]
    memory: int = 100 * 1024**2


CALM = Load(2.0, {"starter": 0.2, "standard": 0.1, "pro": 0.1})
BUSY = Load(10.0, {"starter": 3.0, "standard": 0.8})


class TurnedClock:
    """ports.Clock over the simulator's manual clock: the bot and Render live in one time."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.wrong_by = 0
        """By how much the bot's wall clock is off, ms."""

    def now(self) -> int:
        return self._clock.now() + self.wrong_by

    def monotonic(self) -> float:
        return self._clock.now() / 1000


class SimulatedApp:
    """ports.HealthPort: the report of an app that runs what the simulator's live instance runs."""

    def __init__(self, rig: "Rig") -> None:
        self._rig = rig
        self.fails: Missed | None = None
        """Instead of an answer."""
        self.fails_on: str | None = None
        """The plan on which the app never answers."""
        self._totals: dict[str, list[float]] = {}
        self._counted_at = 0
        self.tells_who = True
        """Whether it says which instance answers, and since when."""
        self.business: dict[str, float] = {}
        self.signals: dict[str, int] = {}

    async def fetch(self, health: object) -> Report | Missed:
        at, now = self._rig.clock.now(), self._rig.sim.clock.now()
        if self.fails is not None:
            return Missed(at, self.fails.reason, self.fails.detail, self.fails.timeout)
        serving = self._rig.sim.world.services[SERVICE].serving()
        if not serving:
            return Missed(at, Miss.REFUSED, "connection refused")
        instance = serving[-1]
        plan = instance.snapshot.plan
        if plan == self.fails_on:
            return Missed(at, Miss.REFUSED, "connection refused")
        totals = self._totals.setdefault(instance.id, [0.0, 0.0])
        requests = self._rig.load.rate * (now - self._counted_at) / 1000 if self._counted_at else 0.0
        totals[0] += requests
        totals[1] += requests * self._rig.load.seconds[plan]
        self._counted_at = now
        return Report(at, 0.01, self._body(now, instance.id, plan, dict(instance.snapshot.env), totals))

    def _body(self, now, instance, plan, env, totals):
        limit = {"starter": 512, "standard": 2048, "pro": 4096}[plan] * 1024**2
        return {
            "timestamp": datetime.fromtimestamp(now / 1000, UTC).isoformat(),
            "current_metrics": {"concurrent_requests": 1},
            "instance": {"plan_guess": plan, "settings": env}
            | ({"id": instance, "started_at": self._iso(self.started[instance])} if self.tells_who else {}),
            "counters": {"requests_total": totals[0], "errors_total": 0, "response_seconds_total": totals[1]},
            "concurrency": {"running": 0, "queued": 0, "peak": {"10s": 2, "1m": 2}},
            "resources": {"memory_used_bytes": self._rig.load.memory, "memory_limit_bytes": limit},
            "business": self.business,
            "signals": self.signals,
        }

    @staticmethod
    def _iso(at: int) -> str:
        return datetime.fromtimestamp(at / 1000, UTC).isoformat()

    @property
    def started(self):
        """When each instance was first seen, ms."""
        for instance in self._rig.sim.world.services[SERVICE].instances:
            self._starts.setdefault(instance.id, self._rig.sim.clock.now())
        return self._starts

    _starts: dict[str, int] = {}  # noqa: RUF012 - set anew below

    def begin(self) -> None:
        self._starts = {}


@dataclass
class Told:
    """ports.Notifier: keeps what it is given."""

    deliveries: list[Delivery] = field(default_factory=list)

    async def deliver(self, delivery: Delivery) -> str:
        self.deliveries.append(delivery)
        return f"ref:{delivery.event.id}"

    @property
    def titles(self) -> list[str]:
        return [delivery.event.message.title for delivery in self.deliveries]


@dataclass
class Rig:
    sim: Simulator
    clock: TurnedClock
    store: SqlStore
    url: str
    client: RenderClient
    policy_text: str
    dry_run: bool
    load: Load = CALM
    passes: list[Pass] = field(default_factory=list)
    told: Told = field(default_factory=Told)
    managed: Managed = field(init=False)
    app: SimulatedApp = field(init=False)
    hearing: Hearing = field(init=False)
    ticker: Ticker = field(init=False)
    reconciler: Reconciler = field(init=False)
    render: RenderAdapter = field(init=False)

    async def start(self) -> None:
        """As a worker starts: everything in memory is built anew from the store."""
        self.render = RenderAdapter(self.client)
        fleet: dict[str, Managed] = {}
        file = load_text(self.policy_text, "rig.yaml")
        self.hearing = Hearing(self.store, fleet, self.clock)
        await self.hearing.hear()
        self.managed = await adopt(file, self.render, self.store, self.clock, fleet)
        meter = Meter(self.render, fleet, self.clock)
        self.ticker = Ticker(self.store, self.app, self.clock, dry_run=self.dry_run, meter=meter)
        self.reconciler = Reconciler(self.store, self.render, self.clock, fleet)

    async def restart(self) -> None:
        """A new worker process on the same database."""
        await self.store.close()
        self.store = open_store(self.url)
        await self.start()

    async def run(self, *, minutes: float = 0, seconds: float = 0) -> None:
        """Let time pass, poll by poll; changes and messages go on as they fall due."""
        for _ in range(round((minutes * 60 + seconds) / EVERY)):
            self.sim.clock.advance(EVERY)
            await self.step()

    async def step(self) -> None:
        """What a worker does when it is time for all of it."""
        if self.clock.now() // 1000 % 60 < EVERY:
            with suppress(OutsideError):  # the worker logs it and goes on
                await drift.look(self.managed, self.render, self.store, self.clock)
        await self.hearing.hear()
        self.passes.append(await self.ticker.tick(self.managed))
        if not self.dry_run:
            for change in await self.store.due_changes(self.clock.now()):
                await self.reconciler.advance(change)
        await deliver(self.store, self.told, self.clock)

    async def changes(self) -> list[Change]:
        """Oldest first."""
        return list(reversed(await self.store.changes()))

    @property
    def service(self):
        return self.sim.world.services[SERVICE]

    @property
    def configured(self) -> tuple[str, dict[str, str]]:
        """Plan and env as Render would show them."""
        configured = self.service.configured()
        return configured.plan, dict(configured.env)

    @property
    def running(self) -> tuple[str, dict[str, str]]:
        """Plan and env that the live instance was started with."""
        snapshot = self.service.serving()[-1].snapshot
        return snapshot.plan, dict(snapshot.env)

    @property
    def writes(self) -> list[str]:
        """The calls that changed something, in order, such as `PATCH` or `PUT env-vars/MAX_CONCURRENT`."""
        calls = [call for call in self.sim.calls if call.method != "GET" and call.effective]
        prefix = f"/services/{SERVICE}"
        return [f"{call.method} {call.path.removeprefix(prefix).removeprefix('/')}".strip() for call in calls]


@asynccontextmanager
async def running_rig(
    tmp_path: Path,
    *,
    policy: str = POLICY,
    dry_run: bool = False,
    world: dict | None = None,
    service: dict | None = None,
) -> AsyncIterator[Rig]:
    """A rig on `starter` with the mvp's env, adopted and calm."""
    clock = ManualClock()
    spec = ServiceSpec(
        **{"name": "holisticos-api", "id": SERVICE, "env": MVP_ENV | {"SECRET_KEY": "not-ours"}, **(service or {})}
    )
    settings = {"durations": Durations(update=15, drain=0), "services": (spec,), **(world or {})}
    async with running_simulator(WorldSpec(**settings), clock=clock) as sim:

        async def skip(seconds: float) -> None:
            clock.advance(seconds)

        url = f"sqlite:///{tmp_path}/bot.db"
        store = open_store(url)
        await store.migrate()
        turned = TurnedClock(clock)
        client = RenderClient(
            sim.api_key, sim.base_url, timeout=1.0, patience=5.0, write_patience=0.0, clock=turned.monotonic, sleep=skip
        )
        rig = Rig(sim, turned, store, url, client, policy, dry_run)
        rig.app = SimulatedApp(rig)
        rig.app.begin()
        try:
            await rig.start()
            sim.calls.clear()
            yield rig
        finally:
            await client.aclose()
            await rig.store.close()
