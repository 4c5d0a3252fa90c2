"""Recordings as JSON, one object a line: a health report as the endpoint gives it, or an observation as `--export` writes it.

{"timestamp": "2026-06-01T08:00:00Z", "current_metrics": {…}, …}
{"kind": "reading", "at": 1780300800000, "gauges": {"memory_usage": 2.6e8}, "increases": {…}, …}
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

from autoscaler.adapters.store.bodies import KINDS, dump, kind_of, load
from autoscaler.core.instances import Instances
from autoscaler.core.metrics import Vocabulary
from autoscaler.core.observations import Missed, Observation, Reading
from autoscaler.core.readings import read, signals
from autoscaler.core.recording import BadRow, Recording, Span, cadence, recorded
from autoscaler.errors import StoreError, UsageError

Line = Observation | tuple[int, Mapping[str, object]]
"""What a line holds: an observation, or a report and its time."""


class BadLineError(ValueError):
    """What is wrong with a line."""


def read_lines(path: Path, vocabulary: Vocabulary, span: Span) -> Recording:
    """What lies in `span`. Raises UsageError when the file can't be read or holds no poll."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            lines, bad = _parsed(file, span)
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}. Name a file with one JSON object a line.") from None
    lines, notes = _in_order(lines)
    times = [_at(line) for line in lines if isinstance(line, tuple | Reading | Missed)]
    try:
        return recorded(str(path), tuple(_observed(lines, cadence(times), vocabulary)), bad=bad, notes=notes)
    except ValueError as problem:
        told = "".join(f"\n  line {one.line}: {one.what}" for one in bad[:10])
        raise UsageError(f"{path}: {problem}.{told}") from None


def write_lines(path: Path, observations: Iterable[Observation]) -> int:
    """One observation a line; how many. Raises UsageError when the file can't be written."""
    count = 0
    try:
        with path.open("w", encoding="utf-8") as file:
            for count, observation in enumerate(observations, 1):  # noqa: B007 - the last count is the answer
                file.write(json.dumps({"kind": kind_of(observation)} | json.loads(dump(observation))) + "\n")
    except OSError as error:
        raise UsageError(f"{path} can't be written: {error.strerror}.") from None
    return count


def _parsed(file: Iterable[str], span: Span) -> tuple[list[Line], list[BadRow]]:
    lines: list[Line] = []
    bad: list[BadRow] = []
    for number, text in enumerate(file, 1):
        if not text.strip():
            continue
        try:
            line = _line(text)
        except ValueError as problem:
            bad.append(BadRow(number, str(problem)))
            continue
        if span.holds(_at(line)):
            lines.append(line)
    return lines, bad


def _line(text: str) -> Line:
    """Raises BadLineError, and ValueError for what is no JSON, with what is wrong."""
    try:
        body = json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise BadLineError("it is nested too deeply") from None
    if not isinstance(body, dict):
        raise BadLineError(f"a JSON {type(body).__name__} is no observation and no report")
    if (kind := body.get("kind")) is None:
        return _report_time(body), body
    if kind not in KINDS:
        raise BadLineError(f"unknown kind '{str(kind)[:40]}': one of {', '.join(KINDS)}")
    try:
        return load(KINDS[kind], text)
    except StoreError:
        raise BadLineError(f"it is no {kind}: a value is missing, or is not what it should be") from None


def _report_time(body: Mapping[str, object]) -> int:
    written = body.get("timestamp")
    if written is None:
        raise BadLineError("neither an observation (it has no 'kind') nor a report (it has no 'timestamp')")
    try:
        moment = datetime.fromisoformat(str(written))
    except ValueError:
        raise BadLineError(f"its timestamp '{str(written)[:40]}' is no ISO 8601 time") from None
    if moment.tzinfo is None:
        raise BadLineError(f"its timestamp '{str(written)[:40]}' has no time zone")
    return round(moment.timestamp() * 1000)


def _no_constant(word: str) -> NoReturn:
    raise BadLineError(f"{word} is no number")


def _at(line: Line) -> int:
    return line[0] if isinstance(line, tuple) else line.at


def _in_order(lines: list[Line]) -> tuple[list[Line], list[str]]:
    """As they came, for a signal may be heard of late; but by time where the polls themselves go back."""
    polls = [_at(line) for line in lines if isinstance(line, tuple | Reading | Missed)]
    back = sum(later < earlier for earlier, later in pairwise(polls))
    if not back:
        return lines, []
    return sorted(lines, key=_at), [f"time goes back {back} times in it: the lines were put in order"]


def _observed(lines: Sequence[Line], every: int, vocabulary: Vocabulary) -> Iterator[Observation]:
    """Reports are read as live: a report that stands still is a miss, and so is one that can't be."""
    previous: Reading | None = None
    instances = Instances(every)
    for line in lines:
        is_report = isinstance(line, tuple)
        seen = read(line[1], line[0], previous, every, vocabulary, instances) if isinstance(line, tuple) else line
        yield seen
        if isinstance(seen, Reading):
            instances.take(previous, seen)
            previous = seen
            if is_report:
                yield from signals(seen)
