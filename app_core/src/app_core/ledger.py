"""What one process has counted: one flat block of doubles, in memory of its own or in a file that its sibling processes map too.

Every total (errors, seconds, the histograms, the named values) only ever grows. At the start of each time slice of each window
the totals are written into a row of that window's ring; what happened in a window is the totals of now less those of its oldest
row. So a request costs one increment however many windows there are, and any process can read what another one counted, even
after that one was killed. Histograms are cumulated in the rows, since then a quantile needs a handful of their bins and not all.
"""

from array import array
from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import accumulate
from threading import Lock
from typing import Any, NamedTuple

from app_core.histogram import BINS

# One value each, at the front.
SECOND = 0  # second of the clock that the rows are written up to
RUNNING = 1  # requests under way, running or queued
QUEUED = 2  # of them those in the queue
LOOP_LAG = 3  # seconds; see the sampler
RESIDENT = 4  # bytes of memory of the process itself
LAST_PEAK, LAST_PEAK_SECOND = 5, 6  # highest concurrency of the last whole second, and which one that was
NAMES_USED = 7
FRONT = 8

# The totals, one after the other.
ERRORS, SHED, SECONDS, QUEUE_SECONDS, MEMORY_SUM, MEMORY_SAMPLES, CPU_SECONDS = range(7)
SCALARS = 7
NAMES_OF_A_KIND, VALUES = 12, 5  # things that bear a name, and how many values each of them has
NAMES = 4 * NAMES_OF_A_KIND
NAMED = SCALARS
HISTOGRAM = NAMED + NAMES * VALUES
QUEUE_HISTOGRAM = HISTOGRAM + BINS
TOTALS = QUEUE_HISTOGRAM + BINS

# A row of a ring: a number of its own for "never written", what can't be subtracted, and the totals when the slice began.
_ROW_INDEX, ROW_LONGEST, ROW_QUEUE_LONGEST, ROW_PEAK, ROW_JOINT_PEAK = range(5)
_ROW_TOTALS = 5
_ROW = _ROW_TOTALS + TOTALS
_NAME_BYTES = 64
OTHER = "other"


class Kind(StrEnum):
    """What bears a name, and what its values are."""

    DEPENDENCY = "dependency"  # calls, failures, seconds that requests waited, requests that wait now
    CACHE = "cache"  # hits, look-ups, entries; of the deduplicators also executions and callers waiting now
    POOL = "pool"  # in use, size
    SIGNAL = "signal"  # times


class Window(NamedTuple):
    """A sliding window: `slices` whole slices and the one under way, so never less than its length, and one slice more at most."""

    name: str
    slice_seconds: int
    slices: int
    offset: int  # of its ring

    @property
    def seconds(self) -> int:
        """The length that the window never falls short of."""
        return self.slice_seconds * self.slices

    def oldest(self, second: int) -> int:
        """Number of the window's oldest slice."""
        return second // self.slice_seconds - self.slices


def _windows(*sizes: tuple[str, int, int]) -> tuple[Window, ...]:
    windows: list[Window] = []
    offset = FRONT + TOTALS
    for name, slice_seconds, slices in sizes:
        windows.append(Window(name, slice_seconds, slices, offset))
        offset += (slices + 1) * _ROW
    return tuple(windows)


# A tenth of the window or less may be counted beyond its length.
WINDOWS = _windows(("10s", 1, 10), ("1m", 5, 12), ("5m", 15, 20), ("15m", 60, 15))
TEN_SECONDS, ONE_MINUTE, FIVE_MINUTES, QUARTER_HOUR = WINDOWS
_CELLS = QUARTER_HOUR.offset + (QUARTER_HOUR.slices + 1) * _ROW
SIZE = 8 * _CELLS + NAMES * _NAME_BYTES  # bytes


