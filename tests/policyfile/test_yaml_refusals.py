"""What is no YAML, or more YAML than a policy needs, is refused clearly, at its place, and fast."""

import time

import pytest

from tests.support.policy_texts import SOUND, edited, lines, told

BOMB = "\n".join(
    ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]", *(f"a{n}: &a{n} [{','.join(10 * [f'*a{n - 1}'])}]" for n in range(1, 12))]
)
TALL = "\n".join(["a0: &a0 [x]", *(f"a{n}: &a{n} {20 * '['}*a{n - 1}{20 * ']'}" for n in range(1, 30))])


@pytest.mark.parametrize(
    ("text", "expected"),
    (
        ("", "1:1: error: the file is empty"),
        ("# only a comment\n", "1:1: error: the file is empty"),
        ("---\n", "1:1: error: the file is empty"),
        ("just a text", "1:1: error: a policy takes 'key: value' lines, not a text"),
        ("- a\n- b\n", "1:1: error: a policy takes 'key: value' lines, not a list"),
        (SOUND + "---\nversion: 1\n", "20:1: error: a second document begins here: one file holds one policy"),
        (edited(("mode: act", "mode:\n\tx: 1")), "3:1: error: a tab: indent with spaces"),
        (edited(("mode: act", "mode: act: now")), "2:10: error: a ':' that does not belong here"),
        (edited(("mode: act", 'mode: "act')), "2:7: error: a quote is opened here and never closed"),
        (edited(("mode: act", "mode: [act")), "3:8: error: a ',' or the closing bracket is missing before this"),
        (edited(("mode: act", "mode: @act")), "2:7: error: a text that begins with @ needs quotes"),
        (edited(("mode: act", "mode: !!str act")), "2:7: error: the tag 'tag:yaml.org,2002:str' has no meaning here"),
        (
            edited(("mode: act", "mode: !!python/name:os.system x")),
            "2:7: error: the tag 'tag:yaml.org,2002:python/name:os.system",
        ),
        (edited(("mode: act", "<<: {mode: act}")), "2:1: error: merge keys ('<<') are not read: write the lines out"),
        (edited(("mode: act", "mode: *act")), "2:7: error: the alias '*act' has no anchor '&act' above it"),
        (edited(("mode: act", "mode: &act [*act]")), "2:13: error: the alias '*act' stands within its own anchor"),
        (edited(("mode: act", "? [a, b]\n: act")), "2:3: error: a key must be a plain word"),
        (
            edited(("mode: act", "mode: act\nmode: ask")),
            "3:1: error: duplicate key 'mode': it stands in line 2, column 1 already",
        ),
        (
            edited(("mode: act", "mode: act\nalerts: [~]")),
            "3:10: error: an empty list item: write a value, or remove the '-'",
        ),
        (edited(("mode: act", 'mode: "\\ud800"')), "2:7: error: a '\\u' escape that is half a character"),
        (edited(("mode: act", 'mode: "\\UFFFFFFFF"')), "error: an escape or a directive that is no YAML"),
        (edited(("mode: act", "mode: a\x00ct")), "2:8: error: a character that no text holds (U+0000)"),
        (100_000 * "[", "1:34: error: nested more than 32 levels deep"),
        ("a: " + 100 * "{b: " + 100 * "}", "nested more than 32 levels deep"),
        (BOMB, "more than 10000 values, aliases counted: no policy is that large"),
        (TALL, "nested more than 32 levels deep"),
        ("[" + 15_000 * "a," + "]", "more than 10000 values"),
    ),
)
def test_it_is_refused_at_its_place_soon(text: str, expected: str):
    started = time.process_time()
    found = lines(text)
    assert time.process_time() - started < 3
    assert any(expected in line for line in found), found


def test_a_problem_found_before_the_text_breaks_off_is_told_with_it():
    assert [problem.code for problem in told("mode: act\nmode: ask\nservice: [\n")] == ["duplicate_key", "yaml"]


def test_a_file_with_thousands_of_problems_tells_the_first_hundred_and_how_many_are_left():
    started = time.process_time()
    found = told(SOUND + "".join(f"key{n}: 1\n" for n in range(150)))
    assert time.process_time() - started < 3
    assert len(found) == 101
    assert found[-1].message == "and 50 more problems"


def test_a_mistake_behind_an_alias_is_told_once_where_it_is_written():
    text = edited(("env: {POOL: 3}", "env: &env {PO OL: 3}"), ("env: {POOL: 6}", "env: *env"))
    assert [problem.line for problem in told(text)] == [10]
