"""Where a fleet lives: a Postgres that writes down by itself who wrote what and who held which lease, a Render, an app, policies, workers."""

import asyncio
import itertools
import os
import re
import signal
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from autoscaler.adapters.store import SqlStore, open_store
from tests.support.cli import ROOT, environment
from tests.support.fleet_line import Line, a_line
from tests.support.fleet_render import ENV, FleetRender, fleet_render
from tests.support.health_server import health_server
from tests.support.postgres import PostgresServer

POLICY = """\
version: 1
mode: act
service:
  id: {service}
  health: {{url: "{url}", every: 2s, timeout: 1s}}
tiers:
  - name: mvp
    plan: starter
    env: {mvp}
    scale_up: {{any: [memory_usage > 400MB]}}
  - name: scaled
    plan: standard
    env: {scaled}
    scale_down: {{all: [memory_usage < 200MB for 48h]}}
verify: {{soak: 2s, watch: 2s}}
evidence: {{warm_up: 1s, drift_every: 10s}}
"""

AUDIT = """
CREATE SCHEMA fleet;
CREATE TABLE fleet.held (at float, service_id text, holder text, epoch bigint, expires_at bigint);
CREATE TABLE fleet.written (at float, what text, number text, service_id text, who text, holder text, epoch bigint);
CREATE FUNCTION fleet.note_lease() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO fleet.held
    VALUES (extract(epoch FROM clock_timestamp()), NEW.service_id, NEW.holder, NEW.epoch, NEW.expires_at);
  RETURN NULL;
END $$;
CREATE FUNCTION fleet.note_write() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE fields jsonb := to_jsonb(NEW); about text := fields->>'service_id'; BEGIN
  IF about IS NULL THEN
    SELECT changes.service_id INTO about FROM autoscaler.changes WHERE id = fields->>'change_id';
  END IF;
  INSERT INTO fleet.written
    SELECT extract(epoch FROM clock_timestamp()), TG_TABLE_NAME, coalesce(fields->>'number', fields->>'id'), about,
      current_setting('application_name'), holder, epoch
    FROM (VALUES (1)) AS once LEFT JOIN autoscaler.leases ON leases.service_id = about;
  RETURN NULL;
END $$;
CREATE TRIGGER held AFTER INSERT OR UPDATE ON autoscaler.leases FOR EACH ROW EXECUTE FUNCTION fleet.note_lease();
"""
AUDITED = ("observations", "verdicts", "changes", "journal")


@dataclass
class Life:
    """One worker process, from its start to its end."""

    label: str
    """Its name on its connections to Postgres."""
    process: asyncio.subprocess.Process
    wrong_by: int
    """Of its wall clock, ms."""
    line: Line
    log: Path
    stop_file: Path
    started_at: float = field(default_factory=time.time)
    ended_at: float | None = None
    is_troubled: bool = True
    """Until it has come up, and while something is being done to it."""
    stops: list[tuple[float, float]] = field(default_factory=list)

    @property
    def pid(self) -> int:
        return self.process.pid

    def is_named(self, holder: str | None) -> bool:
        """Whether that is the name under which it holds leases."""
        return holder is not None and f":{self.pid}:" in holder

    def was_stopped(self, since: float, until: float) -> bool:
        return any(since <= end and begin <= until for begin, end in self.stops)

    async def kill(self) -> float:
        """At once and without a word; when."""
        self.process.kill()
        self.ended_at = time.time()
        await self.process.wait()
        return self.ended_at

    async def ask_to_end(self) -> int:
        """Its exit code. SIGTERM, as Render's deploys send it; 15 seconds at most."""
        self.process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(self.process.wait(), 15)
        self.ended_at = time.time()
        return code


