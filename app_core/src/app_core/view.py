"""What all processes of the instance have counted together, at one moment."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import accumulate
from math import fsum
from operator import add, sub
from typing import NamedTuple

from app_core import ledger
from app_core.histogram import least_of_longest, quantile
from app_core.ledger import Kind, Ledger, Window


class WindowStatistics(NamedTuple):
    """What one window saw. All times are seconds; a statistic of no requests is None."""

    seconds: int
    requests: int
    errors: int
    mean: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    max: float | None


class QueueStatistics(NamedTuple):
    """How long requests waited in front of this instance, in seconds; a statistic of none is None."""

    measured: int
    mean: float | None
    p95: float | None
    max: float | None


_NO_QUEUE = QueueStatistics(0, None, None, None)


class Member(NamedTuple):
    """One process of the instance; of a dead one only what it counted is left."""

    ledger: Ledger
    alive: bool


class View:
    """The numbers of now, and their increase over each window.

    Args:
        members: the processes of the instance.
        second: whole second of their common clock.
    """

    def __init__(self, members: Sequence[Member], second: int) -> None:
        self._ledgers = [member.ledger for member in members]
        self._alive = [member.ledger for member in members if member.alive]
        self._second = second
        self._times = _Bins(self._ledgers, ledger.HISTOGRAM)
        self._scalars = _total([each.totals(0, ledger.SCALARS) for each in self._ledgers])
        self._statistics: dict[Window, WindowStatistics] = {}
        self.requests = int(self._times.counted())

    # Totals

    @cached_property
    def _queue_times(self) -> "_Bins":
        return _Bins(self._ledgers, ledger.QUEUE_HISTOGRAM)

    @property
    def processes(self) -> int:
        """How many are alive."""
        return len(self._alive)

    @property
    def errors(self) -> int:
        """Requests that failed or were turned away."""
        return int(self._scalars[ledger.ERRORS])

    @property
    def shed(self) -> int:
        """Requests that were turned away."""
        return int(self._scalars[ledger.SHED])

    @property
    def seconds(self) -> float:
        """Response time of all finished requests."""
        return self._scalars[ledger.SECONDS]

    @property
    def cpu_seconds(self) -> float:
        """What the processes themselves used."""
        return self._scalars[ledger.CPU_SECONDS]

    @property
    def concurrent(self) -> int:
        """Requests under way."""
        return int(sum(each.cells[ledger.RUNNING] for each in self._alive))

    @property
    def queued(self) -> int:
        """Of them those that wait for their turn."""
        # Another process may just have counted out a request whose place in its queue it has still to give back.
        return int(sum(min(each.cells[ledger.QUEUED], each.cells[ledger.RUNNING]) for each in self._alive))

    @property
    def resident_bytes(self) -> float:
        """Memory of the processes themselves."""
        return sum(each.cells[ledger.RESIDENT] for each in self._alive)

    @property
    def loop_lag(self) -> float | None:
        """The longest lag of any of the event loops, in seconds; None before the first look."""
        return max((lag - 1 for each in self._alive if (lag := each.cells[ledger.LOOP_LAG])), default=None)

    def named(self, kind: Kind, *, of_the_living: bool = False) -> dict[str, list[float]]:
        """The values of everything of one kind, by name; `of_the_living` for what a dead process can't hold any more."""
        return _by_name(
            (name, each.totals(place, place + ledger.VALUES))
            for each in (self._alive if of_the_living else self._ledgers)
            for name, place in each.names_of(kind).items()
        )

    # Windows

    def statistics(self, window: Window) -> WindowStatistics:
        """Everything about the requests that finished in the window."""
        known = self._statistics.get(window)
        if known is None:
            known = self._statistics[window] = self._summarize(window)
        return known

    def _summarize(self, window: Window) -> WindowStatistics:
        rows = self._rows(window)
        errors, seconds = (self._rise(place, rows) for place in (ledger.ERRORS, ledger.SECONDS))
        counted = self._times.since(rows)
        requests = int(counted[-1])
        if not requests:
            return WindowStatistics(window.seconds, 0, int(errors), None, None, None, None, None)
        first = self._times.first
        longest = max(self._largest(window, ledger.ROW_LONGEST), least_of_longest(counted, first))
        p50, p95, p99 = [quantile(share, counted, first, longest) for share in (0.5, 0.95, 0.99)]
        return WindowStatistics(window.seconds, requests, int(errors), seconds / requests, p50, p95, p99, longest)

    def queue_statistics(self, window: Window) -> QueueStatistics:
        """How long requests that came in the window had waited before they reached the app."""
        if not self._queue_times.counted():
            return _NO_QUEUE
        rows = self._rows(window)
        counted = self._queue_times.since(rows)
        measured = int(counted[-1])
        if not measured:
            return _NO_QUEUE
        seconds = self._rise(ledger.QUEUE_SECONDS, rows)
        first = self._queue_times.first
        longest = max(self._largest(window, ledger.ROW_QUEUE_LONGEST), least_of_longest(counted, first))
        p95 = quantile(0.95, counted, first, longest)
        return QueueStatistics(measured, seconds / measured, p95, longest)

    def mean(self, window: Window) -> float | None:
        """Seconds a response took on average."""
        return self.statistics(window).mean

    def mean_memory(self, window: Window) -> float | None:
        """Bytes in use on average over the samples in the window."""
        rows = self._rows(window)
        samples = self._rise(ledger.MEMORY_SAMPLES, rows)
        return self._rise(ledger.MEMORY_SUM, rows) / samples if samples else None

    def named_in(self, window: Window, kind: Kind) -> dict[str, list[float]]:
        """By how much the values of everything of one kind rose in the window."""
        return _by_name(
            (name, list(map(sub, each.totals(place, place + ledger.VALUES), each.read(*_values_at(row, place)))))
            for each, row in self._rows(window)
            for name, place in each.names_of(kind).items()
        )

    def peak(self, window: Window) -> int:
        """The highest number of requests at once."""
        return max(self.peaks(window))

    def peaks(self, window: Window) -> list[int]:
        """The same for each slice of the window, oldest first, the one under way last.

        Of several processes each notes what ran in all of them together, to the second.
        """
        fields = (ledger.ROW_PEAK, ledger.ROW_JOINT_PEAK) if len(self._ledgers) > 1 else (ledger.ROW_PEAK,)
        rows = [each.of_rows(window, field, self._second) for each in self._ledgers for field in fields]
        peaks = rows[0] if len(rows) == 1 else list(map(max, *rows))
        peaks[-1] = max(peaks[-1], self.concurrent)
        return list(map(int, peaks))

    def _largest(self, window: Window, field: int) -> float:
        return max([max(each.of_rows(window, field, self._second)) for each in self._ledgers])

    def _rows(self, window: Window) -> "_Rows":
        """Where each process wrote its totals down when the window began; without those that counted nothing since."""
        found = [(each, each.row_before(window, self._second)) for each in self._ledgers]
        return [(each, row) for each, row in found if row is not None]

    def _rise(self, place: int, rows: "_Rows") -> float:
        return sum([each.cells[ledger.FRONT + place] - each.cells[row + place] for each, row in rows])


