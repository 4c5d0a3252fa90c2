"""Looks at the event loop and the memory from time to time, and logs a warning when a threshold of the settings is passed."""

import asyncio
import logging
from collections import deque

from app_core.profiles import ScalingConfig
from app_core.resources import Resources
from app_core.tracker import Tracker

_INTERVAL = 0.25  # seconds between two looks at the loop
_KEPT = 40  # looks that count, so 10 s
_MEMORY_EVERY = 20  # looks between two readings of the memory, so 5 s
_MIB = 1 << 20

logger = logging.getLogger("app_core")


class Sampler:
    """Asks the event loop to be called at a set time and notes how late the call comes.

    The chain of calls belongs to the loop and ends with it; nothing has to be stopped.
    """

    def __init__(self, tracker: Tracker, resources: Resources, config: ScalingConfig) -> None:
        self._tracker = tracker
        self._resources = resources
        self._slow = _Alarm(config.response_time_warning)
        self._full = _Alarm(config.memory_warning_mb)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._looks = 0
        self._lags: deque[float] = deque(maxlen=_KEPT)

    @property
    def loop_lag(self) -> float | None:
        """Seconds that a ready callback had to wait at most, in the last ten seconds; None before the first look."""
        return max(self._lags, default=None)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin on this loop; does nothing where it runs already."""
        if loop is not self._loop:
            self._loop = loop
            self._lags.clear()
            self._look_at_memory()
            self._ask(loop)

    def _ask(self, loop: asyncio.AbstractEventLoop) -> None:
        due = loop.time() + _INTERVAL
        loop.call_at(due, self._look, loop, due)

    def _look(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        if loop is not self._loop:  # another loop has taken over
            return
        self._lags.append(max(0.0, loop.time() - due))
        self._looks += 1
        if self._looks % _MEMORY_EVERY == 0:
            self._look_at_memory()
            self._look_at_response_time()
        self._ask(loop)

    def _look_at_memory(self) -> None:
        used = self._resources.usage().memory_bytes
        if used is None:
            return
        self._tracker.note_memory(used)
        if self._full.passed(used / _MIB):
            logger.warning("memory in use is %.0f MB, above MEMORY_WARNING_MB=%g", used / _MIB, self._full.threshold)

    def _look_at_response_time(self) -> None:
        mean = self._tracker.mean("1m")
        if mean is not None and self._slow.passed(mean):
            logger.warning(
                "responses took %.1f s on average over 1 minute, above RESPONSE_TIME_WARNING=%g",
                mean,
                self._slow.threshold,
            )


class _Alarm:
    """Goes off once when a value passes its threshold, and again only after the value was a tenth below it. A threshold of 0 is off."""

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self._ringing = False

    def passed(self, value: float) -> bool:
        was_ringing = self._ringing
        self._ringing = value > self.threshold * (0.9 if was_ringing else 1.0) > 0
        return self._ringing and not was_ringing
