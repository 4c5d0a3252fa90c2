"""A Render without HTTP and a notifier without Slack, for tests that stop the engine between any two of its calls."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from autoscaler.core.change import DeploySeen
from autoscaler.engine import drift
from autoscaler.engine.adoption import adopt
from autoscaler.engine.managed import Managed
from autoscaler.engine.outbox import deliver
from autoscaler.engine.reconciler import Reconciler
from autoscaler.engine.tick import Ticker
from autoscaler.errors import BadRequestError, OutsideError, RefusedError
from autoscaler.policyfile import PolicyFile
from autoscaler.ports import Delivery, Failure, PlanSet, ServiceSeen
from render_client.sim import World, configuration, fleet, lifecycle
from render_client.sim.clock import Clock, parse_timestamp
from render_client.sim.plans import spelled
from render_client.sim.state import Refused, Service
from tests.support.played import an_order


class Killed(BaseException):
    """The process is gone: nothing catches it."""


class PlainRender:
    """ports.RenderPort straight on the simulator's world. With `tells` false a deploy request is answered without an id."""

    def __init__(self, world: World, clock: Clock, *, tells: bool = True) -> None:
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
            plan=spelled(details["plan"], self.world.spec.plan_spelling),
            instances=details["numInstances"],
            suspended=service.suspended,
            has_disk="disk" in details,
            updated_at=parse_timestamp(service.document["updatedAt"]),
            render_autoscaling=details.get("autoscaling", {}).get("enabled", False),
            image_backed=service.image_backed,
        )

    async def env(self, service_id: str, names: Sequence[str]) -> dict[str, str]:
        return {name: self.service.env[name].value for name in names if name in self.service.env}

    async def failures(self, service_id: str, since: int) -> tuple[Failure, ...]:
        told = (one for one in self.service.events if one.type == "server_failed" and one.at >= since)
        return tuple(Failure(one.id, one.at, "oomKilled" in one.details["reason"]) for one in told)

    async def plans_set(self, service_id: str, since: int) -> tuple[PlanSet, ...]:
        told = (one for one in self.service.events if one.type == "plan_changed" and one.at >= since)
        return tuple(PlanSet(one.at, one.details["from"]) for one in told)

    async def deploys(self, service_id: str) -> tuple[DeploySeen, ...]:
        visible = self.clock.now() - round(self.world.spec.list_lag * 1000)
        return tuple(
            DeploySeen(
                one.id,
                one.status,
                one.trigger,
                one.created_at,
                one.source.commit.id if one.source.commit else None,
                one.finished_at,
            )
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
        with _translated():
            fleet.scale(self.world, self.service, count, self.clock.now())
        self.writes.append(f"set {count} instances")

    async def deploy(self, service_id: str, commit: str | None = None) -> str | None:
        with _translated():
            order = an_order(self.world, self.service, commit)
            deploy = lifecycle.request_deploy(self.world, self.service, order, self.clock.now())
        self.writes.append("ask for a deploy" + (f" of commit {commit}" if commit else " (deploy_only)"))
        return deploy.id if self.tells and deploy.status != "queued" else None

    async def cancel(self, service_id: str, deploy_id: str) -> None:
        with suppress(Refused):
            lifecycle.cancel(self.world, self.service, self.service.deploy(deploy_id), self.clock.now())
        self.writes.append(f"cancel deploy {deploy_id} of ours")


@contextmanager
def _translated() -> Iterator[None]:
    """What Render refuses, in the words of the port."""
    try:
        yield
    except Refused as refused:
        raise (BadRequestError if refused.status == 400 else RefusedError)(str(refused)) from refused


@dataclass
class Heard:
    """ports.Notifier: keeps the ids of what it is given, in order."""

    ids: list[str] = field(default_factory=list)

    async def deliver(self, delivery: Delivery) -> str:
        self.ids.append(delivery.event.id)
        return "ref"


class Engine:
    """What a worker process does, when it is time for all of it."""

    def __init__(self, file: PolicyFile, store: Any, render: Any, app: Any, notifier: Any, clock: Any) -> None:
        self.file, self.store, self.render, self.notifier, self.clock = file, store, render, notifier, clock
        self.fleet: dict[str, Managed] = {}
        self.managed: Managed
        self.ticker = Ticker(store, app, clock, dry_run=False)
        self.reconciler = Reconciler(store, render, clock, self.fleet)

    async def start(self) -> None:
        """As a worker starts: everything in memory is built anew from the store."""
        self.managed = await adopt(self.file, self.render, self.store, self.clock, self.fleet)

    async def step(self, *, looks: bool) -> None:
        """One poll and what follows from it; with `looks`, after a look at Render."""
        if looks:
            with suppress(OutsideError):  # the worker logs it and goes on
                await drift.look(self.managed, self.render, self.store, self.clock)
        await self.ticker.tick(self.managed)
        for change in await self.store.due_changes(self.clock.now()):
            await self.reconciler.advance(change)
        await deliver(self.store, self.notifier, self.clock)
