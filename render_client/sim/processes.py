"""The real app processes behind the instances of services that have a command.

The world says which instances there should be; this part starts and ends processes until it is so, and tells the world
which of them answer. It never decides about a deploy.
"""

import asyncio
import os
import socket
import sys
import tempfile
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from render_client.sim import cgroup, guardian, lifecycle
from render_client.sim.clock import Clock
from render_client.sim.plans import PLANS
from render_client.sim.state import Instance, Json, Service, Used
from render_client.sim.world import World

_LOOK_EVERY = 0.05
_MEASURE_EVERY = 1.0
_HEALTH_ATTEMPT_SECONDS = 5
_STOP_SECONDS = 5
# Everything else of the simulator's own environment, a real API key above all, stays out of the app.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")


class AppFailedError(RuntimeError):
    """An app did not come up when the simulator started; the message ends with what it last printed."""


@dataclass(eq=False)
class _App:
    """One process. `ending` once it has been told to go."""

    service: Service
    instance: Instance
    port: int
    process: asyncio.subprocess.Process
    cgroup: Path
    ending: bool = False


class Processes:
    """All processes of one simulator; `session` makes the health checks."""

    def __init__(self, world: World, clock: Clock, session: aiohttp.ClientSession) -> None:
        self._world = world
        self._clock = clock
        self._session = session
        self._folder = tempfile.TemporaryDirectory(prefix="render-sim-")
        self._apps: dict[str, _App] = {}
        self._started: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._guardian: asyncio.subprocess.Process | None = None

    def ports(self, service: Service) -> list[int]:
        """Where the serving instances of a service listen."""
        return [self._apps[item.id].port for item in service.serving() if item.id in self._apps]

    async def start(self) -> None:
        """Start the apps that the world has, and return when all of them answer.

        Raises:
            AppFailedError: One of them ended, or did not answer in time.
        """
        self._guardian = await asyncio.create_subprocess_exec(
            sys.executable, "-I", guardian.__file__, stdin=asyncio.subprocess.PIPE, start_new_session=True
        )
        first = [(service, item) for service in self._services() for item in service.instances]
        self._keep(self._drive())
        self._keep(self._measure())
        while not all(item.state == "serving" for _service, item in first):
            for service, item in first:
                if item not in service.instances:
                    raise AppFailedError(f"{service.document['name']} did not come up. {self._last_output(item)}")
            await asyncio.sleep(_LOOK_EVERY)

    async def stop(self) -> None:
        """End all processes: SIGTERM, and SIGKILL for those still there after five seconds."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(self._terminate(app, _STOP_SECONDS) for app in self._apps.values()))
        if self._guardian is not None and self._guardian.stdin is not None:
            self._guardian.stdin.close()
            await self._guardian.wait()
        self._folder.cleanup()

    def _services(self) -> list[Service]:
        return [service for service in self._world.services.values() if service.command]

    async def _drive(self) -> None:
        while True:
            self._world.advance(self._clock.now())
            self._reconcile()
            await asyncio.sleep(_LOOK_EVERY)

    def _reconcile(self) -> None:
        for app in list(self._apps.values()):
            if not app.ending and app.instance not in app.service.instances:
                app.ending = True
                self._keep(self._terminate(app, int(app.service.details["maxShutdownDelaySeconds"])))
        for service in self._services():
            # A disk is mounted once: the next process waits until the last one has ended.
            occupied = "disk" in service.details and any(app.service is service for app in self._apps.values())
            for instance in service.instances:
                due = instance.id not in self._started and self._clock.now() >= instance.start_at
                if due and not occupied:
                    self._started.add(instance.id)
                    self._keep(self._live(service, instance))

    async def _live(self, service: Service, instance: Instance) -> None:
        """One process from its start to its end, told to the world."""
        try:
            app = await self._spawn(service, instance)
        except OSError as error:
            self._log(instance).write_text(f"cannot be started: {error}\n")
            lifecycle.instance_failed(self._world, service, instance, {"nonZeroExit": 127}, self._now())
            return
        failure = await self._until_healthy(app)
        if failure is None:
            lifecycle.instance_healthy(self._world, service, instance, self._now())
            await app.process.wait()
            failure = _exit_reason(app.process.returncode)
        # Without effect if the world has taken the instance away itself.
        lifecycle.instance_failed(self._world, service, instance, failure, self._now())
        await app.process.wait()
        self._tell_guardian("-", app.process.pid)
        del self._apps[instance.id]

    async def _spawn(self, service: Service, instance: Instance) -> _App:
        folder = Path(self._folder.name) / instance.id
        cgroup.create(folder, PLANS[instance.snapshot.plan])
        port = _free_port()
        program, *arguments = service.command or ()
        with self._log(instance).open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable if program == "python" else program,
                *arguments,
                cwd=service.cwd,
                env=_environment(service, instance, port, folder),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        self._tell_guardian("+", process.pid)
        app = _App(service, instance, port, process, folder)
        self._apps[instance.id] = app
        return app

    async def _until_healthy(self, app: _App) -> Json | None:
        """Wait until the app answers; None then, otherwise why it failed."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._world.durations.health_timeout
        while loop.time() < deadline:
            if app.process.returncode is not None:
                return _exit_reason(app.process.returncode)
            if app.instance not in app.service.instances or await self._answers(app):
                return None
            await asyncio.sleep(_LOOK_EVERY)
        return {"unhealthy": f"no answer to the health check within {self._world.durations.health_timeout:g} s"}

    async def _answers(self, app: _App) -> bool:
        if "openPorts" not in app.service.details:
            return True  # a background worker has no port
        path = app.service.details.get("healthCheckPath")
        try:
            if not path:
                _reader, writer = await asyncio.open_connection("127.0.0.1", app.port)
                writer.close()
                return True
            timeout = aiohttp.ClientTimeout(total=_HEALTH_ATTEMPT_SECONDS)
            async with self._session.get(f"http://127.0.0.1:{app.port}{path}", timeout=timeout) as response:
                return response.status < 400
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False

    async def _terminate(self, app: _App, seconds: int) -> None:
        if app.process.returncode is not None:
            return
        if app.instance.state == "killed":
            app.process.kill()
        else:
            app.process.terminate()
        try:
            async with asyncio.timeout(seconds):
                await app.process.wait()
        except TimeoutError:
            app.process.kill()
            await app.process.wait()

    async def _measure(self) -> None:
        while True:
            for app in list(self._apps.values()):
                use = await cgroup.measure(app.process.pid)
                if use is not None:
                    cgroup.refresh(app.cgroup, use)
                    item, now = app.instance, self._clock.now()
                    app.service.used.append(Used(now, item.id, item.snapshot.plan, use.cpu / 1e6, use.memory))
            await asyncio.sleep(_MEASURE_EVERY)

    def _keep(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _tell_guardian(self, sign: str, pid: int) -> None:
        if self._guardian is not None and self._guardian.stdin is not None:
            self._guardian.stdin.write(f"{sign}{pid}\n".encode())

    def _log(self, instance: Instance) -> Path:
        return Path(self._folder.name) / f"{instance.id}.log"

    def _last_output(self, instance: Instance) -> str:
        lines = self._log(instance).read_text(errors="replace").splitlines()[-20:]
        return "It printed nothing." if not lines else "It last printed:\n  " + "\n  ".join(lines)

    def _now(self) -> int:
        now = self._clock.now()
        self._world.advance(now)
        return now


def _environment(service: Service, instance: Instance, port: int, folder: Path) -> Mapping[str, str]:
    commit = service.deploy(instance.deploy_id).source.commit
    return {
        **{name: os.environ[name] for name in _INHERITED if name in os.environ},
        **instance.snapshot.env,
        "PORT": str(port),
        "RENDER": "true",
        "RENDER_SERVICE_ID": service.id,
        "RENDER_SERVICE_NAME": str(service.document["name"]),
        "RENDER_INSTANCE_ID": instance.id,
        "RENDER_GIT_COMMIT": commit.id if commit else "",
        "RENDER_EXTERNAL_URL": str(service.details.get("url", "")),
        "IS_PULL_REQUEST": "true" if "parentServer" in service.details else "false",
        "CGROUP_ROOT": str(folder),
    }


def _exit_reason(code: int | None) -> Json:
    if not code:
        return {"earlyExit": True}
    return {"nonZeroExit": code if code > 0 else 128 - code}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
