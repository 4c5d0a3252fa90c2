"""Readings take a quarter of the room that their JSON would; rows of earlier releases are read as they are."""

import pytest
from hypothesis import given, settings

from autoscaler.adapters.store.bodies import dump, dump_row, load_row
from autoscaler.adapters.store.packing import pack, unpack
from autoscaler.core.observations import Miss, Missed, Reading
from autoscaler.core.readings import read
from autoscaler.errors import StoreError
from tests.support.health_server import report
from tests.support.stored import SERVICE, a_pass, a_reading
from tests.support.strategies import values_of

ROW_OF_THEN = "1:g2ZVA1AUIOVWlNRlZIqUurAmSWPMRIKUXo1Q4gAUhfHFpblKVpZ65qaocWqAEqeYHk9MStY1RPe9EQXex1ZA19YCAA=="
"""A reading as the first release that packed wrote it: the dictionary that it was packed with must never change."""


@settings(deadline=None, max_examples=40)
@given(reading=values_of(Reading))
def test_a_packed_row_is_the_same_value(reading):
    assert load_row(Reading, dump_row(reading)) == reading


def test_an_ordinary_reading_takes_a_third_of_its_room_at_most():
    first = read(
        _report(0, requests_total=400, errors_total=3, response_seconds_total=700.25), 1_767_600_000_123, None, 30_000
    )
    second = read(
        _report(30, requests_total=417, errors_total=3, response_seconds_total=731.2719482131),
        1_767_600_030_457,
        first,
        30_000,
    )
    for reading in (first, second):
        assert len(dump_row(reading)) < len(dump(reading)) / 3


def _report(second, **counters):
    body = report(timestamp=f"2026-01-05T08:00:{second:02}.123456+00:00", counters=counters)
    body["instance"]["settings"] = {"MAX_CONCURRENT": "12", "DB_POOL_SIZE": "4", "MEMORY_WARNING_MB": "400"}
    return body


def test_a_row_of_the_first_release_that_packed_can_be_read_for_ever():
    assert load_row(Reading, ROW_OF_THEN) == a_reading()


async def test_rows_that_were_written_before_stand_beside_those_that_are_packed(store):
    await store.record(a_pass(a_reading(1), a_reading(3)))
    _write(store, dump(a_reading(2)))
    assert [one.at for one in await store.observations(SERVICE, 0)] == [1, 3, 2]
    assert await store.prune(10) == 3
    (hour,) = await store.hours(SERVICE, 0)
    assert (hour.at, hour.increases["requests"]) == (3, 36.0)


def _write(store, body):
    with store.database.engine.connect().execution_options(writes=True) as connection, connection.begin():
        connection.exec_driver_sql(
            f"INSERT INTO observations (service_id, at, kind, body) VALUES ('{SERVICE}', 2, 'reading', '{body}')"  # noqa: S608 - a test's own words
        )


async def test_text_that_no_database_takes_is_kept_as_far_as_it_can_be(store):
    await store.record(a_pass(a_reading(settings={"HALF": "\ud83d", "NUL": "\0"})))
    (reading,) = await store.observations(SERVICE, 0)
    assert reading.settings == {"HALF": "\ufffd", "NUL": "\0"}


def test_only_readings_are_packed():
    assert dump_row(Missed(1, Miss.RESET)) == dump(Missed(1, Miss.RESET))
    assert unpack("{}") == "{}"


@pytest.mark.parametrize(
    "damage", (lambda row: row[:-8], lambda row: row[:30] + "%" + row[31:], lambda _: "1:", lambda _: "2:abc")
)
def test_a_row_that_is_damaged_is_an_error_that_says_what_to_do(damage):
    with pytest.raises(StoreError, match=r"stored Reading can't be read .* Run the release that wrote it"):
        load_row(Reading, damage(pack(dump(a_reading()))))
