"""Each value of a full policy replaced by each wrong one, hostile files, and text in all the ways that people's machines write it."""

import os
import random
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.policyfile import LocatedProblem, PolicyError, load_file, load_folder, load_text
from tests.support.policy_texts import FULL, SOUND, edited, everywhere, lines, told

VALUES = (
    "7", "-7", "1e999", ".nan", ".inf", "0x1F", "1_000", "true", "~", "''", "' '", "word", "two words", "2024-01-01", "12:30:45",
    "[]", "[x]", "[[x]]", "[~]", "[{}]", "{}", "{a: b}", "{any: [x]}", "{all: {a: b}}", "{at_least: [x]}", "|\n  text\n", "'\\0'",
    '"\\0\\e[31m\\u202e"', "8m", "999999999999999999999w", "0s", "1e3s", "101%", "NaN%", "mon-fri", "mon 25:00-26:00 UTC",
    "mon-fri 09:00-17:00 ../../etc/passwd", "memory_usage > 1MB for 0s", "p99(p99(memory_usage over 1h) over 1h) > 1MB",
    "memory_usage > " + 300 * "9" + "MB", 5000 * "x", "srv-" + 300 * "a", "https://" + 3000 * "a", "\u0430vg_response_time > 8s for 1h",
    "memory_usage > \uff14\uff10\uff10MB for 30m", "memory_usage\u00a0>\u00a0400MB for 30m", "\u0663 per day", "\U0001f680",
)  # fmt: skip
"""Wrong nearly everywhere, each in a way of its own; some are what a confusable letter makes of a right one."""


def is_told_well(problem: LocatedProblem, text: str) -> bool:
    rows = len(re.split("\r\n|[\n\r\x85\u2028\u2029]", text))
    return (
        1 <= problem.line <= rows + 1
        and problem.column >= 1
        and str(problem).isprintable()
        and not re.search(
            r"Input should|Value error|Extra inputs|valid (string|list|dict)|is not what is expected", problem.message
        )
        and len(str(problem)) < 1000
    )


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_a_wrong_value_anywhere_is_told_with_its_place_in_words(value: str):
    for place, text in everywhere(FULL, value):
        badly = [str(problem) for problem in told(text) if not is_told_well(problem, text)]
        assert badly == [], place


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.sampled_from(VALUES), min_size=2, max_size=4))
def test_several_wrong_values_at_once_are_told_as_well(seed: int, values: list[str]):
    chance, text = random.Random(seed), FULL
    for value in values:
        try:
            text = chance.choice([changed for _, changed in everywhere(text, value)])
        except Exception:  # noqa: BLE001 - the last one broke the YAML: no more places to change
            break
    assert [str(problem) for problem in told(text) if not is_told_well(problem, text)] == []


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_lines_that_are_lost_doubled_or_shifted_are_told_as_well(data: st.DataObject):
    rows = FULL.splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        index = data.draw(st.integers(0, len(rows) - 1))
        kind = data.draw(st.sampled_from(["lose", "double", "shift", "tab", "swap"]))
        if kind == "lose":
            rows[index] = ""
        elif kind == "double":
            rows.insert(index, rows[index])
        elif kind == "swap":
            other = data.draw(st.integers(0, len(rows) - 1))
            rows[index], rows[other] = rows[other], rows[index]
        else:
            rows[index] = ("\t" if kind == "tab" else data.draw(st.sampled_from([" ", "  ", "      "]))) + rows[index]
    text = "\n".join(rows)
    assert [str(problem) for problem in told(text) if not is_told_well(problem, text)] == []


@pytest.mark.parametrize("end", ("\r\n", "\r"))
def test_other_line_ends_are_the_same_policy_and_the_same_places(end: str):
    assert load_text(SOUND.replace("\n", end), "p.yaml").policy == load_text(SOUND, "p.yaml").policy
    text = edited(("400MB for 30m", "400 for 30m"))
    assert lines(text.replace("\n", end)) == lines(text)


