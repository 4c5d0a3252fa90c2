"""One process after another on the same database: the engine without HTTP, recorded at every boundary of every call of its ports.

What outlives a process is the database file, Render, and what was delivered: an `Image`. A life is recorded as the images at
all its boundaries; a crash there is a new process on a copy of that image. Nothing unwinds, as with a SIGKILL. Where nothing
lasting happened between two boundaries (a read), the image is the same, and so is every crash there: it is kept once, with
the number of its boundaries.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from autoscaler.adapters.store import SqlStore
from autoscaler.adapters.store.address import parse
from autoscaler.adapters.store.database import Database
from autoscaler.core.observations import Miss, Missed
from autoscaler.core.plans import PLANS
from autoscaler.engine import drift
from autoscaler.engine.adoption import adopt
from autoscaler.engine.managed import Managed
from autoscaler.engine.outbox import deliver
from autoscaler.engine.reconciler import Reconciler
from autoscaler.engine.tick import Ticker
from autoscaler.errors import BadRequestError
from autoscaler.ports import PassRecord, Report
from render_client.sim import ServiceSpec, WorldSpec
from render_client.sim.building import build_world
from render_client.sim.clock import MANUAL_START
from render_client.sim.controls import fail_next_deploy, push
from tests.support.crashing import Heard, PlainRender
from tests.support.matrix_checks import check_configured, check_step, step_under_way
from tests.support.matrix_scenes import FILE, SERVICE, Scene

STEP = 10_000
"""Between two polls, ms."""
DRIFT = 60_000
MOST_STEPS = 90
READS = frozenset(
    {
        "observations",
        "tier_changes",
        "kills",
        "changes",
        "journal",
        "verdicts",
        "paused",
        "told",
        "change",
        "due_changes",
    }
    | {"last_verdicts", "undelivered", "leases", "alive", "unfinished", "heartbeats"}
    | {"env_seen", "find_service", "env", "deploys", "failures", "plans_set", "samples", "fetch"}
)
"""The calls after which everything that lasts is as before."""


@dataclass(frozen=True, slots=True)
class Op:
    """One thing that Render took."""

    at: int
    name: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Image:
    """All that outlives a process, at one instant."""

    now: int
    database: bytes
    ops: tuple[Op, ...] = ()
    heard: tuple[str, ...] = ()
    crashes: tuple[str, ...] = ()
    """Where the processes before it were cut off."""
    boundary: str = ""
    boundaries: int = 1
    """At how many boundaries in a row it looked like this."""


class Time:
    """ports.Clock, and the simulator's."""

    def __init__(self, now: int) -> None:
        self.at = now

    def now(self) -> int:
        return self.at

    def monotonic(self) -> float:
        return self.at / 1000


class SceneRender(PlainRender):
    """The scene's Render, built anew from what it took."""

    def __init__(self, scene: Scene, time: Time) -> None:
        origin = scene.origin
        spec = ServiceSpec(
            name="holisticos-api", id=SERVICE, plan=origin.plan, instances=origin.instances, env=dict(origin.env)
        )
        world = WorldSpec(services=(spec,), durations=scene.durations(), **scene.world)
        super().__init__(build_world(world, MANUAL_START - 1), time, tells=scene.tells)
        self.scene = scene
        self.ops: list[Op] = []
        """What it took, in order."""
        if scene.fails:
            fail_next_deploy(self.service)

    async def replay(self, ops: tuple[Op, ...]) -> None:
        now = self.clock.at
        for op in ops:
            self.clock.at = op.at
            await getattr(self, op.name)(*op.arguments)
        self.clock.at, self.ops = now, list(ops)

    async def deploy(self, service_id: str, commit: str | None = None) -> str | None:
        if self.scene.refuses and commit is None:
            raise BadRequestError("400: deployMode")
        if self.scene.push and len(self.service.commits) == 1:
            push(self.world, self.service, self.clock.now())
        return await super().deploy(service_id, commit)