@dataclass
class Place:
    """All of it."""

    folder: Path
    server: PostgresServer
    url: str
    store: SqlStore
    """As people have it: bound to no lease."""
    render: FleetRender
    stack: AsyncExitStack
    lives: list[Life] = field(default_factory=list)
    """All that ever were."""
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def database(self) -> str:
        return urlsplit(self.url).path[1:]

    @property
    def policies(self) -> Path:
        return self.folder / "policies"

    def life_of(self, pid: int) -> Life:
        return next(life for life in reversed(self.lives) if life.pid == pid)

    async def ask(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """Ask Postgres as its administrator."""

        def answer() -> list[tuple[object, ...]]:
            with self.server.admin(self.database) as connection:
                return connection.execute(query, values).fetchall()

        return await asyncio.to_thread(answer)

    async def leases_of(self, life: Life) -> set[str]:
        """The services that it holds, whether or not the leases have run out."""
        rows = await self.ask("SELECT service_id, holder FROM autoscaler.leases WHERE service_id <> ''")
        return {str(service_id) for service_id, holder in rows if life.is_named(str(holder))}

    async def start(self, slot: int, wrong_by: int = 0) -> Life:
        """One more worker, on a line of its own."""
        label = f"worker-{slot}-{next(self.numbers)}"
        line = await self.stack.enter_async_context(a_line(self.server.port))
        log, stop_file = self.folder / f"{label}.log", self.folder / f"{label}.stop"
        env = {
            "RENDER_API_KEY": self.render.sim.api_key,
            "RENDER_API_URL": self.render.sim.base_url,
            "DATABASE_URL": self.url.replace(f":{self.server.port}/", f":{line.port}/") + f"?application_name={label}",
            "FLEET_CLOCK": str(wrong_by),
            "FLEET_STOP": str(stop_file),
        }
        command = ["-m", "tests.support.fleet_worker", "run", "-p", str(self.policies), "--log-format", "json"]
        with log.open("wb") as written, (self.folder / f"{label}.out").open("wb") as told:
            process = await asyncio.create_subprocess_exec(
                sys.executable, *command, cwd=ROOT, env=environment(env), stdin=asyncio.subprocess.DEVNULL,
                stdout=told, stderr=written,
            )  # fmt: skip
        life = Life(label, process, wrong_by, line, log, stop_file)
        self.lives.append(life)
        self.stack.push_async_callback(_gone, life)
        return life


async def _gone(life: Life) -> None:
    if life.process.returncode is None:
        life.process.kill()
        await life.process.wait()


@asynccontextmanager
async def stopped(life: Life) -> AsyncIterator[None]:
    """It stands still meanwhile."""
    began = time.time()
    os.kill(life.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        life.stops.append((began, time.time()))
        os.kill(life.pid, signal.SIGCONT)


@asynccontextmanager
async def a_place(folder: Path, server: PostgresServer, services: int, render_wrong_by: float) -> AsyncIterator[Place]:
    """With its services' policies, and no worker yet."""
    async with AsyncExitStack() as stack:
        url = server.new_database()
        store = open_store(url + "?application_name=people")
        stack.push_async_callback(store.close)
        await store.migrate()
        app = await stack.enter_async_context(health_server())
        app.requests = deque(maxlen=1)
        render = await stack.enter_async_context(fleet_render(services, render_wrong_by))
        place = Place(folder, server, url, store, render, stack)
        with server.admin(place.database) as connection:
            connection.execute(AUDIT)
            for table in AUDITED:
                connection.execute(
                    f"CREATE TRIGGER written AFTER INSERT OR UPDATE ON autoscaler.{table} "
                    "FOR EACH ROW EXECUTE FUNCTION fleet.note_write()"
                )
        place.policies.mkdir()
        for service in render.sim.world.services.values():
            text = POLICY.format(
                service=service.id, url=app.url, mvp=_flow(ENV["starter"]), scaled=_flow(ENV["standard"])
            )
            (place.policies / f"{service.document['name']}.yaml").write_text(text)
        yield place


def _flow(env: dict[str, str]) -> str:
    return "{" + re.sub(r"['\"]", "", ", ".join(f"{name}: {value}" for name, value in env.items())) + "}"
