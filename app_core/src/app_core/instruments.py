"""Everything that one instance measures with, put together from the options of `instrument`."""

import asyncio
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict
from weakref import ref

from app_core import ledger
from app_core.deadlines import Deadlines
from app_core.exchange import Exchange
from app_core.executor import size_default_executor
from app_core.gate import Gate
from app_core.gauges import Gauges
from app_core.instance import Identity
from app_core.ledger import WINDOWS
from app_core.profiles import ScalingConfig, SettingError
from app_core.queue_time import HEADER, waited
from app_core.report import Report
from app_core.resources import Resources, resident_bytes
from app_core.sampler import Sampler
from app_core.tracker import Tracker
from app_core.view import Member, View

if TYPE_CHECKING:
    from app_core.siblings import Siblings

HEALTH_PATHS = ("/health", "/healthz", "/api/health")
_QUEUE_PER_PLACE = 8

logger = logging.getLogger("app_core")


class Options(TypedDict, total=False):
    """The keyword options of `instrument` and `ScalingMiddleware`; `Instruments` says what they mean."""

    path: str
    token: str | None
    exclude: Iterable[str]
    headers: bool
    max_queued: int | None
    cgroup_root: Path | None
    shared_folder: Path | None
    config: ScalingConfig | None
    clock: Callable[[], float]


