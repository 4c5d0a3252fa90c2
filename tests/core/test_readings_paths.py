"""Where an endpoint has a value is said by JMESPath: paths that are only names are walked, and find just the same."""

import jmespath
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.json_values import _search

NAMES = st.sampled_from(["a", "b", "c_1", '"1m"', '"a b"', '"x.y"'])
PATHS = st.tuples(st.sampled_from(["a", "b", "c_1"]), st.lists(NAMES, max_size=3)).map(
    lambda path: ".".join((path[0], *path[1]))
)
KEYS = st.sampled_from(["a", "b", "c_1", "1m", "a b", "x.y"])
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=2) | st.lists(st.integers(), max_size=2)
BODIES = st.dictionaries(
    KEYS, st.recursive(LEAVES, lambda below: st.dictionaries(KEYS, below, max_size=4), max_leaves=12)
)


@given(path=PATHS, body=BODIES)
def test_a_path_of_names_finds_what_jmespath_finds(path, body):
    assert _search(path)(body) == jmespath.search(path, body)


def test_any_other_path_is_jmespath():
    assert _search("length(a.b)")({"a": {"b": [1, 2]}}) == 2
    assert _search("a.b || c")({"a": {}, "c": 5}) == 5
