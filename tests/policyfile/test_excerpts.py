"""The line of a problem with a mark below it; never one that may hold a secret."""

import pytest

from autoscaler.policyfile.excerpt import excerpt, lines_of


def test_the_mark_stands_below_the_column():
    assert excerpt(["version: 1", "  mode: akt"], 2, 9) == ("  mode: akt", "        ^")


def test_tabs_wide_letters_and_what_can_not_be_printed_keep_the_mark_in_its_place():
    assert excerpt(["\ta\x1bb: c"], 1, 6) == (" a?b: c", "     ^")
    assert excerpt(["名前: c"], 1, 5) == ("名前: c", "      ^")
    assert excerpt(["e\u0301: c"], 1, 5) == ("e\u0301: c", "   ^")
    assert excerpt(["a\u202e: c"], 1, 5) == ("a?: c", "    ^")


def test_of_a_long_line_the_part_around_the_place_is_shown():
    shown = excerpt(["x" * 5000 + "HERE" + "y" * 5000], 1, 5001)
    assert shown is not None
    line, mark = shown
    assert len(line) == 100
    assert line[len(mark) - 1 :].startswith("HERE")


@pytest.mark.parametrize(("line", "column"), ((0, 1), (3, 1), (2, 1)))
def test_where_there_is_nothing_nothing_is_shown(line: int, column: int):
    assert excerpt(["a", "  "], line, column) is None


@pytest.mark.parametrize(
    "text",
    (
        "    token: hunter2",
        "    token:\n      hunter2",
        "    token:\n\n      - x\n      - hunter2",
        "health: {url: x, token: hunter2}",
        "    url: https://me:hunter2@example.com/h",
        "    url: https://example.com/h?key=hunter2",
        "    env:\n      DB_PASSWORD: hunter2",
        "    env:\n      DATABASE_URL: postgres://hunter2",
    ),
)
def test_a_line_that_may_hold_a_secret_is_not_shown(text: str):
    lines = lines_of(text)
    assert excerpt(lines, len(lines), 5) is None


def test_the_line_after_a_secret_is_shown():
    assert excerpt(["  token: {env: T}", "  every: 30"], 2, 10) == ("  every: 30", "         ^")


def test_lines_end_where_yaml_says():
    assert lines_of("a\r\nb\rc\nd\x85e\u2028f") == ["a", "b", "c", "d", "e", "f"]
