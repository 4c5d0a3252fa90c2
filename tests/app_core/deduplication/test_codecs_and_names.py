"""What goes to Redis comes back exactly, or does not go; keys that differ have names that differ."""

import math
from datetime import UTC, datetime
from enum import IntEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_core.deduplication.codecs import JsonCodec, PickleCodec
from app_core.deduplication.names import digest

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None))
json_values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)
any_values = st.recursive(
    scalars | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(scalars | st.tuples(scalars), inner),
    max_leaves=20,
)
key_parts = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
keys = st.recursive(key_parts, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=6)


class Colour(IntEnum):
    RED = 1


@given(json_values)
def test_json_values_come_back_exactly(value):
    codec = JsonCodec()
    assert repr(codec.decode(codec.encode(value))) == repr(value)


@given(any_values)
def test_whatever_json_takes_comes_back_exactly(value):
    codec = JsonCodec()
    try:
        data = codec.encode(value)
    except (TypeError, ValueError):
        return
    assert repr(codec.decode(data)) == repr(value)


@pytest.mark.parametrize(
    "value",
    (
        (1, 2),
        [(1,)],
        {1: "a"},
        {True: "a"},
        {None: "a"},
        {"a": (1,)},
        Colour.RED,
        {"a": Colour.RED},
        datetime(2026, 1, 1, tzinfo=UTC),
        b"bytes",
        {1},
        [10**5000],
    ),
)
def test_json_refuses_what_it_would_change(value):
    with pytest.raises((TypeError, ValueError)):
        JsonCodec().encode(value)


@pytest.mark.parametrize("value", (math.nan, math.inf, -0.0, "\ud83d\ude00", "\ud800", {"b": 1, "a": 2}))
def test_json_keeps_the_odd_ones(value):
    codec = JsonCodec()
    assert repr(codec.decode(codec.encode(value))) == repr(value)


def test_pickle_says_that_something_cannot_be_pickled_and_not_what_is_in_it():
    with pytest.raises(ValueError, match=r"^it cannot be pickled$"):
        PickleCodec().encode({"secret": (part for part in "generator")})


DIFFERENT = (
    1,
    True,
    1.0,
    "1",
    b"1",
    None,
    "None",
    (),
    "()",
    ("a", "b"),
    "a_b",
    ("a_b",),
    ("a_b", "c"),
    ("a", "b_c"),
    (("a",), "b"),
    ("a", ("b",)),
    ("a', 'b",),
    "é",
    "\\xe9",
    "e\u0301",
)


def test_keys_that_differ_in_value_or_type_have_names_that_differ():
    assert len({digest(key) for key in DIFFERENT}) == len(DIFFERENT)


@given(keys, keys)
def test_names_are_equal_exactly_when_keys_are_the_same(one, other):
    assert (digest(one) == digest(other)) == (repr(one) == repr(other))


class Name(str):
    __slots__ = ()

    def __repr__(self):
        return "'another'"


@pytest.mark.parametrize(
    "key", (frozenset(), Name("name"), ("a", Name("name")), Colour.RED, object(), ("a", (range(3),)))
)
def test_a_key_whose_text_may_be_another_s_is_refused(key):
    with pytest.raises(TypeError, match="a key shared between instances may hold str, bytes, int"):
        digest(key)
