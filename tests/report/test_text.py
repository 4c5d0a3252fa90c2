"""Text from outside is made safe to show."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.report.text import clean, cut, one_line


def test_escape_sequences_go_as_a_whole():
    assert clean("\x1b[31;1mred\x1b[0m") == "red"
    assert clean("\x1b]0;a new title\x07text\x1b]8;;https://evil.example\x1b\\link") == "textlink"
    assert clean("\x9b2Jgone \x1bcreset") == "gone reset"


def test_what_is_no_character_goes_since_no_xml_may_hold_it():
    assert one_line("a\ufffeb\uffffc") == "abc"


def test_a_direction_override_goes_and_scripts_from_right_to_left_stay():
    assert one_line("exe\u202etxt \u2067x\u2069") == "exetxt x"
    assert one_line("שלום مرحبا") == "שלום مرحبا"


def test_a_family_of_joined_emojis_stays_whole():
    assert one_line("👩‍👩‍👧‍👦 ok") == "👩‍👩‍👧‍👦 ok"


def test_one_line_is_one_line():
    assert one_line(" a\r\nb\u2028c\td\x0be\x85 ") == "a b c de"


@given(st.text(st.characters(exclude_categories=())))
def test_no_control_character_is_left(text):
    left = clean(text)
    assert not [one for one in left if unicodedata.category(one) in {"Cc", "Cs"} and one != "\n"]
    assert "\n" not in one_line(text)
    left.encode()


@given(st.text(max_size=80), st.integers(1, 60))
def test_a_cut_text_is_never_longer_than_its_limit_and_begins_as_the_text_does(text, limit):
    shown = cut(text, limit)
    assert len(shown) <= limit
    assert shown == text or (len(text) > limit and shown.endswith("…") and text.startswith(shown[:-1]))


def test_a_text_is_cut_at_a_word():
    assert cut("the quick brown fox jumps over", 21) == "the quick brown fox…"
    assert cut("the quick brown fox, jumps", 22) == "the quick brown fox…"
    assert cut("x" * 30, 10) == "xxxxxxxxx…"
    assert cut("fits just so", 12) == "fits just so"
