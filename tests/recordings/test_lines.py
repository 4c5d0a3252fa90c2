"""JSON a line: reports as the endpoint gives them, observations as --export writes them."""

import json
from datetime import UTC, datetime

import pytest

from autoscaler.adapters.recordings import read_lines, write_lines
from autoscaler.core.durations import MINUTE
from autoscaler.core.metrics import BUILT_IN
from autoscaler.core.observations import Masked, Miss, Missed, Reading, Signal, TierChanged
from autoscaler.core.recording import Span
from autoscaler.errors import UsageError

T0 = round(datetime(2026, 6, 1, 8, tzinfo=UTC).timestamp() * 1000)
SEEN = (
    TierChanged(T0 - 1, "mvp", "starter", 1),
    Reading(
        T0, {"memory_usage": 2.5e8}, {"requests": 3.0}, timestamp=T0, instance="a", started_at=5, settings={"A": "1"}
    ),
    Signal(T0, "complaints", 2.0),
    Masked(T0 + 1, T0 + MINUTE, "deploy"),
    Missed(T0 + MINUTE, Miss.TIMED_OUT, "no answer", 10_000),
)


def a_report(minute, **more):
    timestamp = datetime.fromtimestamp((T0 + minute * MINUTE) / 1000, UTC).isoformat()
    body = {
        "timestamp": timestamp,
        "current_metrics": {"concurrent_requests": 1},
        "counters": {"requests_total": 10 * minute, "errors_total": 0, "response_seconds_total": 5 * minute},
        "signals": {"complaints": minute},
        "resources": {"memory_used_bytes": 100},
    }
    return body | more


def read(tmp_path, *lines, span=None):
    path = tmp_path / "recording.jsonl"
    path.write_text(
        "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines), encoding="utf-8"
    )
    return read_lines(path, BUILT_IN, span or Span())


def test_reports_are_read_as_live_each_counted_from_the_one_before(tmp_path):
    recording = read(tmp_path, *(a_report(minute) for minute in range(3)))
    readings = [one for one in recording.observations if isinstance(one, Reading)]
    assert [one.at for one in readings] == [T0, T0 + MINUTE, T0 + 2 * MINUTE]
    assert [one.increases.get("requests") for one in readings] == [None, 10.0, 10.0]
    assert [one for one in recording.observations if isinstance(one, Signal)] == [
        Signal(T0 + MINUTE, "complaints", 1.0),
        Signal(T0 + 2 * MINUTE, "complaints", 1.0),
    ]


def test_a_report_that_stands_still_or_holds_nonsense_is_a_miss_as_live(tmp_path):
    recording = read(tmp_path, a_report(0), a_report(0), a_report(1, resources={"memory_used_bytes": -1}))
    assert [getattr(one, "reason", None) for one in recording.observations] == [None, Miss.FROZEN, Miss.MISCONFIGURED]


def test_a_report_after_an_observation_is_counted_from_it(tmp_path):
    first = read(tmp_path, a_report(0)).observations[0]
    write_lines(tmp_path / "out.jsonl", [first])
    recording = read(tmp_path, (tmp_path / "out.jsonl").read_text().strip(), a_report(1))
    assert recording.observations[1].increases["requests"] == 10.0


def test_every_kind_of_observation_comes_back_as_it_was_written(tmp_path):
    assert write_lines(tmp_path / "out.jsonl", SEEN) == len(SEEN)
    assert read_lines(tmp_path / "out.jsonl", BUILT_IN, Span()).observations == SEEN


@pytest.mark.parametrize(
    ("line", "what"),
    (
        ("{", "Expecting property name"),
        ("[1]", "a JSON list is no observation and no report"),
        ('{"a": 1}', "neither an observation (it has no 'kind') nor a report (it has no 'timestamp')"),
        ('{"kind": "guess"}', "unknown kind 'guess': one of reading, missed"),
        ('{"kind": "reading", "at": "now"}', "it is no reading"),
        ('{"timestamp": "noon"}', "'noon' is no ISO 8601 time"),
        ('{"timestamp": "2026-06-01T08:00:00"}', "has no time zone"),
        ('{"kind": "signal", "at": NaN}', "NaN is no number"),
        ("[" * 100_000, "nested too deeply"),
    ),
)
def test_a_bad_line_is_named_and_the_others_are_read(tmp_path, line, what):
    recording = read(tmp_path, a_report(0), line, a_report(1))
    assert recording.polls == 2
    (bad,) = recording.first_bad
    assert (bad.line, recording.bad_rows) == (2, 1)
    assert what in bad.what


def test_polls_out_of_order_are_put_in_order_and_that_is_told(tmp_path):
    recording = read(tmp_path, a_report(2), a_report(1), a_report(0))
    assert [one.at for one in recording.observations if isinstance(one, Reading)] == [T0, T0 + MINUTE, T0 + 2 * MINUTE]
    assert recording.notes == ("time goes back 2 times in it: the lines were put in order",)


def test_a_signal_that_was_heard_of_late_keeps_its_place(tmp_path):
    late = (SEEN[1], Missed(T0 + MINUTE, Miss.REFUSED), Signal(T0 + 1, "oom_kills"))
    write_lines(tmp_path / "out.jsonl", late)
    assert read_lines(tmp_path / "out.jsonl", BUILT_IN, Span()).observations == late


def test_only_the_asked_span_is_read(tmp_path):
    recording = read(tmp_path, *(a_report(minute) for minute in range(9)), span=Span(T0 + 2 * MINUTE, T0 + 4 * MINUTE))
    assert (recording.begun, recording.ended, recording.polls) == (T0 + 2 * MINUTE, T0 + 3 * MINUTE, 2)


def test_a_file_without_a_poll_says_what_is_wrong_with_it(tmp_path):
    with pytest.raises(UsageError, match=r"there is no poll in it\.\n  line 1: Expecting value"):
        read(tmp_path, "x")
    with pytest.raises(UsageError, match="can't be read: No such file"):
        read_lines(tmp_path / "none.jsonl", BUILT_IN, Span())
