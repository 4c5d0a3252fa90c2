"""What callers get is their own, or nobody can change it."""

import dataclasses
import enum
import random
import threading
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_core.deduplication import Deduplicator
from app_core.deduplication.results import keeper
from tests.support.computation import Counted


class Point(NamedTuple):
    x: int
    y: int


class Colour(enum.Enum):
    RED = 1


@dataclasses.dataclass
class Analysis:
    steps: list


class DoesNotLoad:
    def __reduce__(self):
        return int, ("no number",)


class Text(str):
    """Takes attributes, so it can be changed."""

    __slots__ = ("note",)


IMMUTABLE = (
    "text",
    b"bytes",
    17,
    1.5,
    1j,
    True,
    None,
    date(2026, 1, 2),
    datetime(2026, 1, 2, tzinfo=UTC),
    Decimal("1.5"),
    UUID(int=1),
    Colour.RED,
    frozenset({1}),
    ("a", (1, (None, frozenset({b"b"})))),
)
MUTABLE = ([1], {"a": 1}, {1}, bytearray(b"a"), Analysis([1]), ("a", [1]), Point(1, 2), Text("text"))
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
)


async def twice(dedup, value):
    computed = Counted(value)
    assert await dedup.run("key", computed) is value
    later = await dedup.run("key", computed)
    assert computed.executions == 1
    return later


@pytest.mark.parametrize("value", IMMUTABLE, ids=repr)
async def test_what_nobody_can_change_is_handed_out_as_it_is(value):
    assert await twice(Deduplicator(), value) is value


@pytest.mark.parametrize("value", MUTABLE, ids=lambda value: type(value).__name__)
async def test_what_could_be_changed_is_handed_out_as_an_object_of_one_s_own(value):
    later = await twice(Deduplicator(), value)
    assert later == value
    assert type(later) is type(value)
    assert later is not value


async def test_what_the_leader_changes_afterwards_is_not_kept():
    dedup, mine = Deduplicator(), {"steps": [1]}
    await dedup.run("key", Counted(mine))
    mine["steps"].append(2)
    assert await dedup.run("key", Counted()) == {"steps": [1]}


async def test_with_copy_off_everybody_gets_the_same_object():
    value = {"lock": threading.Lock()}
    assert await twice(Deduplicator(copy=False), value) is value
    assert await twice(Deduplicator(copy=False, compress=True), value) is value


@pytest.mark.parametrize("value", ({"password": threading.Lock()}, DoesNotLoad()))
@pytest.mark.parametrize("compress", (False, True))
async def test_what_cannot_be_copied_is_an_error_that_names_its_type_and_two_ways_out(value, compress):
    dedup = Deduplicator(compress=compress)
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    with pytest.raises(TypeError, match=r"return plain data.*copy=False") as caught:
        await dedup.run(("user", "secret"), Counted(value))
    assert f"of type {kind} " in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "password" not in str(caught.value)
    assert (dedup.stats().entries, dedup.stats().in_progress, dedup.stats().failures) == (0, 0, 1)


@given(plain, st.booleans(), st.booleans())
def test_what_is_kept_gives_an_equal_value(value, copy, compress):
    kept, load = keeper(copy=copy, compress=compress)(value)
    again = kept if load is None else load(kept)
    assert again == value
    assert repr(again) == repr(value)


LONG = "the same words again and again " * 100


@pytest.mark.parametrize(
    "value", (LONG, LONG.encode(), {"text": LONG}, [LONG, "\ud800 lone surrogate"], LONG + "\ud800")
)
async def test_long_results_are_compressed(value):
    kept, _ = keeper(copy=True, compress=True)(value)
    assert len(kept) < 200
    assert await twice(Deduplicator(compress=True), value) == value


@pytest.mark.parametrize("value", ("a" * 1023, b"a" * 1023, ["a" * 900]))
async def test_short_results_are_not_compressed(value):
    kept, load = keeper(copy=True, compress=True)(value)
    assert (kept, load) == keeper(copy=True, compress=False)(value)


async def test_results_that_compression_does_not_make_a_quarter_smaller_are_not_compressed():
    noise = random.Random(1).randbytes(4096)
    mixed = noise + bytes(900)  # smaller by less than a quarter
    for value in (noise, mixed):
        assert keeper(copy=True, compress=True)(value) == (value, None)
    value = noise + bytes(4096)
    assert keeper(copy=True, compress=True)(value) != (value, None)