class Ledger:
    """Reads and writes one block.

    Args:
        buffer: `SIZE` bytes, zero where nothing was counted yet.
    """

    __slots__ = ("_lock", "_names", "_places", "cells")

    def __init__(self, buffer: "bytearray | memoryview | None" = None) -> None:
        view = memoryview(bytearray(SIZE) if buffer is None else buffer)
        self.cells = view[: 8 * _CELLS].cast("d")
        self._names = view[8 * _CELLS :]
        self._places: dict[tuple[Kind, str], int] = {}  # of the names that were claimed here
        self._lock = Lock()  # names may be claimed by worker threads

    def copy_from(self, other: "Ledger") -> None:
        """Take over all that another block holds."""
        self.cells[:] = other.cells
        self._names[:] = other._names  # noqa: SLF001 - its own kind
        self._places.update(other._places)  # noqa: SLF001 - the same

    def totals(self, start: int, stop: int) -> list[float]:
        """Some of the totals as they stand now."""
        return self.read(FRONT + start, FRONT + stop)

    def read(self, start: int, stop: int, step: int = 1) -> list[float]:
        """Some of the cells."""
        values: list[Any] = self.cells[start:stop:step].tolist()
        return values

    def used_bins(self, histogram: int) -> tuple[int, int]:
        """The bins that are not empty, as first and one past the last; both 0 when all are."""
        raw = self.cells[FRONT + histogram : FRONT + histogram + BINS].tobytes()
        filled = raw.rstrip(b"\0")
        return ((len(raw) - len(raw.lstrip(b"\0"))) // 8, -(-len(filled) // 8)) if filled else (0, 0)

    # Rows

    def open_rows(self, rows: Iterable[tuple[Window, int]]) -> None:
        """Begin slices, given by their numbers: with the totals as they stand, and what runs already."""
        cells = self.cells
        times = array("d", accumulate(self.totals(HISTOGRAM, HISTOGRAM + BINS)))
        queued = array("d", accumulate(self.totals(QUEUE_HISTOGRAM, QUEUE_HISTOGRAM + BINS)))
        for window, index in rows:
            row = window.offset + index % (window.slices + 1) * _ROW
            cells[row + _ROW_INDEX] = 0  # who reads it meanwhile sees that it is not whole
            cells[row + ROW_LONGEST] = cells[row + ROW_QUEUE_LONGEST] = cells[row + ROW_JOINT_PEAK] = 0
            cells[row + ROW_PEAK] = cells[RUNNING]
            row_totals = row + _ROW_TOTALS
            cells[row_totals : row_totals + HISTOGRAM] = cells[FRONT : FRONT + HISTOGRAM]
            cells[row_totals + HISTOGRAM : row_totals + QUEUE_HISTOGRAM] = times
            cells[row_totals + QUEUE_HISTOGRAM : row_totals + TOTALS] = queued
            cells[row + _ROW_INDEX] = index + 1

    def raise_row(self, window: Window, index: int, field: int, value: float) -> None:
        """Make a value of a slice at least so large."""
        row = window.offset + index % (window.slices + 1) * _ROW
        if self.cells[row + _ROW_INDEX] == index + 1 and value > self.cells[row + field]:
            self.cells[row + field] = value

    def row_before(self, window: Window, second: int) -> int | None:
        """The cell where the totals begin as they stood when the window did; None when nothing was counted since.

        The first slice that is there: the process may have begun later than the window, and then with totals of 0, or be a slice
        ahead of who reads it, and then have written over the oldest one.
        """
        oldest, length = window.oldest(second), window.slices + 1
        for index in range(max(oldest, 0), oldest + length):
            row = window.offset + index % length * _ROW
            if self.cells[row + _ROW_INDEX] == index + 1:
                return row + _ROW_TOTALS
        return None

    def of_rows(self, window: Window, field: int, second: int) -> list[float]:
        """A value of each slice of the window, oldest first; 0 for slices that this process has not seen."""
        last, length = window.offset + (window.slices + 1) * _ROW, window.slices + 1
        values = self.read(window.offset + field, last, _ROW)
        oldest = window.oldest(second)
        if self.cells[SECOND] // window.slice_seconds == second // window.slice_seconds:  # then no row is older
            return values[oldest % length :] + values[: oldest % length]
        numbers = self.read(window.offset + _ROW_INDEX, last, _ROW)
        return [
            values[index % length] if numbers[index % length] == index + 1 else 0.0
            for index in range(oldest, oldest + length)
        ]

    # Names

    def names_of(self, kind: Kind) -> dict[str, int]:
        """The place of the first value of everything of one kind, by name."""
        prefix = f"{kind}:"
        return {name[len(prefix) :]: place for name, place in self._names_in_use() if name.startswith(prefix)}

    def place_of(self, kind: Kind, name: str) -> int:
        """The place of a name's first value, claimed if it is new. Names beyond the eleventh of a kind are all `other`."""
        whole = f"{kind}:{name}".encode(errors="replace")
        short = whole[:_NAME_BYTES].decode(errors="ignore").removeprefix(f"{kind}:")
        with self._lock:
            place = self._places.get((kind, short))
            if place is None:
                taken = sum(known == kind for known, _ in self._places)
                if taken >= NAMES_OF_A_KIND - 1:
                    short = OTHER
                place = self._places.get((kind, short)) or self._claim(kind, short)
            return place

    def _claim(self, kind: Kind, name: str) -> int:
        used = int(self.cells[NAMES_USED])
        encoded = f"{kind}:{name}".encode()
        self._names[used * _NAME_BYTES : used * _NAME_BYTES + len(encoded)] = encoded
        self.cells[NAMES_USED] = used + 1  # now others see it
        self._places[kind, name] = place = NAMED + used * VALUES
        return place

    def _names_in_use(self) -> Iterator[tuple[str, int]]:
        for number in range(int(self.cells[NAMES_USED])):
            raw = bytes(self._names[number * _NAME_BYTES : (number + 1) * _NAME_BYTES])
            yield raw.rstrip(b"\0").decode(errors="replace"), NAMED + number * VALUES

    def add(self, place: int, *values: float) -> None:
        """Add to the totals from that place on; may be called by any thread."""
        with self._lock:
            for offset, value in enumerate(values, FRONT + place):
                self.cells[offset] += value

    def put(self, place: int, *values: float) -> None:
        """Replace totals from that place on: of what somebody else counts."""
        for offset, value in enumerate(values, FRONT + place):
            self.cells[offset] = value