_Rows = list[tuple[Ledger, int]]


class _Bins:
    """A histogram of several processes, cumulated, without its empty ends."""

    def __init__(self, ledgers: Sequence[Ledger], histogram: int) -> None:
        used = [each.used_bins(histogram) for each in ledgers]
        ends = [stop for _, stop in used if stop]
        self.first = min((first for first, stop in used if stop), default=0)
        self._start = histogram + self.first
        self._stop = histogram + max(ends, default=1)
        self._now = {each: list(accumulate(each.totals(self._start, self._stop))) for each in ledgers}

    def counted(self) -> float:
        """How many durations there are."""
        return sum(now[-1] for now in self._now.values())

    def since(self, rows: "_Rows") -> list[float]:
        """How many durations were counted since these rows were written, up to and in each bin."""
        rises = [map(sub, self._now[each], each.read(row + self._start, row + self._stop)) for each, row in rows]
        return list(rises[0]) if len(rises) == 1 else _sum([list(rise) for rise in rises] or [[0.0]])


def _values_at(row: int, place: int) -> tuple[int, int]:
    return row + place, row + place + ledger.VALUES


def _sum(rows: list[list[float]]) -> list[float]:
    total, *others = rows
    for row in others:
        total = list(map(add, total, row))
    return total


def _by_name(values: Iterable[tuple[str, list[float]]]) -> dict[str, list[float]]:
    found: dict[str, list[list[float]]] = {}
    for name, row in values:
        found.setdefault(name, []).append(row)
    return {name: _total(rows) for name, rows in found.items()}


def _total(rows: list[list[float]]) -> list[float]:
    """The sum that does not depend on the order of its parts: else a counter might fall by a rounding, which looks like a restart."""
    return rows[0] if len(rows) == 1 else list(map(fsum, zip(*rows, strict=True)))
