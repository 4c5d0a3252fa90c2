"""Everything that one instance measures with, put together from the options of `instrument`."""

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypedDict

from app_core.gate import Gate
from app_core.gauges import Gauges
from app_core.instance import Identity
from app_core.profiles import ScalingConfig
from app_core.resources import Resources
from app_core.sampler import Sampler
from app_core.tracker import Tracker

HEALTH_PATHS = ("/health", "/healthz", "/api/health")
_QUEUE_PER_PLACE = 8


class Options(TypedDict, total=False):
    """The keyword options of `instrument` and `ScalingMiddleware`; `Instruments` says what they mean."""

    path: str
    token: str | None
    exclude: Iterable[str]
    headers: bool
    max_queued: int | None
    cgroup_root: Path | None
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
        config: the settings in force; from the environment when None.
        clock: seconds that never run backwards.

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
        config: ScalingConfig | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self.token = token or os.environ.get("SCALING_HEALTH_TOKEN") or None
        self.exclude = frozenset(given.rstrip("/") for given in exclude)
        self.headers = headers
        self.identity = Identity.of_this_process()
        self.resources = Resources(cgroup_root)
        self.config = config or ScalingConfig.from_environment(self.resources.limits.memory_bytes)
        self.tracker = Tracker(clock)
        waiting = _QUEUE_PER_PLACE * self.config.max_concurrent if max_queued is None else max_queued
        self.gate = Gate(self.config.max_concurrent, waiting)
        self.gauges = Gauges()
        self.sampler = Sampler(self.tracker, self.resources, self.config)
