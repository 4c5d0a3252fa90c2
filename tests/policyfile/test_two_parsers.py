"""libyaml reads policies, and PyYAML's own parser what libyaml refuses: where both read a text, they read the same."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.policyfile import source
from autoscaler.policyfile.tree import Node
from tests.support.policy_texts import FULL, SOUND, edited

pytestmark = pytest.mark.skipif(not yaml.__with_libyaml__, reason="this PyYAML was built without libyaml")

PIECES = st.sampled_from(
    ["\n", "  ", "- ", ": ", "{", "}", "[", "]", "&a ", "*a", "'", '"', "|\n", ">-\n", "#", " # ", "? ", "null", ",", "ä", "\U0001f680", "\\", "--- ", "x"]
)  # fmt: skip


def outline(node: Node) -> object:
    """Values with all their places."""
    if isinstance(node.value, tuple):
        return node.mark, [outline(child) for child in node.value]
    if node.value is None:
        return None  # what is not there has no place of its own
    if isinstance(node.value, str):
        return node.mark, node.value
    return node.mark, {key: (node.keys[key], outline(child)) for key, child in node.value.items()}


def read(text: str, loader: type) -> tuple[object, tuple[str, ...]] | None:
    """What the loader makes of it, and what is told; None where it refuses the text."""
    try:
        root, flaws = source._read(text, loader)
    except (yaml.YAMLError, ValueError):
        return None
    return (outline(root), tuple(flaw.code for flaw in flaws)) if root else None


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from([SOUND, FULL]),
    st.integers(0, len(FULL)),
    st.integers(0, 6),
    st.lists(PIECES, max_size=4).map("".join),
)
def test_both_read_the_same_values_at_the_same_places(text: str, start: int, length: int, piece: str):
    changed = text[:start] + piece + text[start + length :]
    fast, slow = read(changed, yaml.CSafeLoader), read(changed, yaml.SafeLoader)
    if fast is not None and slow is not None:
        assert fast == slow


def test_a_sound_policy_is_read_by_libyaml_alone(monkeypatch: pytest.MonkeyPatch):
    class NeverLoader(yaml.SafeLoader):
        def __init__(self, stream: str) -> None:
            raise AssertionError

    monkeypatch.setattr(yaml, "SafeLoader", NeverLoader)
    assert source.read_yaml(SOUND)[0] is not None


def test_without_libyaml_the_same_is_told(monkeypatch: pytest.MonkeyPatch):
    text = edited(("mode: act", "mode: [act"))
    told = source.read_yaml(text)
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    assert source.read_yaml(text) == told
    root, _ = source.read_yaml(FULL)
    assert root is not None
