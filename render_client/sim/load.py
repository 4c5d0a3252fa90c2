"""What a service goes through, and what Render would measure of it: CPU, memory, requests, response times.

A simple model of capacity: requests need CPU; what the plan has not, they wait for. Memory grows with neither.
"""

from dataclasses import dataclass

from render_client.sim.plans import PLANS
from render_client.sim.state import Load, Service


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
    seconds: float
    """The median response time; a quantile q is that times 1 + 2 q²."""


LONGEST_WAIT = 30.0
"""Seconds after which the proxy gives up, however long the queue."""
IDLE_CPU = 0.005


def set_load(service: Service, load: Load) -> None:
    """From then on."""
    service.loads = [*(one for one in service.loads if one.at < load.at), load]


def measured(service: Service, at: int, span: float) -> list[Measured]:
    """Of each instance that served at `at` (ms), over the `span` seconds that begin there; none while nothing ran."""
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
