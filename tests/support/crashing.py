"""The engine over a Render without HTTP and a real SQLite file, killed between any two calls of its ports.

A crash before a call is a crash after the one before it: one point a call, and all are tried.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autoscaler.adapters.store import open_store
from autoscaler.core.change import DeploySeen
from autoscaler.core.observations import Missed
from autoscaler.engine.adoption import adopt
from autoscaler.engine.managed import Managed
from autoscaler.engine.outbox import deliver
from autoscaler.engine.reconciler import Reconciler
from autoscaler.engine.tick import Ticker
from autoscaler.policyfile import PolicyFile
from autoscaler.ports import Delivery, Failure, Report, ServiceSeen
from render_client.sim import ManualClock, World, configuration, fleet, lifecycle
from render_client.sim.state import Refused, Service
from tests.support.played import an_order


class Killed(BaseException):
    """The process is gone: nothing catches it."""


@dataclass
class Countdown:
    """Kills after so many calls; counts on for ever with None."""

    left: int | None = None
    calls: list[str] = field(default_factory=list)

    def called(self, name: str) -> None:
        self.calls.append(name)
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                self.left = None
                raise Killed(name)


class Counted:
    """A port whose calls are counted as they end."""

    def __init__(self, port: Any, countdown: Countdown) -> None:
        self._port = port
        self._countdown = countdown

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._port, name)

        async def counted(*arguments: Any, **named: Any) -> Any:
            result = await call(*arguments, **named)
            self._countdown.called(name)
            return result

        return counted


class PlainRender:
    """ports.RenderPort straight on the simulator's world. With `tells` false a deploy request is answered without an id."""

    def __init__(self, world: World, clock: ManualClock, *, tells: bool = True) -> None:
        self.world = world
        self.clock = clock
        self.tells = tells
        self.writes: list[str] = []

    @property
    def service(self) -> Service:
        self.world.advance(self.clock.now())
        return next(iter(self.world.services.values()))

    async def find_service(self, *, id: str | None, name: str | None) -> ServiceSeen:  # noqa: A002 - the port's word
        service, details = self.service, self.service.details
        return ServiceSeen(
            id=service.id,
            name="holisticos-api",
            plan=details["plan"],
            instances=details["numInstances"],
            suspended=service.suspended,
            has_disk=False,
            render_autoscaling=False,
        )

    async def env(self, service_id: str, names: Sequence[str]) -> dict[str, str]:
        return {name: self.service.env[name].value for name in names if name in self.service.env}

    async def failures(self, service_id: str, since: int) -> tuple[Failure, ...]:
        return ()

    async def deploys(self, service_id: str) -> tuple[DeploySeen, ...]:
        visible = self.clock.now() - round(self.world.spec.list_lag * 1000)
        return tuple(
            DeploySeen(one.id, one.status, one.trigger, one.created_at, one.source.commit.id, one.finished_at)
            for one in reversed(self.service.deploys)
            if one.created_at <= visible
        )

    async def set_plan(self, service_id: str, plan: str) -> None:
        configuration.patch(self.world, self.service, {"serviceDetails": {"plan": plan}}, self.clock.now())
        self.writes.append(f"set plan {plan}")

    async def set_env(self, service_id: str, name: str, value: str) -> None:
        configuration.set_env_var(self.world, self.service, name, value, self.clock.now())
        self.writes.append(f"set {name}")

    async def set_instances(self, service_id: str, count: int) -> None:
        fleet.scale(self.world, self.service, count, self.clock.now())
        self.writes.append(f"set {count} instances")

    async def deploy(self, service_id: str, commit: str | None = None) -> str | None:
        deploy = lifecycle.request_deploy(self.world, self.service, an_order(self.service, commit), self.clock.now())
        self.writes.append("ask for a deploy" + (f" of commit {commit}" if commit else " (deploy_only)"))
        return deploy.id if self.tells else None

    async def cancel(self, service_id: str, deploy_id: str) -> None:
        with suppress(Refused):
            lifecycle.cancel(self.world, self.service, self.service.deploy(deploy_id), self.clock.now())
        self.writes.append(f"cancel deploy {deploy_id} of ours")


class PlainApp:
    """ports.HealthPort: what the live instance runs with, always well."""

    def __init__(self, render: PlainRender) -> None:
        self._render = render

    async def fetch(self, health: object) -> Report | Missed:
        now = self._render.clock.now()
        instance = self._render.service.serving()[-1]
        body = {
            "timestamp": f"2026-01-05T08:00:00.{now % 1_000_000:06d}+00:00",
            "current_metrics": {"concurrent_requests": 1},
            "instance": {"id": instance.id, "settings": dict(instance.snapshot.env)},
        }
        return Report(now, 0.01, body)


@dataclass
class Heard:
    """ports.Notifier: keeps the ids of what it is given, in order."""

    ids: list[str] = field(default_factory=list)

    async def deliver(self, delivery: Delivery) -> str:
        self.ids.append(delivery.event.id)
        return "ref"


class Process:
    """One worker process on the database: started, then stepped until it is done or killed."""

    def __init__(self, url: str, policy: PolicyFile, render: PlainRender, heard: Heard, countdown: Countdown) -> None:
        self._policy = policy
        self.raw = open_store(url)
        self.store: Any = Counted(self.raw, countdown)
        self.clock = render.clock
        self._render: Any = Counted(render, countdown)
        self._heard: Any = Counted(heard, countdown)
        self._app: Any = Counted(PlainApp(render), countdown)
        self.managed: Managed | None = None

    async def start(self) -> None:
        fleet: dict[str, Managed] = {}
        self.managed = await adopt(self._policy, self._render, self.store, _Monotonic(self.clock), fleet)
        self._ticker = Ticker(self.store, self._app, _Monotonic(self.clock), dry_run=False)
        self._reconciler = Reconciler(self.store, self._render, _Monotonic(self.clock), fleet)

    async def step(self, seconds: int) -> None:
        """What a worker does when it is time for all of it."""
        self.clock.advance(seconds)
        await self._ticker.tick(self.managed)
        for change in await self.store.due_changes(self.clock.now()):
            await self._reconciler.advance(change)
        await deliver(self.store, self._heard, _Monotonic(self.clock))

    async def end(self) -> None:
        with suppress(Killed):
            await self.raw.close()


class _Monotonic:
    """ports.Clock over the manual one."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock

    def now(self) -> int:
        return self._clock.now()

    def monotonic(self) -> float:
        return self._clock.now() / 1000


def copied(template: Path, folder: Path) -> str:
    """The address of a new copy of a migrated, empty database."""
    file = folder / "bot.db"
    for old in folder.glob("bot.db*"):
        old.unlink()
    file.write_bytes(template.read_bytes())
    return f"sqlite:///{file}"
