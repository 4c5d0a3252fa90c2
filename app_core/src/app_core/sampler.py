"""Looks at the event loop and the memory from time to time, and logs a warning when a threshold of the settings is passed."""

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING

from app_core import ledger
from app_core.ledger import ONE_MINUTE

if TYPE_CHECKING:
    from app_core.instruments import Instruments

_INTERVAL = 0.25  # seconds between two looks at the loop
_KEPT = 40  # looks that count, so 10 s
_SECOND = 4  # looks
_MEMORY_EVERY = 20  # looks between two samples of the memory, so 5 s
_CPU_KEPT = 13  # samples of the CPU, taken with those of the memory, so 60 s
_MIB = 1 << 20

logger = logging.getLogger("app_core")


class Sampler:
    """Asks the event loop to be called at a set time and notes how late the call comes.

    The chain of calls belongs to the loop and ends with it; nothing has to be stopped.
    """

    def __init__(self, instruments: "Instruments") -> None:
        self._instruments = instruments
        self._slow = _Alarm(instruments.config.response_time_warning)
        self._full = _Alarm(instruments.config.memory_warning_mb)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._looks = 0
        self._lags: deque[float] = deque(maxlen=_KEPT)  # seconds that a ready callback had to wait
        self._cpu: deque[tuple[float, float]] = deque(maxlen=_CPU_KEPT)  # time and CPU seconds used by then

    def cpu_cores(self, cpu_seconds: float) -> float | None:
        """CPU cores in use on average since the oldest sample, which is at most a minute old; None at first.

        Args:
            cpu_seconds: CPU time used up to now.
        """
        if not self._cpu:
            return None
        then, used = self._cpu[0]
        passed = self._instruments.tracker.clock() - then
        return max(0.0, cpu_seconds - used) / passed if passed > 0 else None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin on this loop; does nothing where it runs already."""
        if loop is not self._loop:
            self._loop = loop
            self._lags.clear()
            self._instruments.tracker.cells[ledger.LOOP_LAG] = 0
            self._sample()
            self._ask(loop)

    def _ask(self, loop: asyncio.AbstractEventLoop) -> None:
        due = loop.time() + _INTERVAL
        loop.call_at(due, self._look, loop, due)

    def _look(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        if loop is not self._loop:  # another loop has taken over
            return
        self._ask(loop)
        self._lags.append(max(0.0, loop.time() - due))
        self._looks += 1
        instruments = self._instruments
        instruments.tracker.cells[ledger.LOOP_LAG] = 1 + max(self._lags)
        if instruments.deadlines is not None:
            instruments.deadlines.end_overdue(instruments.tracker.clock())
        if self._looks % _SECOND == 0:
            instruments.look_around()
        if self._looks % _MEMORY_EVERY == 0:
            self._sample()

    def _sample(self) -> None:
        instruments = self._instruments
        instruments.write_down()
        view = instruments.view()
        self._cpu.append((instruments.tracker.clock(), instruments.cpu_seconds(view)))
        used = instruments.memory_bytes(view)
        if used is not None:
            instruments.tracker.note_memory(used)
            if self._full.passed(used / _MIB):
                logger.warning(
                    "memory in use is %.0f MB, above MEMORY_WARNING_MB=%g", used / _MIB, self._full.threshold
                )
        mean = view.mean(ONE_MINUTE)
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
