"""The players: the simulator with the sample app, the worker, the load. Each is a process of its own that ends with the demo."""

import asyncio
import os
import shlex
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import yaml

from autoscaler.cli.demo.screen import Screen
from autoscaler.core.policy import Policy
from autoscaler.errors import AutoscalerError
from autoscaler.policyfile import load_file

ROOT = Path(__file__).parents[3]
APP = ROOT / "examples" / "holisticos_api"
POLICY = ROOT / "policies" / "demo.yaml"
UVICORN = "-m uvicorn main:app --host 127.0.0.1 --port $PORT --log-level warning"
POLICY_URL = "http://127.0.0.1:8788"
"""Where the policy says the app is; in the demo it is at a free port instead."""


class Players:
    """Who plays: processes that must not end before they are asked to."""

    def __init__(self) -> None:
        self._playing: dict[str, asyncio.subprocess.Process] = {}

    @asynccontextmanager
    async def play(
        self, name: str, *command: str, environment: Mapping[str, str] | None = None, stdout: int, stderr: int
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """A process that is asked to end at the end, and made to when it does not."""
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, cwd=ROOT, stdin=asyncio.subprocess.DEVNULL, stdout=stdout, stderr=stderr
        )
        self._playing[name] = process
        try:
            yield process
        finally:
            del self._playing[name]
            if process.returncode is None:
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 12)
            except TimeoutError:
                process.kill()
                await process.wait()

    def lost(self) -> str | None:
        """Who ended too early, and how."""
        for name, process in self._playing.items():
            if process.returncode is not None:
                how = f"signal {-process.returncode}" if process.returncode < 0 else f"exit code {process.returncode}"
                return f"{name} ended in the middle ({how})"
        return None


@dataclass(frozen=True, slots=True)
class Render:
    """The simulator, once it is ready."""

    api_url: str
    api_key: str
    app_url: str
    """Of the sample app, through the simulator's own proxy."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where everything of this run is."""

    folder: Path
    policy: Policy
    app_url: str
    environment: Mapping[str, str]
    """The worker's whole environment."""

    @property
    def health(self) -> str:
        """The app's scaling health endpoint."""
        assert self.policy.service.health is not None  # noqa: S101 - the demo's policy names its app's endpoint
        return self.policy.service.health.url


def stage(folder: Path, render: Render, columns: int) -> Stage:
    """Write the demo's policy with the app's address of this run, and set the worker's environment; its messages are `columns` wide."""
    policies = folder / "policies"
    policies.mkdir()
    file = policies / "demo.yaml"
    file.write_text(POLICY.read_text(encoding="utf-8").replace(POLICY_URL, render.app_url), encoding="utf-8")
    environment = {
        **os.environ,
        "RENDER": "",
        "RENDER_API_KEY": render.api_key,
        "RENDER_API_URL": render.api_url,
        "WEBHOOK_URL": "",  # the story is made up, and the demo says that it is told here
        "DATABASE_URL": f"sqlite:///{folder / 'autoscaler.db'}",
        "PYTHONUNBUFFERED": "1",
        "COLUMNS": str(columns),
    }
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        environment["FORCE_COLOR"] = "1"  # its output goes through a pipe, but is shown on this terminal
    return Stage(folder, load_file(file).policy, render.app_url, environment)


@asynccontextmanager
async def simulator(players: Players, folder: Path) -> AsyncIterator[Render]:
    """A local Render that runs the sample app on the smallest tier of the demo's policy."""
    policy = load_file(POLICY).policy
    service = {
        "name": "holisticos-api",
        "id": policy.service.id,
        "plan": policy.tiers[0].plan,
        "env": dict(policy.tiers[0].env),
        "health_check_path": "/health",
        "command": ["sh", "-c", f"exec {shlex.quote(sys.executable)} {UVICORN}"],  # as Render runs a start command
        "cwd": str(APP),
        "max_shutdown_delay": 5,
    }
    world = folder / "world.yaml"
    world.write_text(
        yaml.safe_dump({"durations": {"drain": 1, "health_timeout": 30}, "services": [service]}), encoding="utf-8"
    )
    command = (sys.executable, "-m", "render_client.sim", "--port", "0", "--world", str(world))
    with (folder / "simulator.log").open("wb") as errors:
        pipe = asyncio.subprocess.PIPE
        async with players.play("the local Render", *command, stdout=pipe, stderr=errors.fileno()) as process:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            words = (await asyncio.wait_for(process.stdout.readline(), 60)).decode().split()
            if "ready:" not in words:
                reason = (folder / "simulator.log").read_text(encoding="utf-8", errors="replace")[-2000:]
                raise AutoscalerError(f"the simulator did not start: {reason}")
            yield Render(words[words.index("ready:") + 1], words[words.index("key") + 1], words[-1])


@asynccontextmanager
async def worker(players: Players, scene: Stage, screen: Screen) -> AsyncIterator[asyncio.subprocess.Process]:
    """`autoscaler run`, as anybody would start it; its messages and its passes go to the screen, all of it into worker.log."""
    command = (sys.executable, "-m", "autoscaler.cli.main", "run", "--log-format", "json")
    pipe = asyncio.subprocess.PIPE
    policies = str(scene.folder / "policies")
    with (scene.folder / "worker.log").open("wb") as log:
        async with players.play(
            "the worker", *command, "--policies", policies, environment=scene.environment, stdout=pipe, stderr=pipe
        ) as process:
            assert process.stdout is not None  # noqa: S101 - they are pipes
            assert process.stderr is not None  # noqa: S101
            readers = [
                asyncio.create_task(_lines(process.stdout, log, screen.message)),
                asyncio.create_task(_lines(process.stderr, log, screen.logged)),
            ]
            yield process
        await asyncio.gather(*readers)


@asynccontextmanager
async def load(players: Players, scene: Stage, stages: str) -> AsyncIterator[None]:
    """The load generator of the sample app."""
    command = (sys.executable, str(APP / "load.py"), scene.app_url, "--stages", stages)
    with (scene.folder / "load.log").open("ab") as log:
        async with players.play("the load generator", *command, stdout=log.fileno(), stderr=log.fileno()):
            yield


async def say_yes(scene: Stage, change: str, screen: Screen) -> None:
    """`autoscaler approve`, as somebody would type it. Raises AutoscalerError when it is not taken."""
    words = ("approve", change, "--who", "ada")
    screen.typed(f"autoscaler {' '.join(words)}")
    command = (sys.executable, "-m", "autoscaler.cli.main", *words)
    process = await asyncio.create_subprocess_exec(
        *command, env=scene.environment, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    for line in out.decode(errors="replace").splitlines():
        screen.message(line)
    if process.returncode != 0:
        raise AutoscalerError(f"the answer was not taken: exit code {process.returncode}")


def peak_memory(pid: int) -> int | None:
    """The most memory that a process ever had, in bytes, where the system tells (Linux)."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:")), None)


async def _lines(stream: asyncio.StreamReader, log: BinaryIO, show: Callable[[str], None]) -> None:
    """Every line into the log and onto the screen."""
    async for raw in stream:
        log.write(raw)
        show(raw.decode(errors="replace").rstrip("\n"))