def test_a_byte_order_mark_shifts_no_place():
    text = edited(("version: 1", "version: 2"))
    assert lines("\ufeff" + text) == lines(text)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    (
        (
            "memory_usage > 400MB",
            "memory_us\u0430ge > 400MB",
            "unknown metric 'memory_us\u0430ge': did you mean 'memory_usage'?",
        ),
        ("mode: act", "m\u043ede: act", "unknown key 'm\u043ede': did you mean 'mode'?"),
        ("plan: starter", "plan: st\u0430rter", "unknown plan 'st\u0430rter': did you mean 'starter'?"),
        ("mode: act", "mode: \u202etca", "'mode' can't be '?tca'"),
        ("mode: act", "mode: \u2067act", "'mode' can't be '?act'"),
    ),
)
def test_letters_that_only_look_right_are_told_with_the_right_ones(old: str, new: str, expected: str):
    assert any(expected in line for line in lines(edited((old, new))))


@pytest.mark.parametrize(
    "text",
    ("a: &a [*a]", "a: &a {b: *a}", "&a [*a]", "a: &a x\nb: *a\nc: *b", "<<: [{a: 1}]", "? ? ? a", "- - - - [[[[[["),
)
def test_anchors_and_keys_that_lead_nowhere_are_told(text: str):
    assert lines(text)


def test_a_bomb_of_merge_keys_is_told_soon():
    bomb = "a: &a {x: 1}\n" + "".join(
        f"k{n}: &k{n} {{<<: *{'a' if n == 0 else f'k{n - 1}'}, <<: [*a, *a]}}\n" for n in range(500)
    )
    began = time.process_time()
    assert told(bomb)
    assert time.process_time() - began < 3


@pytest.mark.parametrize(
    "data",
    (
        b"",
        b"\x00" * 100,
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
        b"\xff\xfea\x00:\x00",
        b"a: \xc3\x28",
        b"\x1f\x8b\x08" + bytes(300),
        os.urandom(4096),
    ),
    ids=("empty", "zeros", "picture", "utf-16", "broken utf-8", "gzip", "noise"),
)
def test_a_file_that_is_no_text_is_told(tmp_path: Path, data: bytes):
    path = tmp_path / "app.yaml"
    path.write_bytes(data)
    with pytest.raises(PolicyError) as refused:
        load_file(path)
    assert all(str(problem).isprintable() for problem in refused.value.problems)


@pytest.mark.parametrize("piece", (b"# a comment that never ends ", b"key: [", b"a: &a {b: 1}\n", b"- " * 20, b'"'))
def test_ten_megabytes_are_refused_without_being_read(tmp_path: Path, piece: bytes):
    path = tmp_path / "app.yaml"
    path.write_bytes(piece * (10_000_000 // len(piece)))
    began = time.process_time()
    with pytest.raises(PolicyError, match="this file is larger than 1 MB: no policy is"):
        load_file(path)
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    "piece", ("# comment\n", "a: b\n", "- x\n", "[", "{a: ", "'' ", "&a ", "x", " ", "\n", "?\n", "a: |\n ", "\u20ac")
)
def test_just_under_a_megabyte_of_anything_is_answered_soon(piece: str):
    text = piece * (990_000 // len(piece.encode()))
    began = time.process_time()
    assert told(text)
    assert time.process_time() - began < 10


@pytest.mark.skipif(os.name == "nt", reason="Windows needs a privilege for links")
def test_links_that_lead_in_a_circle_or_nowhere_hold_up_no_other_file(tmp_path: Path):
    (tmp_path / "a.yaml").symlink_to("b.yaml")
    (tmp_path / "b.yaml").symlink_to("a.yaml")
    (tmp_path / "c.yaml").symlink_to("missing.yaml")
    (tmp_path / "d.yaml").symlink_to("/dev/zero")
    (tmp_path / "e.yaml").write_text(SOUND, encoding="utf-8")
    (tmp_path / "f.yaml").mkdir()
    loaded = load_folder(tmp_path)
    assert [Path(file.path).name for file in loaded.files] == ["e.yaml"]
    assert [(Path(problem.file).name, problem.code) for problem in loaded.problems] == [
        (f"{name}.yaml", "unreadable") for name in "abcdf"
    ]
    with pytest.raises(PolicyError):
        load_file(tmp_path / "a.yaml")


@pytest.mark.skipif(os.name == "nt", reason="Windows needs a privilege for links")
def test_a_link_to_a_policy_is_that_policy(tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "app.yaml").write_text(SOUND, encoding="utf-8")
    (tmp_path / "app.yaml").symlink_to("elsewhere/app.yaml")
    assert len(load_folder(tmp_path).files) == 1