class Instruments:
    """What is measured, and with which settings.

    Args:
        path: where the health endpoint answers.
        token: bearer token that the endpoint asks for; the environment variable `SCALING_HEALTH_TOKEN` when None, else no token.
        exclude: paths that count in nothing and pass the gate, each with all below it.
        headers: whether responses carry `X-Response-Time` and `X-Concurrent-Requests`.
        max_queued: requests that may wait while MAX_CONCURRENT others run; eight times MAX_CONCURRENT when None.
        cgroup_root: where the control groups are mounted; the environment variable `CGROUP_ROOT` when None, else /sys/fs/cgroup.
        shared_folder: where the worker processes of one instance make the folder in which they add up what they count; the
            environment variable `SCALING_SHARED_FOLDER` when None, else the folder for temporary files, and only under a
            server that is known to start workers.
        config: the settings in force; from the environment when None.
        clock: seconds that never run backwards, the same for all processes of the machine.

    Raises:
        SettingError: an environment variable holds a value that cannot be used.
    """

    def __init__(  # noqa: PLR0913 - one keyword for each option
        self,
        *,
        path: str = "/api/health/scaling",
        token: str | None = None,
        exclude: Iterable[str] = HEALTH_PATHS,
        headers: bool = True,
        max_queued: int | None = None,
        cgroup_root: Path | None = None,
        shared_folder: Path | None = None,
        config: ScalingConfig | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self.token = token or _token_from_environment()
        self.exclude = frozenset(given.rstrip("/") for given in exclude)
        self.headers = headers
        self.identity = Identity.of_this_process()
        self.resources = Resources(cgroup_root)
        self.config = config or ScalingConfig.from_environment(self.resources.limits.memory_bytes)
        self.tracker = Tracker(clock, self.each_second)
        self.gauges = Gauges(self.tracker)
        self.sampler = Sampler(self)
        self.report = Report(self)
        self._max_queued = _QUEUE_PER_PLACE * self.config.max_concurrent if max_queued is None else max_queued
        self.gate = Gate(self.config.max_concurrent, self._max_queued, self._note_queued)
        timeout = self.config.request_timeout
        self.deadlines = Deadlines(timeout) if timeout else None
        self.watch: Callable[[Exchange], object] | None = None  # what else has to know of each request that begins
        self._set_watch()
        self._shared_folder = shared_folder or _path_from_environment("SCALING_SHARED_FOLDER")
        self._siblings: Siblings | None = None
        self._serves = False  # whether this process has begun to
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sizing: asyncio.Task[None] | None = None  # held, or it could be lost half-way
        self._memory: int | None = None
        self._memory_read = -1.0  # when
        self._cpu_before = time.process_time()
        self.started = self.tracker.started  # of the instance, on the clock
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=partial(_begin_anew, ref(self)))

    def each_second(self) -> None:
        """What has to be looked after while the app serves, called by its requests and by the health endpoint."""
        if not self._serves:
            self._serves = True
            self._join_siblings()
        self._set_watch()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # a server without asyncio: there is no loop to look at
            return
        if loop is not self._loop:
            self._loop = loop
            self._sizing = loop.create_task(self.prepare(loop))
        self.sampler.start(loop)

    def _set_watch(self) -> None:
        dependencies = sys.modules.get("app_core.dependencies")
        deadlines = self.deadlines
        tell = None if dependencies is None else dependencies.current.set  # `dependency` asks whose request it is
        if deadlines is None or tell is None:
            self.watch = tell if deadlines is None else deadlines.open
            return

        def watch(exchange: Exchange) -> None:
            deadlines.open(exchange)
            tell(exchange)

        self.watch = watch

    async def prepare(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let ASYNC_WORKER_THREADS hold for a loop that runs."""
        self._loop = loop
        await size_default_executor(loop, self.config.async_worker_threads)

    def view(self) -> View:
        """What all processes of the instance have counted up to now."""
        second = int(self.tracker.now())
        self.tracker.ledger.put(ledger.CPU_SECONDS, time.process_time() - self._cpu_before)
        members = self._siblings.members() if self._siblings else [Member(self.tracker.ledger, alive=True)]
        return View(members, second)

    def write_down(self) -> None:
        """Put what is not counted by requests where the sibling processes read it."""
        if not self.resources.tells_memory:
            self.tracker.cells[ledger.RESIDENT] = resident_bytes() or 0
        self.gauges.write_down()

    def memory_bytes(self, view: View) -> int | None:
        """What the instance uses, at most a second old: as its control group tells, else what its processes use together."""
        if not self.resources.tells_memory:
            return int(view.resident_bytes) or None
        now = self.tracker.clock()
        if now - self._memory_read >= 1:
            self._memory_read, self._memory = now, self.resources.memory_bytes()
        return self._memory

    def cpu_seconds(self, view: View) -> float:
        """What the instance used since it started: as its control group tells, else what its processes used together."""
        told = self.resources.cpu_seconds()
        return view.cpu_seconds if told is None else told

    def look_around(self) -> None:
        """Once a second: write the report, and see what the sibling processes do."""
        self.write_down()
        view = self.view()
        self.report.write(view)
        if self._siblings is not None:
            self._share_with_siblings(self._siblings)

    def _share_with_siblings(self, siblings: "Siblings") -> None:
        """Note what ran in all processes together, and share MAX_CONCURRENT out among those that are alive."""
        second = int(self.tracker.now())
        alive = [member.ledger for member in siblings.members() if member.alive]
        joint = sum(_last_peak(each, second) for each in alive)
        for window in WINDOWS:
            self.tracker.ledger.raise_row(window, second // window.slice_seconds, ledger.ROW_JOINT_PEAK, joint)
        rank = alive.index(self.tracker.ledger)
        self.gate.resize(
            _share(self.config.max_concurrent, rank, len(alive)), _share(self._max_queued, rank, len(alive))
        )
        siblings.retire(second)

    def _note_queued(self, requests: int) -> None:
        self.tracker.cells[ledger.QUEUED] = requests

    def measure_queue(self, headers: Iterable[tuple[bytes, bytes]], arrived: float) -> None:
        """Count how long the proxy had kept a request that arrived at that time of the clock."""
        self.tracker.looked()
        for name, value in headers:
            if name == HEADER:
                seconds = waited(value, arrived + self.tracker.wall_offset)
                if seconds is not None:
                    self.tracker.queued(seconds)
                return

    def _join_siblings(self) -> None:
        if os.name != "posix":  # nothing tells who is alive
            return
        from app_core.family import common_folder  # noqa: PLC0415 - it needs locks of files, which Windows has not

        folder = self._shared_folder
        try:
            folder = common_folder(folder)
            if folder is None:
                return
            from app_core.siblings import Birth, Siblings  # noqa: PLC0415 - needless in a process that serves alone

            birth = Birth(self.identity.id, self.identity.started_at, self.started, self.resources.cpu_at_start)
            self._siblings = siblings = Siblings(folder, birth)
        except OSError as error:
            where = folder or "the folder for temporary files"
            logger.warning("the numbers are of this worker process alone, since %s can't be used: %s", where, error)
            return
        birth = siblings.birth
        self.identity = self.identity._replace(id=birth.id, started_at=birth.started_at)
        self.started, self.resources.cpu_at_start = birth.clock, birth.cpu_seconds
        self.tracker.move_to(siblings.own)
        self._share_with_siblings(siblings)

    def leave_siblings(self) -> None:
        """Count alone and from zero, as the child of a fork must: it is none of the instance's workers."""
        if self._siblings is not None:
            self._siblings.leave()
            self._siblings = None
        self.tracker.begin_anew()
        self._cpu_before = 0.0  # a child's own begins at 0
        self._serves = False  # until it does


def _begin_anew(forked: "ref[Instruments]") -> None:
    instruments = forked()
    if instruments is not None:
        instruments.leave_siblings()


def _last_peak(of_one: ledger.Ledger, second: int) -> float:
    """The most that ran in one process in the last second that it closed, if that is not long ago."""
    cells = of_one.cells
    running = cells[ledger.RUNNING]
    return max(running, cells[ledger.LAST_PEAK]) if second - cells[ledger.LAST_PEAK_SECOND] <= 2 else running


def _share(number: int, rank: int, of: int) -> int:
    """So much of a number that is shared out evenly; at least 1, but nothing of nothing."""
    return max(1, number // of + (rank < number % of)) if number else 0


def _token_from_environment() -> str | None:
    token = os.environ.get("SCALING_HEALTH_TOKEN")
    if token is not None and not token.strip():  # whoever sets it wants the endpoint closed
        raise SettingError("SCALING_HEALTH_TOKEN is set but empty: give it a value, or take it away for no token")
    return token


def _path_from_environment(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value) if value else None
