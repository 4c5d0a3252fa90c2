"""Keeps the ledger of this process: what is counted in it besides requests, and the time that its windows move with."""

import time
from bisect import bisect_left
from collections.abc import Callable

from app_core import ledger
from app_core.histogram import BIN_BOUNDS
from app_core.ledger import TEN_SECONDS, WINDOWS, Ledger
from app_core.view import Member, View

# Places in the block of a ledger, whose front and totals begin at these.
_SHED = ledger.FRONT + ledger.SHED
_QUEUE_SECONDS = ledger.FRONT + ledger.QUEUE_SECONDS
_QUEUE_HISTOGRAM = ledger.FRONT + ledger.QUEUE_HISTOGRAM
_QUEUE_MEASURED_A_SECOND = 100  # about so many, evenly spread: enough for any percentile, and next to no cost


class Tracker:
    """Writes one ledger, and hands its time slices on. Requests count themselves in it, see `Exchange`: that is the hot path.

    Used from the event loop only, so it has no locks.

    Args:
        clock: seconds that never run backwards, the same for all processes of the machine.
        each_second: called before the first request, then once in every second that has one.
    """

    __slots__ = (
        "_each_second",
        "_mean",
        "_mean_second",
        "_queue_longest",
        "_queue_looks",
        "_queue_stride",
        "_second",
        "cells",
        "clock",
        "concurrent",
        "ledger",
        "longest",
        "peak",
        "queue_skip",
        "second_ends",
        "started",
        "wall_offset",
    )

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, each_second: Callable[[], None] = lambda: None
    ) -> None:
        self.clock = clock
        self._each_second = each_second
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget everything, as the child of a fork must: what was counted is its parent's."""
        self.started = self.clock()
        self.ledger = Ledger()
        self.cells = self.ledger.cells  # of the ledger; a name of its own, since each request uses it often
        self.concurrent = 0  # requests under way
        self.longest = self._queue_longest = 0.0  # seconds; of the second under way, as are the next two
        self.peak = 0  # requests at once
        self._queue_looks = 0
        self._queue_stride = 0  # requests left out for each that is looked at for its time in the proxy's queue,
        self.queue_skip = 0  # and how many of them are still to come
        self._second = int(self.started)
        self._mean: float | None = None
        self._mean_second = -1
        self.second_ends = self.started  # so the first request moves on
        self.wall_offset = time.time() - self.started
        self.cells[ledger.SECOND] = self._second
        self.ledger.open_rows((window, self._second // window.slice_seconds) for window in WINDOWS)

    def shed(self) -> None:
        """Count a request as turned away; it counts as finished and as an error besides."""
        self.cells[_SHED] += 1

    def looked(self) -> None:
        """Note that a request was looked at for how long it had been queued; the next few are not."""
        self._queue_looks += 1
        self.queue_skip = self._queue_stride

    def queued(self, waited: float) -> None:
        """Count how long a request had waited, in seconds, before it reached this process."""
        cells = self.cells
        cells[_QUEUE_SECONDS] += waited
        cells[_QUEUE_HISTOGRAM + bisect_left(BIN_BOUNDS, waited)] += 1
        self._queue_longest = max(self._queue_longest, waited)

    def mean_of_late(self) -> float | None:
        """Seconds that a response took on average in the last ten seconds, looked up once a second: for those turned away."""
        if self._mean_second != self._second:
            self._mean = self.view().mean(TEN_SECONDS)
            self._mean_second = self._second
        return self._mean

    def note_memory(self, used_bytes: float) -> None:
        """Add one sample of the memory that the instance uses."""
        self.now()
        self.ledger.add(ledger.MEMORY_SUM, used_bytes, 1)

    def now(self) -> float:
        """The time; what the windows hold is up to it from here on."""
        now = self.clock()
        if now >= self.second_ends:
            self.move_on(now)
        self._write_extremes()
        return now

    def view(self) -> View:
        """What this process alone has counted."""
        return View([Member(self.ledger, alive=True)], int(self.now()))

    def move_to(self, other: Ledger) -> None:
        """Go on counting in another block."""
        other.copy_from(self.ledger)
        self.ledger = other
        self.cells = other.cells

    def move_on(self, now: float) -> None:
        """Close the second under way: slices of the windows begin on whole seconds of the clock."""
        second = int(now)
        cells = self.cells
        self._write_extremes()
        cells[ledger.LAST_PEAK], cells[ledger.LAST_PEAK_SECOND] = self.peak, self._second
        self.ledger.open_rows(
            (window, index)
            for window in WINDOWS
            for opened in [second // window.slice_seconds]
            for index in range(max(self._second // window.slice_seconds + 1, opened - window.slices), opened + 1)
        )
        cells[ledger.SECOND] = self._second = second
        self.second_ends = second + 1.0
        self.longest = self._queue_longest = 0.0
        self.peak = self.concurrent
        self.wall_offset = time.time() - now
        self._queue_stride = self._queue_looks * (self._queue_stride + 1) // _QUEUE_MEASURED_A_SECOND
        self._queue_looks = 0
        self.queue_skip = min(self.queue_skip, self._queue_stride)  # else a rate that fell would go unmeasured for long
        self._each_second()

    def _write_extremes(self) -> None:
        """What the second under way has seen so far, into the slices that it belongs to."""
        for window in WINDOWS:
            index = self._second // window.slice_seconds
            self.ledger.raise_row(window, index, ledger.ROW_LONGEST, self.longest)
            self.ledger.raise_row(window, index, ledger.ROW_QUEUE_LONGEST, self._queue_longest)
            self.ledger.raise_row(window, index, ledger.ROW_PEAK, self.peak)
