"""A CSV with a column map becomes readings; what can't be read is named, and what is twice or out of order is told."""

from datetime import UTC, datetime

import pytest

from autoscaler.adapters.recordings import read_table
from autoscaler.adapters.recordings.columns import parse_columns
from autoscaler.core.durations import MINUTE
from autoscaler.core.metrics import BUILT_IN
from autoscaler.core.observations import Reading, Signal
from autoscaler.core.recording import Span
from autoscaler.errors import UsageError

T0 = round(datetime(2026, 6, 1, 8, tzinfo=UTC).timestamp() * 1000)
MAP = "time=ts, avg_response_time=latency_ms:ms, memory_usage=rss_mb:MB, requests=req, errors=err"


def read(tmp_path, text, columns=MAP, span=None):
    path = tmp_path / "load.csv"
    path.write_text(text, encoding="utf-8")
    return read_table(path, parse_columns(columns, BUILT_IN), span or Span())


def a_table(*rows, header="ts,latency_ms,rss_mb,req,err"):
    return "\n".join((header, *rows)) + "\n"


def test_each_row_is_a_reading_in_base_units_with_its_means_pooled_over_its_requests(tmp_path):
    recording = read(tmp_path, a_table("2026-06-01T08:00:00Z,250,300,40,2", "2026-06-01T08:01:00Z,500,310,10,0"))
    first, second = recording.observations
    assert (first.at, second.at) == (T0, T0 + MINUTE)
    assert first.gauges["memory_usage"] == 300 * 1024**2
    assert first.increases == {"seconds": 60.0, "requests": 40.0, "errors": 2.0, "response_seconds": 10.0}
    assert second.increases["response_seconds"] == 5.0
    assert (recording.polls, recording.begun, recording.ended, recording.every) == (2, T0, T0 + MINUTE, MINUTE)
    assert (recording.bad_rows, recording.notes) == (0, ())


@pytest.mark.parametrize(
    ("columns", "header", "row", "gauges", "increases"),
    (
        ("avg_response_time=ms:ms", "ms", "250", {"avg_response_time": 0.25}, {}),
        ("error_rate=share:%, requests=n", "share,n", "5,200", {}, {"requests": 200.0, "errors": 10.0}),
        ("request_rate=rpm:/min", "rpm", "120", {}, {"requests": 120.0}),
        (
            "avg_response_time=s:s, request_rate=rpm:/min",
            "s,rpm",
            "2,60",
            {},
            {"requests": 60.0, "response_seconds": 120.0},
        ),
        ("cpu_utilization=cpu:%", "cpu", "61.5", {"cpu_percent": 61.5}, {}),
        ("daily_active_users=dau", "dau", "120", {"daily_active_users": 120.0}, {}),
        ("response_seconds=t:ms, requests=n", "t,n", "4000,8", {}, {"requests": 8.0, "response_seconds": 4.0}),
    ),
)
def test_a_column_may_hold(tmp_path, columns, header, row, gauges, increases):
    rows = [f"{T0 // 1000 + 60 * step},{row}" for step in range(2)]
    recording = read(tmp_path, a_table(*rows, header=f"time,{header}"), f"time=time, {columns}")
    reading = next(iter(recording.observations))
    assert reading.gauges == gauges | {"stalled": 0.0, "unreachable": 0.0}
    assert reading.increases == increases | {"seconds": 60.0}


def test_totals_are_counted_from_row_to_row_and_a_counter_that_fell_began_anew(tmp_path):
    rows = [f"{T0 + step * MINUTE},{total}" for step, total in enumerate((100, 130, 20))]
    recording = read(tmp_path, a_table(*rows, header="t,n"), "time=t, requests=n:total")
    assert [one.increases.get("requests") for one in recording.observations] == [None, 30.0, 20.0]


def test_what_is_counted_is_a_signal_after_the_reading_of_its_row(tmp_path):
    recording = read(
        tmp_path, a_table(f"{T0},1,0", f"{T0 + MINUTE},2,3", header="t,n,c"), "time=t, requests=n, complaints=c"
    )
    assert [type(one) for one in recording.observations] == [Reading, Reading, Signal]
    assert list(recording.observations)[-1] == Signal(T0 + MINUTE, "complaints", 3.0)


@pytest.mark.parametrize(
    ("row", "what"),
    (
        ("yesterday,1,2,3,4", "'yesterday' is no time"),
        ("2026-06-01T08:01:00Z,fast,2,3,4", "latency_ms is 'fast', which is no number"),
        ("2026-06-01T08:01:00Z,inf,2,3,4", "latency_ms is inf, which is no count or measure"),
        ("2026-06-01T08:01:00Z,1,-2,3,4", "rss_mb is -2, which is no count or measure"),
        ("2026-06-01T08:01:00Z,1,2", "3 columns, of which 5 are needed"),
        ("1e300,1,2,3,4", "'1e300' is no time of this age"),
        ("nan,1,2,3,4", "'nan' is no time of this age"),
    ),
)
def test_a_bad_row_is_counted_and_named_with_its_line_and_the_others_are_read(tmp_path, row, what):
    recording = read(tmp_path, a_table("2026-06-01T08:00:00Z,1,2,3,4", row, "2026-06-01T08:02:00Z,1,2,3,4"))
    assert recording.polls == 2
    assert recording.bad_rows == 1
    (bad,) = recording.first_bad
    assert bad.line == 3
    assert what in bad.what


