"""A Render, an app and a policy for commands that run as processes of their own."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from render_client.sim import Durations, ServiceSpec, Simulator, WorldSpec, running_simulator
from tests.support.health_server import HealthServer, health_server

SERVICE = "srv-cukr0123456789abcdef"

POLICY = """\
version: 1
mode: act
service:
  id: {service}
  health: {{url: "{url}", every: 1s, timeout: 1s}}
tiers:
  - name: mvp
    plan: starter
    env: {{MAX_CONCURRENT: 8, DB_POOL_SIZE: 3}}
    scale_up: {{any: [memory_usage > 400MB]}}
  - name: scaled
    plan: standard
    env: {{MAX_CONCURRENT: 20, DB_POOL_SIZE: 6}}
    scale_down: {{all: [memory_usage < 200MB for 48h]}}
verify: {{soak: 2s, watch: 1m}}
evidence: {{warm_up: 1s}}
"""


@dataclass
class Place:
    """Where a command runs: its environment, its policies, and what it talks to."""

    folder: Path
    sim: Simulator
    app: HealthServer
    env: dict[str, str]

    @property
    def policies(self) -> Path:
        return self.folder / "policies"

    @property
    def policy(self) -> Path:
        return self.policies / "api.yaml"

    @property
    def writes(self) -> list[str]:
        return [call.method for call in self.sim.calls if call.method != "GET"]

    def use_much_memory(self) -> None:
        from tests.support.health_server import report

        memory = {"memory_used_bytes": 450 * 1024**2, "memory_limit_bytes": 512 * 1024**2}

        async def busy(request):
            from aiohttp import web

            return web.json_response(report(resources=memory))

        self.app.handler = busy


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    service = ServiceSpec(name="holisticos-api", id=SERVICE, env={"MAX_CONCURRENT": "8", "DB_POOL_SIZE": "3"})
    world = WorldSpec(services=(service,), durations=Durations(update=0.2, drain=0))
    async with running_simulator(world) as sim, health_server() as app:
        env = {
            "RENDER_API_KEY": sim.api_key,
            "RENDER_API_URL": sim.base_url,
            "DATABASE_URL": f"sqlite:///{tmp_path}/bot.db",
        }
        place = Place(tmp_path, sim, app, env)
        place.policies.mkdir()
        place.policy.write_text(POLICY.format(service=SERVICE, url=app.url))
        yield place
