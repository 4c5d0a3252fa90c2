"""A CSV with a column map becomes a recording. A row that can't be read is named and counted, never silently left out."""

import csv
import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from autoscaler.adapters.recordings.columns import Column, Columns, Form
from autoscaler.core.durations import MINUTE
from autoscaler.core.json_values import LARGEST
from autoscaler.core.observations import Observation, Reading, Signal
from autoscaler.core.readings import increase
from autoscaler.core.recording import NAMED, BadRow, Recording, Span, cadence
from autoscaler.errors import UsageError

_DELIMITERS = (",", ";", "\t", "|")
_NOT_TOLD = frozenset({"", "-", "na", "n/a", "nan", "none", "null", "undefined"})
"""What programs write where there is no value."""
_LAST_IN_SECONDS = 1e11
"""A number that is larger counts milliseconds: as seconds it would be the year 5138."""
Row = tuple[int, tuple[float | None, ...]]
"""When, ms UTC, and each column's number in base units; None where the cell is empty."""


@dataclass(frozen=True, slots=True)
class TableObservations:
    """The readings and signals of a table; made row by row, since a year of them would fill the memory."""

    columns: Sequence[Column]
    rows: Sequence[Row]
    every: int

    def __iter__(self) -> Iterator[Observation]:
        """A reading for each row, and after it what it counted."""
        previous: Reading | None = None
        for at, values in self.rows:
            cells = [(column, value) for column, value in zip(self.columns, values, strict=True) if value is not None]
            reading = self._reading(at, cells, previous)
            previous = reading if reading.counters else previous
            yield reading
            for column, value in cells:
                if column.form is Form.SIGNAL and value >= 1:
                    yield Signal(at, column.name, value)

    def _reading(self, at: int, cells: Sequence[tuple[Column, float]], previous: Reading | None) -> Reading:
        gauges = {column.name: value for column, value in cells if column.form is Form.GAUGE}
        counted = {column.name: value for column, value in cells if column.form is Form.COUNTER}
        totals = {column.name: value for column, value in cells if column.form is Form.TOTAL}
        bare = Reading(at, gauges, timestamp=at, counters=totals)
        risen = increase(bare, previous, longest=max(5 * self.every, 5 * MINUTE)) if totals else {}
        increases = {"seconds": self.every / 1000} | risen | counted
        for column, value in cells:
            if column.form is Form.RATIO and column.metric is not None:
                over, under = column.metric.over or "", increases.get(column.metric.under or "")
                if under is None:
                    gauges[column.name] = value  # an average without its requests is taken as a gauge
                else:
                    increases[over] = value * under / column.metric.scale
        gauges |= {"stalled": 0.0, "unreachable": 0.0}
        return replace(bare, gauges=gauges, increases=increases, idle=increases.get("requests") == 0)


def read_table(path: Path, columns: Columns, span: Span) -> Recording:
    """The rows of `span`, in order of time. Raises UsageError when the file can't be read or holds no row that can."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            return _read(str(path), file, columns, span)
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}. Name a CSV file.") from None


def _read(where: str, file: Iterator[str], columns: Columns, span: Span) -> Recording:
    first = next(file, "")
    delimiter, positions = _header(where, first, columns)
    reader = csv.reader(file, delimiter=delimiter)
    rows: list[Row] = []
    bad: list[BadRow] = []
    gaps = 0
    while True:
        try:
            cells = next(reader)
            row = _row(cells, positions, columns) if cells else None
        except StopIteration:
            break
        except (csv.Error, ValueError) as problem:
            bad.append(BadRow(reader.line_num + 1, str(problem)))
            continue
        if row is None or not span.holds(row[0]):
            continue
        if all(value is None for value in row[1]):
            gaps += 1
        else:
            rows.append(row)
    if not rows:
        told = "".join(f"\n  line {one.line}: {one.what}" for one in bad[:NAMED])
        raise UsageError(f"{where} holds no row that can be read{' in that time' if not bad else ''}.{told}")
    ordered, notes = _in_order(rows)
    if gaps:
        notes.append(f"{gaps} rows without any value are gaps")
    every = cadence([at for at, _ in ordered])
    observations = TableObservations(columns.values, ordered, every)
    return Recording(
        where,
        observations,
        len(ordered),
        ordered[0][0],
        ordered[-1][0],
        every,
        bad_rows=len(bad),
        first_bad=tuple(bad[:NAMED]),
        notes=tuple(notes),
    )


def _header(where: str, line: str, columns: Columns) -> tuple[str, tuple[int, ...]]:
    """The delimiter, and where the columns stand: the time first."""
    found = [next(csv.reader([line], delimiter=one), []) for one in _DELIMITERS]
    headers = [[cell.strip() for cell in cells] for cells in found]
    for delimiter, names in zip(_DELIMITERS, headers, strict=True):
        if all(header in names for header in columns.headers):
            return delimiter, tuple(names.index(header) for header in columns.headers)
    names = max(headers, key=len)
    missing = next(header for header in columns.headers if header not in names)
    near = difflib.get_close_matches(missing, names, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"it has {', '.join(name[:40] for name in names[:20])}."
    raise UsageError(f"{where} has no column '{missing}': {hint}")


def _row(cells: Sequence[str], positions: Sequence[int], columns: Columns) -> Row:
    """Raises ValueError with what is wrong with the row."""
    if max(positions) >= len(cells):
        raise ValueError(f"{len(cells)} columns, of which {max(positions) + 1} are needed")
    time, *values = (cells[position].strip() for position in positions)
    numbers = (_number(column, cell) for column, cell in zip(columns.values, values, strict=True))
    return _time(time), tuple(numbers)


def _time(cell: str) -> int:
    try:
        number = float(cell)
    except ValueError:
        try:
            moment = datetime.fromisoformat(cell)
        except ValueError:
            raise ValueError(
                f"'{cell[:40]}' is no time: ISO 8601 (2026-06-01T08:00:00Z), or seconds or milliseconds since 1970"
            ) from None
        return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    milliseconds = number if number > _LAST_IN_SECONDS else number * 1000
    if not 0 < milliseconds < _LAST_IN_SECONDS * 1000:
        raise ValueError(f"'{cell[:40]}' is no time of this age")
    return round(milliseconds)


def _number(column: Column, cell: str) -> float | None:
    if cell.lower() in _NOT_TOLD:
        return None
    try:
        value = float(cell) * column.scale
    except ValueError:
        raise ValueError(f"{column.header} is '{cell[:40]}', which is no number") from None
    if not 0 <= value <= LARGEST:
        raise ValueError(f"{column.header} is {cell[:40]}, which is no count or measure")
    return value


def _in_order(rows: list[Row]) -> tuple[list[Row], list[str]]:
    """By time, each time once."""
    notes = []
    back = sum(later[0] < earlier[0] for earlier, later in pairwise(rows))
    if back:
        rows = sorted(rows, key=lambda row: row[0])
        notes.append(f"time goes back {back} times in it: the rows were put in order")
    kept = [row for before, row in zip((None, *rows), rows, strict=False) if before is None or row[0] != before[0]]
    if len(kept) < len(rows):
        notes.append(f"{len(rows) - len(kept)} rows of a time that was there already were left out")
    return kept, notes