def test_of_many_bad_rows_the_first_ten_are_named_and_all_are_counted(tmp_path):
    recording = read(tmp_path, a_table(f"{T0},1,2,3,4", *(["x"] * 25)))
    assert recording.bad_rows == 25
    assert [row.line for row in recording.first_bad] == list(range(3, 13))


@pytest.mark.parametrize("cell", ("", "NaN", "null", "-", "N/A"))
def test_an_empty_cell_is_a_value_that_nobody_told_and_an_empty_row_a_gap(tmp_path, cell):
    rows = [f"{T0},1,2,3,4", f"{T0 + MINUTE},{cell},2,3,4", f"{T0 + 2 * MINUTE}" + f",{cell}" * 4]
    recording = read(tmp_path, a_table(*rows))
    _, second = recording.observations
    assert "response_seconds" not in second.increases
    assert recording.notes == ("1 rows without any value are gaps",)


def test_rows_out_of_order_are_put_in_order_and_doubles_left_out_and_both_are_told(tmp_path):
    times = [T0 + 2 * MINUTE, T0 + MINUTE, T0, T0 + MINUTE]
    recording = read(tmp_path, a_table(*(f"{at},1,{place},3,4" for place, at in enumerate(times))))
    assert [one.at for one in recording.observations] == [T0, T0 + MINUTE, T0 + 2 * MINUTE]
    assert [one.gauges["memory_usage"] / 1024**2 for one in recording.observations] == [2, 1, 0]
    assert recording.notes == (
        "time goes back 2 times in it: the rows were put in order",
        "1 rows of a time that was there already were left out",
    )


def test_a_recording_can_be_walked_through_twice(tmp_path):
    recording = read(tmp_path, a_table(f"{T0},1,2,3,4", f"{T0 + MINUTE},1,2,3,4"))
    assert list(recording.observations) == list(recording.observations)


def test_only_the_asked_span_is_read(tmp_path):
    rows = [f"{T0 + step * MINUTE},1,2,3,4" for step in range(10)]
    recording = read(tmp_path, a_table(*rows), span=Span(T0 + 2 * MINUTE, T0 + 5 * MINUTE))
    assert [one.at for one in recording.observations] == [T0 + step * MINUTE for step in (2, 3, 4)]


@pytest.mark.parametrize("delimiter", (";", "\t", "|"))
def test_other_delimiters_and_a_byte_order_mark_are_found_out(tmp_path, delimiter):
    text = "\ufeff" + a_table(f"{T0},1,2,3,4").replace(",", delimiter)
    assert read(tmp_path, text).polls == 1


def test_a_time_without_a_zone_is_utc(tmp_path):
    assert read(tmp_path, a_table("2026-06-01 08:00:00,1,2,3,4")).begun == T0


@pytest.mark.parametrize(
    ("columns", "message"),
    (
        ("avg_response_time=latency_ms:ms", "says nothing about time"),
        ("time=ts", "names no metric"),
        ("time=ts, latency", "'latency' is no column: write it as NAME=HEADER"),
        ("time=ts, avg_respons_time=latency_ms:ms", "did you mean 'avg_response_time'?"),
        ("time=ts, avg_response_time=latency_ms", "in which unit is 'latency_ms'?"),
        ("time=ts, avg_response_time=latency_ms:MB", "'MB' does not fit avg_response_time"),
        ("time=ts, memory_usage=rss:MB", "did you mean 'rss_mb'?"),
        ("time=when, memory_usage=rss_mb:MB", "has no column 'when'"),
    ),
)
def test_a_map_that_can_not_be_is_refused_with_what_to_write(tmp_path, columns, message):
    with pytest.raises(UsageError) as refusal:
        read(tmp_path, a_table(f"{T0},1,2,3,4"), columns)
    assert message in str(refusal.value)


def test_a_table_without_a_row_that_can_be_read_says_why(tmp_path):
    with pytest.raises(UsageError, match="line 2: 'x' is no time"):
        read(tmp_path, a_table("x,1,2,3,4"))
    with pytest.raises(UsageError, match="in that time"):
        read(tmp_path, a_table(f"{T0},1,2,3,4"), span=Span(T0 + 1))
    with pytest.raises(UsageError, match="can't be read: No such file"):
        read_table(tmp_path / "none.csv", parse_columns(MAP, BUILT_IN), Span())
