"""One run of the kill matrix: Render, the app and Slack in one process, the workers one after the other, each a fork of this one."""

import asyncio
import os
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import Pipe
from pathlib import Path

from autoscaler.adapters.store import open_store
from autoscaler.core.change import POLICY as RULES
from autoscaler.ports import Event, EventKind, PassRecord
from autoscaler.report import change_messages
from render_client.sim.clock import MANUAL_START
from tests.support.cli import environment
from tests.support.killing_render import Place, serve
from tests.support.killing_worker import Commits, Point, QuickClock, Running, work
from tests.support.matrix_scenes import SCENES, SERVICE, Scene

PATIENCE = 120
"""Seconds that a worker gets."""
SOAK, WATCH = 3_000, 300_000
POLICY = """\
version: 1
mode: act
service:
  id: {service}
  health: {{url: "{url}", every: 2s, timeout: 2s}}
tiers:
  - {{name: mvp, plan: starter, env: {{MAX_CONCURRENT: 8, DB_POOL_SIZE: 3}}}}
  - {{name: scaled, plan: standard, env: {{MAX_CONCURRENT: 20, DB_POOL_SIZE: 6}}}}
scale_up: {{any: [memory_percent > 80%]}}
scale_down: {{all: [memory_percent < 10% for 48h]}}
verify: {{soak: 3s, watch: 5m}}
evidence: {{warm_up: 1s, min_requests: 1000000}}
notify: {{slack: "#ops"}}
"""
_FULL = {"starter": 90}
_NAMED = {scene.name: replace(scene, update=1) for scene in SCENES}
CHOSEN = (
    replace(_NAMED["an up"], memory=_FULL),
    replace(_NAMED["a down"], requested_by="anna"),
    replace(_NAMED["an up whose deploy fails"], memory=_FULL),
)
"""A rule asks for the ups, by what the app tells. A person asked for the down."""


@dataclass(frozen=True)
class Run:
    """What came of one run."""

    scene: Scene
    kills: tuple[Point, ...]
    met: int
    """How many of the kills the workers came to."""
    points: tuple[tuple[Point, ...], ...]
    """Of each worker, in the order in which it came to them."""
    problems: tuple[str, ...]
    report: str
    """The journal and the last log lines, if there are problems."""

    def __str__(self) -> str:
        where = "; then ".join(map(str, self.kills)) or "never"
        return "\n".join((f"{self.scene.name}, killed {where}:", *self.problems, self.report, ""))


def forked(work_: Callable[[], object], *, limit: int = PATIENCE) -> int:
    """Do it in a process of its own, which ends with 0, or with 1 and a trace, or by SIGALRM when its time is over."""
    assert threading.active_count() == 1
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        signal.alarm(limit)
        work_()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - it must not return into the code of its parent
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def ended(child: int) -> int:
    """Wait for its end: its exit code, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Bench:
    """Where runs are made, one after the other."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.name = folder, folder.name

    def run(self, scene: Scene, *kills: Point) -> Run:
        """Each worker is killed at its point, the last one ends by itself. One that does not come to its point is the last."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        database, clock, running = self._folder / "bot.db", QuickClock(), Running()
        if scene.requested_by != RULES:
            assert ended(forked(lambda: asyncio.run(_ask_by_hand(database, scene)))) == 0
        ours, theirs = Pipe()

        def judge_it() -> None:
            place = Place(scene, clock, database, kills, running, self._tell(running))
            asyncio.run(serve(place, theirs))

        judge = forked(judge_it, limit=PATIENCE * (len(kills) + 2))
        theirs.close()
        env, url = ours.recv()
        env = environment(env | {"DATABASE_URL": f"sqlite:///{database}"})
        (self._folder / "policy.yaml").write_text(POLICY.format(service=SERVICE, url=url))
        codes: list[int] = []
        for kill in (*kills, None):
            codes.append(ended(forked(partial(self._work, len(codes), kill, env, running, clock))))
            if codes[-1] != -signal.SIGKILL:
                break
        ours.send("the verdict")
        journal, seen = ours.recv()
        ours.close()
        assert ended(judge) == 0
        problems = (*seen, *self._ends(codes))
        points = tuple(self._points(number) for number in range(len(codes)))
        report = "\n".join((journal, *self._last_lines())) if problems else ""
        return Run(scene, kills, codes.count(-signal.SIGKILL), points, problems, report)

    def _work(self, number: int, kill: Point | None, env: dict[str, str], running: Running, clock: QuickClock) -> None:
        running.is_me(number)
        commits = Commits(self._tell(running), kill, clock)
        work(self._folder / "policy.yaml", env, self._folder / f"worker-{number}.log", commits, clock)

    def _tell(self, running: Running) -> Callable[[Point], None]:
        """Notes points in a file that all processes of the run append to."""
        file = os.open(self._folder / "points", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

        def tell(point: Point) -> None:
            os.write(file, f"{running.number}\t{point.kind}\t{point.what}\n".encode())

        return tell

    def _points(self, worker: int) -> tuple[Point, ...]:
        lines = (line.split("\t") for line in (self._folder / "points").read_text().splitlines())
        return tuple(dict.fromkeys(Point(kind, what) for number, kind, what in lines if number == str(worker)))

    def _ends(self, codes: list[int]) -> Iterator[str]:
        if codes[-1] != 0:
            yield f"worker {len(codes) - 1} ended with {codes[-1]} ({-signal.SIGALRM}: it was not over after {PATIENCE} s)"
        for log in self._logs():
            yield from (f"{log.name}: {line}" for line in log.read_text().splitlines() if "this is a bug" in line)

    def _logs(self) -> list[Path]:
        return sorted(self._folder.glob("worker-*.log"))

    def _last_lines(self) -> Iterator[str]:
        for log in self._logs():
            lines = [line for line in log.read_text().splitlines() if "maximum number of running instances" not in line]
            yield from (f"{log.name}:", *lines[-20:])


async def _ask_by_hand(database: Path, scene: Scene) -> None:
    """Write down for the worker what `autoscaler scale` does."""
    store = open_store(f"sqlite:///{database}")
    await store.migrate()
    change = replace(scene.change(MANUAL_START), soak=SOAK, watch=WATCH)
    kind, told = EventKind.CHANGE_STARTED, change_messages.started(change)
    event = Event(f"{change.id}:started", MANUAL_START, kind, SERVICE, told, "#ops", change.id)
    await store.record(PassRecord(SERVICE, (), change=change, events=(event,)))
    await store.close()
