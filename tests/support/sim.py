"""A simulated Render for a test: in this process, real HTTP on a free loopback port, a clock that the test moves.

async with manual_simulator() as sim, caller(sim) as http:
    await http.patch(f"/services/{SERVICE}", json={"serviceDetails": {"plan": "standard"}})
    sim.clock.advance(30)
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from render_client.sim import ManualClock, Simulator, World, WorldSpec, default_world, running_simulator

SERVICE = "srv-cukr0123456789abcdef"  # the service of `default_world()`


def world_with(**settings) -> WorldSpec:
    """The default world with other settings: `world_with(overlap="wait", list_lag=3)`."""
    return WorldSpec(**{"services": default_world().services, **settings})


def service_with(**fields):
    """The default world's service with other fields: `service_with(disk=Disk())`."""
    return default_world().services[0].model_copy(update=fields)


@asynccontextmanager
async def manual_simulator(world: WorldSpec | World | None = None) -> AsyncIterator[Simulator]:
    """A running simulator on a manual clock."""
    async with running_simulator(world, clock=ManualClock()) as sim:
        yield sim


@asynccontextmanager
async def caller(sim: Simulator) -> AsyncIterator[httpx.AsyncClient]:
    """A plain HTTP client with the right key; paths are relative to `/v1`."""
    headers = {"Authorization": f"Bearer {sim.api_key}", "Accept": "application/json"}
    async with httpx.AsyncClient(base_url=sim.base_url, headers=headers, timeout=5) as client:
        yield client
