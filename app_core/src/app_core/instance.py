"""Who this instance is and which of Render's plans it seems to run on."""

import os
import socket
from datetime import UTC, datetime
from functools import cache
from typing import NamedTuple

from app_core.resources import Limits

_MIB = 1 << 20
# CPU cores and MB by plan: render.com/docs, instance types; a plan of two names goes by its older one.
_PLANS: dict[str, tuple[float, int]] = {
    "free": (0.1, 512),
    "starter": (0.5, 512),
    "standard": (1, 2048),
    "pro": (2, 4096),
    "2c-8g": (2, 8192),
    "2c-16g": (2, 16384),
    "pro_plus": (4, 8192),
    "pro_max": (4, 16384),
    "4c-32g": (4, 32768),
    "8c-16g": (8, 16384),
    "pro_ultra": (8, 32768),
    "8c-64g": (8, 65536),
    "12c-24g": (12, 24576),
    "12c-48g": (12, 49152),
    "12c-96g": (12, 98304),
}
_TOLERANCE = 0.05  # hosts keep a little for themselves


class Identity(NamedTuple):
    """One run of one instance. Another `id` or `started_at` means that all counters began again."""

    id: str
    started_at: str
    service: str | None
    commit: str | None

    @classmethod
    def of_this_process(cls) -> "Identity":
        """From the variables that Render sets (render.com/docs/environment-variables), else from host name and process id."""
        return cls(
            id=os.environ.get("RENDER_INSTANCE_ID") or f"{socket.gethostname()}:{os.getpid()}",
            started_at=datetime.now(UTC).isoformat(),
            service=os.environ.get("RENDER_SERVICE_ID") or None,
            commit=os.environ.get("RENDER_GIT_COMMIT") or None,
        )


@cache
def guess_plan(limits: Limits) -> str | None:
    """The one plan that has these limits; None when none has, or when a limit that is missing leaves several."""
    known = [(limits.cpu_cores, 0), (None if limits.memory_bytes is None else limits.memory_bytes / _MIB, 1)]
    if all(value is None for value, _ in known):
        return None
    fitting = [
        name
        for name, size in _PLANS.items()
        if all(value is None or abs(value - size[place]) <= _TOLERANCE * size[place] for value, place in known)
    ]
    return fitting[0] if len(fitting) == 1 else None


@cache
def describe(limits: Limits) -> str:
    """The limits as the seed writes them: `0.5 CPU + 512MB`."""
    cpu = "unlimited CPU" if limits.cpu_cores is None else f"{limits.cpu_cores:g} CPU"
    if limits.memory_bytes is None:
        return f"{cpu} + unlimited memory"
    megabytes = limits.memory_bytes / _MIB
    return f"{cpu} + " + (f"{megabytes:.0f}MB" if megabytes < 1024 else f"{megabytes / 1024:.3g}GB")
