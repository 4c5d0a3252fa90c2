"""A local Render for tests and demos: the same answers, rules and limits, on loopback, with faults on demand.

    async with running_simulator(default_world(), clock=ManualClock()) as sim:
        client = RenderClient(sim.api_key, base_url=sim.base_url)
        ...
        sim.clock.advance(30)

It is an implementation of the wire format of its own and shares no code with the client that it tests.
"""

from render_client.sim.calls import Call
from render_client.sim.clock import Clock, ManualClock, SystemClock
from render_client.sim.faults import Fault, Match
from render_client.sim.simulator import Simulator, running_simulator
from render_client.sim.spec import (
    BlueprintSpec,
    Disk,
    Durations,
    Limits,
    Owner,
    ServiceSpec,
    WorldSpec,
    default_world,
)
from render_client.sim.world import World

__all__ = [
    "BlueprintSpec",
    "Call",
    "Clock",
    "Disk",
    "Durations",
    "Fault",
    "Limits",
    "ManualClock",
    "Match",
    "Owner",
    "ServiceSpec",
    "Simulator",
    "SystemClock",
    "World",
    "WorldSpec",
    "default_world",
    "running_simulator",
]