class SceneApp:
    """ports.HealthPort: an app that runs what the live instance runs."""

    def __init__(self, render: Any, since: int = MANUAL_START) -> None:
        """`render`: has the scene, its service and a clock; `since`: when the scene began, ms."""
        self._render, self._since = render, since

    async def fetch(self, health: object) -> Report | Missed:
        scene, now = self._render.scene, self._render.clock.now()
        serving = self._render.service.serving()
        if not serving:
            return Missed(now, Miss.REFUSED, "connection refused")
        snapshot = serving[-1].snapshot
        limit = PLANS[snapshot.plan].memory
        share = scene.memory.get(snapshot.plan, 1) if now >= self._since + scene.memory_from else 1
        requests = (now - self._since) // 100
        body = {
            "counters": {"requests_total": requests, "errors_total": 0, "response_seconds_total": requests / 10},
            "timestamp": datetime.fromtimestamp(now / 1000, UTC).isoformat(),
            "current_metrics": {"concurrent_requests": 1},
            "instance": {"id": serving[-1].id, "settings": dict(snapshot.env)},
            "resources": {"memory_used_bytes": limit * share // 100, "memory_limit_bytes": limit},
        }
        return Report(now, 0.01, body)


class _Database(Database):
    """Without its thread: nothing here runs beside anything else."""

    async def _run(self, work: Callable[[], Any]) -> Any:
        return work()


class Bench:
    """Where lives are lived: one database file, on a file system in memory where there is one."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "bot.db"
        self.database = _Database(parse(f"sqlite:///{self._file}"), read_only=False)
        self.store = SqlStore(self.database)
        self._template: bytes | None = None
        """A migrated, empty database."""

    async def first(self, scene: Scene) -> Image:
        """The scene's beginning: the service is known, and its change has just begun."""
        if self._template is None:
            await self.store.migrate()
            self._template = self.content()
        self.put(self._template)
        time = Time(MANUAL_START)
        await adopt(FILE, SceneRender(scene, time), self.store, time, {})
        await self.store.record(PassRecord(SERVICE, (), change=scene.change(time.now())))
        return Image(time.now(), self.content())

    def content(self) -> bytes:
        """The database as a reader would see it now: all that was committed."""
        with self.database.engine.connect() as connection:
            return connection.connection.driver_connection.serialize()

    def put(self, content: bytes) -> None:
        """Let the database be this, for a new process."""
        self.database.engine.dispose()
        for old in self._file.parent.glob("bot.db-*"):
            old.unlink()
        self._file.write_bytes(content)
        self.database._checked = False


@contextmanager
def bench() -> Iterator[Bench]:
    """In a folder of its own, for as long as the context lasts."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        made = Bench(Path(folder))
        try:
            yield made
        finally:
            made.database.engine.dispose()


class Life:
    """One process, from an image to the end of its scene; `images` are its boundaries if it is recorded."""

    def __init__(self, bench_: Bench, scene: Scene, image: Image, *, recorded: bool, away: int = 0) -> None:
        """`away`: how long nobody ran before it, ms."""
        self.bench, self.scene, self.begins = bench_, scene, image
        self.time = Time(image.now + away)
        self.render, self.heard = SceneRender(scene, self.time), Heard(list(image.heard))
        self.recorded = recorded
        self.images: list[Image] = []
        self._effects, self._seen = 0, (-1, -1)
        self._store: Any = self._watched(bench_.store)
        self._render: Any = self._watched(self.render)
        self._heard: Any = self._watched(self.heard)
        self._app: Any = self._watched(SceneApp(self.render))
        self.managed: Managed

    def _watched(self, port: object) -> "_Watched":
        return _Watched(port, self)

    async def live(self) -> None:
        """Until all is over and told. Raises AssertionError for a Render that is wrong at any instant, or no end."""
        self.bench.put(self.begins.database)
        await self.render.replay(self.begins.ops)
        fleet: dict[str, Managed] = {}
        self.managed = await adopt(FILE, self._render, self._store, self.time, fleet)
        ticker = Ticker(self._store, self._app, self.time, dry_run=False)
        reconciler = Reconciler(self._store, self._render, self.time, fleet)
        for _ in range(MOST_STEPS):
            self.time.at += STEP if self.scene.memory or await self._is_open() else DRIFT
            if self.time.now() % DRIFT < STEP:
                await drift.look(self.managed, self._render, self._store, self.time)
            await ticker.tick(self.managed)
            for change in await self._store.due_changes(self.time.now()):
                await reconciler.advance(change)
            await deliver(self._store, self._heard, self.time)
            if await self._is_over():
                return
        raise AssertionError(f"not over after {MOST_STEPS} steps: {await self.bench.store.changes()}")

    async def _is_open(self) -> bool:
        """Whether there is more to do than to watch; else a minute goes by at once, where the app tells nothing new."""
        return any(change.state.is_open for change in await self.bench.store.changes())

    async def _is_over(self) -> bool:
        changes = await self.bench.store.changes()
        over = len(changes) >= len(self.scene.endings) and all(change.state.is_final for change in changes)
        return over and not await self.bench.store.undelivered(self.time.now())

    async def called(self, port: object, name: str, arguments: Any, named: Any) -> Any:
        """One call of a port, with a boundary before it and one after it."""
        call = getattr(port, name)
        writes = port is self.render and name not in READS
        self._boundary(f"before {name}")
        answer = await (self._written(name, call, arguments) if writes else call(*arguments, **named))
        self._effects += name not in READS
        self._boundary(f"after {name}")
        return answer

    async def _written(self, name: str, call: Callable[..., Awaitable[Any]], arguments: Any) -> Any:
        step = await step_under_way(self.bench.store)
        answer = await call(*arguments)
        check_step(step, self.render.writes[-1])
        check_configured(self.render.service)
        self.render.ops.append(Op(self.time.now(), name, arguments))
        return answer

    def _boundary(self, name: str) -> None:
        if not self.recorded:
            return
        seen = (self._effects, self.time.now())
        if seen == self._seen:
            self.images[-1] = replace(self.images[-1], boundaries=self.images[-1].boundaries + 1)
            return
        self._seen = seen
        crash = f"{name} ({len(self.render.ops)} writes, {(self.time.now() - MANUAL_START) // 1000} s)"
        crashes = (*self.begins.crashes, crash)
        at_rest = self.images[-1].database if self.images and name.startswith("before") else self.bench.content()
        self.images.append(
            Image(self.time.now(), at_rest, tuple(self.render.ops), tuple(self.heard.ids), crashes, name)
        )


class _Watched:
    """A port whose calls have boundaries."""

    def __init__(self, port: object, life: Life) -> None:
        self._port, self._life = port, life

    def __getattr__(self, name: str) -> Any:
        async def called(*arguments: Any, **named: Any) -> Any:
            return await self._life.called(self._port, name, arguments, named)

        return called
