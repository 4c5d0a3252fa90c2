"""The worker's log: short while nothing changes, all reasons at each new verdict; and what the worker tells of itself."""

import asyncio
import json
import signal

from autoscaler.adapters.store import open_store
from tests.support.cli import autoscaler, starting


async def passes(place, count: int, **env: str):
    """The first log lines of a worker that tell of a pass."""
    seen = []
    async with starting("run", "-p", place.policies, "--dry-run", "--log-format", "json", **place.env, **env) as worker:
        async with asyncio.timeout(30):
            async for line in worker.stderr:
                fields = json.loads(line) if line.startswith(b"{") else {}
                if "sentence" in fields:
                    seen.append(fields)
                if len(seen) == count:
                    break
        worker.send_signal(signal.SIGTERM)
        await asyncio.wait_for(worker.communicate(), 20)
    return seen


async def test_a_new_verdict_is_logged_with_all_its_reasons_and_the_same_one_again_in_short(place):
    first, second = await passes(place, 2)
    assert first["message"].startswith("holisticos-api  now: Steady at mvp")
    assert first["explanation"]["ways"][0]["role"] == "up"
    assert "explanation" not in second
    assert " now: " not in second["message"]
    (kept,) = (await autoscaler("status", "--json", **place.env)).json["services"]
    assert kept["conditions"][0]["condition"] == "memory_usage > 400MB", "kept with the verdict's own row"


async def test_a_worker_on_render_tells_its_own_plan_with_its_sign_of_life(place):
    await passes(place, 1, RENDER="true", RENDER_SERVICE_ID="srv-cukr0123456789abcdef")
    store = open_store(place.env["DATABASE_URL"], read_only=True)
    try:
        (beat,) = await store.heartbeats()
    finally:
        await store.close()
    assert beat.detail == {"plan": "starter", "instances": "1"}
