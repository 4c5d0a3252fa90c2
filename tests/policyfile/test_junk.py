"""Whatever the text is, the loader answers with a policy or with problems, and soon."""

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.core.policy import Policy
from autoscaler.policyfile import PolicyError, load_text
from tests.support.policy_texts import SOUND

pieces = st.sampled_from(
    [
        "version: 1\n",
        "tiers:",
        "\n",
        "  ",
        "- ",
        ": ",
        "{",
        "}",
        "[",
        "]",
        "&a ",
        "*a",
        "!!x ",
        "'",
        '"',
        "|\n",
        ">\n",
        "%YAML 1.9\n",
        "---\n",
        "\t",
        "? ",
        "<<: ",
        "#",
        "memory_usage > 4MB for 1h",
        "\x85",
        "\ufeff",
        "\\U99999999",
        "null",
        ",",
        "@",
    ]
)
junk = st.one_of(st.text(max_size=300), st.lists(pieces, max_size=60).map("".join))


def answer(text: str) -> None:
    started = time.process_time()
    try:
        loaded = load_text(text, "junk.yaml")
    except PolicyError as refused:
        check(refused, text)
    else:
        assert isinstance(loaded.policy, Policy)
    assert time.process_time() - started < 5


def check(refused: PolicyError, text: str) -> None:
    assert refused.problems
    rows = sum(text.count(end) for end in "\n\r\x85\u2028\u2029") + 2
    for problem in refused.problems:
        assert 1 <= problem.line <= rows
        assert problem.column >= 1
        assert "\n" not in str(problem)


@settings(max_examples=100, deadline=None)
@given(junk)
def test_junk_is_answered_with_problems(text: str):
    answer(text)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(SOUND)), st.integers(0, 40), junk)
def test_a_policy_with_a_piece_of_junk_in_it_is_answered(start: int, length: int, piece: str):
    answer(SOUND[:start] + piece + SOUND[start + length :])


values = st.recursive(
    st.sampled_from(
        ["1", "x", "''", "400MB", "5%", "mon-fri 09:00-17:00 UTC", "memory_usage > 400MB for 1h", "small", "null"]
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(
            st.sampled_from(["any", "all", "name", "plan", "env", "do", "at_least", "monthly", "up"]), inner, max_size=3
        ).map(lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs.items()) + "}"),
    ),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([*Policy.model_fields]), values)
def test_any_value_under_any_key_is_answered(key: str, value: str):
    kept = SOUND.split(f"\n{key}:")[0] if f"\n{key}:" in SOUND else SOUND
    answer(f"{kept}\n{key}: {value}\n")
