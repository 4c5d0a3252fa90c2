"""A small HolisticOS: one slow analysis, a database pool that bounds it, and app_core's two lines.

Settings come from the environment as on Render: DB_POOL_SIZE sizes the pool, MAX_CONCURRENT the gate, WORK_SECONDS says how much CPU one
analysis takes, and the control group under CGROUP_ROOT says how much CPU there is.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from app_core import instrument


class DatabasePool:
    """Connections that one job at a time may hold."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.in_use = 0
        self._free = asyncio.Semaphore(size)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[None]:
        """Hold a connection; waits until one is free, and under load this is where the time goes."""
        async with self._free:
            self.in_use += 1
            try:
                yield
            finally:
                self.in_use -= 1

    def usage(self) -> tuple[int, int]:
        """Connections in use, and how many there are."""
        return self.in_use, self.size


app = FastAPI(title="HolisticOS (sample)")
scaling = instrument(app)

pool = DatabasePool(scaling.config.db_pool_size)
scaling.gauges.pool("database", pool.usage)

# A job of so many CPU seconds takes longer on less CPU: 0.15 s takes 0.3 s on half a CPU. Without a limit it is as on one CPU.
WORK_SECONDS = float(os.environ.get("WORK_SECONDS", "0.15"))
JOB_SECONDS = WORK_SECONDS / (scaling.resources.limits.cpu_cores or 1.0)


async def analyse(user: str) -> dict[str, str | float]:
    """Do one analysis.

    The work is simulated by sleeping while the connection is held, for as long as it would take on this plan's CPU: so the sample has
    the same capacity, DB_POOL_SIZE / JOB_SECONDS analyses a second, on a slow laptop and on a fast server.
    """
    asked = time.monotonic()
    async with pool.connection():
        await asyncio.sleep(JOB_SECONDS)
    return {"user": user, "archetype": "peak performer", "seconds": round(time.monotonic() - asked, 3)}


@app.get("/health")
async def health() -> dict[str, str]:
    """What Render asks every few seconds."""
    return {"status": "ok"}


@app.get("/api/analysis/{user}")
async def read_analysis(user: str) -> dict[str, str | float]:
    """The analysis of one user."""
    return await analyse(user)


@app.post("/api/analysis/{user}")
async def request_analysis(user: str) -> dict[str, str | float]:
    """The same, as the seed's app is asked for it."""
    return await analyse(user)
