"""What a service goes through, and what Render would measure of it: CPU, memory, requests, response times.

Of a service with a command it is what its processes used and its public address answered. Of any other it comes from a
simple model of capacity: requests need CPU; what the plan has not, they wait for. Memory grows with neither.
"""

from dataclasses import dataclass
from http import HTTPStatus

from render_client.sim.plans import PLANS
from render_client.sim.state import Load, Service, Used


@dataclass(frozen=True, slots=True)
class Measured:
    """One instance during one span."""

    instance: str
    cpu: float
    cpu_limit: float
    memory: int
    memory_limit: int
    requests: float
    errors: float
    seconds: float = 0.0
    """The median response time of the model."""
    waits: tuple[float, ...] = ()
    """Every response time that was measured, shortest first."""

    def quantile(self, share: float) -> float:
        """The response time, in seconds, that this share of the requests did not exceed."""
        if self.waits:
            return self.waits[min(int(share * len(self.waits)), len(self.waits) - 1)]
        return self.seconds * (1 + 2 * share**2)


LONGEST_WAIT = 30.0
"""Seconds after which the proxy gives up, however long the queue."""
IDLE_CPU = 0.005


def set_load(service: Service, load: Load) -> None:
    """From then on."""
    service.loads = [*(one for one in service.loads if one.at < load.at), load]


def measured(service: Service, at: int, span: float) -> list[Measured]:
    """Of each instance that served at `at` (ms), over the `span` seconds that begin there; none while nothing ran."""
    return _really(service, at, round(at + span * 1000)) if service.command else _modelled(service, at, span)


def _really(service: Service, start: int, end: int) -> list[Measured]:
    uses: dict[str, list[Used]] = {}
    for use in service.used:
        if start <= use.at < end:
            uses.setdefault(use.instance, []).append(use)
    answers = [answer for answer in service.answered if start <= answer.at < end]
    waits = tuple(sorted(answer.seconds for answer in answers))
    errors = sum(answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR for answer in answers)
    found: list[Measured] = []
    for instance, (first, *rest) in uses.items():
        last, plan = (rest or [first])[-1], PLANS[first.plan]
        cpu = (last.cpu - first.cpu) / ((last.at - first.at) / 1000) if last.at > first.at else 0.0
        is_first = not found  # which instance answered nobody has noted: they stand at one of them
        memory = max(use.memory for use in (first, *rest))
        requests = (len(answers), errors) if is_first else (0, 0)
        found.append(Measured(instance, cpu, plan.cpu, memory, plan.memory, *requests, waits=waits if is_first else ()))
    return found


def _modelled(service: Service, at: int, span: float) -> list[Measured]:
    load = next((one for one in reversed(service.loads) if one.at <= at), Load(0))
    deploy = next(
        (
            one
            for one in reversed(service.deploys)
            if one.snapshot is not None and one.finished_at is not None and one.finished_at <= at
            if one.status in {"live", "deactivated"}
        ),
        None,
    )
    if deploy is None or deploy.snapshot is None or deploy.snapshot.plan not in PLANS:
        return []
    plan = PLANS[deploy.snapshot.plan]
    serving = [one.id for one in service.serving() if one.deploy_id == deploy.id]
    instances = serving or ([f"{service.id}-{deploy.id[-5:]}"] if deploy.status == "deactivated" else [])
    rate = load.rate / max(1, len(instances)) if service.document["type"] == "web_service" else 0.0
    wanted = rate * load.cpu_seconds + IDLE_CPU
    busy = min(wanted / plan.cpu, 1.0)
    seconds = min(load.seconds / max(1 - busy, 0.01), LONGEST_WAIT)
    requests = rate * span if busy < 1 else plan.cpu / load.cpu_seconds * span
    return [
        Measured(
            instance,
            min(wanted, plan.cpu),
            plan.cpu,
            min(load.memory, plan.memory),
            plan.memory,
            requests,
            requests * load.errors,
            seconds,
        )
        for instance in instances
    ]
