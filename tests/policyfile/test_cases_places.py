"""A file of policy tests: every problem at once, each with its place and what to write instead."""

from pathlib import Path

import pytest

from autoscaler.policyfile import PolicyError
from autoscaler.policyfile.cases_load import CaseFile, case_files, load_cases, read_cases
from tests.support.policy_texts import SOUND

TESTS = """\
series: {memory_usage: 150MB}
tests:
  - name: much memory
    series: {memory_usage: 150MB x1h 450MB}
    expect:
      - {at: 1h30m, verdict: up to large, because: memory_usage > 400MB for 30m}
    changes: [up to large at 1h30m]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "p.yaml").write_text(SOUND, encoding="utf-8")
    return tmp_path


def read(folder: Path, text: str) -> CaseFile:
    return read_cases(text, folder / "p.test.yaml")


def told(folder: Path, old: str, new: str) -> list[str]:
    """What is said of the tests with one text in them replaced, without the folder."""
    assert TESTS.count(old) == 1, old
    with pytest.raises(PolicyError) as raised:
        read(folder, TESTS.replace(old, new))
    return [str(problem).removeprefix(f"{folder}/") for problem in raised.value.problems]


def test_a_sound_file_is_read_with_its_policy(folder):
    file = read(folder, TESTS)
    (script,) = file.scripts
    assert file.policy.path == str(folder / "p.yaml")
    assert (script.tier, script.every, script.lasts, script.approved) == ("small", 30_000, 5_400_000, False)
    assert (script.mark.line, script.expects[0].line) == (3, 6)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    (
        ("tests:", "test:", [
            "p.test.yaml:1:1: error: 'tests' is missing: write 'tests: …'",
            "p.test.yaml:2:1: error: unknown key 'test': did you mean 'tests'?",
        ]),
        ("at: 1h30m,", "att: 1h30m,", [
            "p.test.yaml:6:10: error: unknown key 'att': did you mean 'at'?",
        ]),
        ("{memory_usage: 150MB x1h 450MB}", "{memory_use: 150MB x1h 450MB}", [
            "p.test.yaml:4:14: error: unknown series 'memory_use': did you mean 'memory_usage'?",
        ]),
        ("{memory_usage: 150MB x1h 450MB}", "{memory_usage: 150MB x1h 450}", [
            "p.test.yaml:4:28: error: '450' needs a unit: write 450MB",
        ]),
        ("{memory_usage: 150MB x1h 450MB}", "{oom_kills: 3}", [
            "p.test.yaml:4:14: error: oom_kills is counted: write its times under 'signals:', such as 'oom_kills: [10m, 2h]'",
        ]),
        ("{memory_usage: 150MB x1h 450MB}", "{unreachable: 1}", [
            ("p.test.yaml:4:14: error: unreachable is seen by the polls themselves: "
             "write how the polls go, such as 'polls: refused x10'"),
        ]),
        ("{memory_usage: 150MB x1h 450MB}", "{memory_usage: 1MB, memory_usage_mb: 1MB}", [
            "p.test.yaml:4:33: error: 'memory_usage' stands here twice, by two names",
        ]),
        ("{memory_usage: 150MB x1h 450MB}", "{requests: 5, request_rate: 1/s}", [
            "p.test.yaml:4:24: error: 'requests' and 'request_rate' say the same: keep one",
        ]),
        ("up to large,", "up to larg,", [
            "p.test.yaml:6:30: error: the policy has no tier 'larg': did you mean 'large'?",
        ]),
        ("up to large,", "upp,", [
            "p.test.yaml:6:30: error: 'upp' is no verdict: write hold, up, down or emergency, or a rung as well: 'up to scaled'",
        ]),
        ("verdict: up to large,", "why: cooldwn,", [
            "p.test.yaml:6:26: error: 'why' can't be 'cooldwn': did you mean 'cooldown'?",
        ]),
        ("memory_usage > 400MB for 30m", "memory_usage > 40MB for 30m", [
            ("p.test.yaml:6:52: error: the policy has no condition 'memory_usage > 40MB for 30m': "
             "did you mean 'memory_usage > 400MB for 30m'?"),
        ]),
        ("at: 1h30m,", "at: 1h30m, by: 2h,", [
            ("p.test.yaml:6:9: error: say once when: 'at: 1h', 'by: 2h', 'between: 1h and 2h' or "
             "'during: mon-fri 09:00-17:00 UTC'"),
        ]),
        ("[up to large at 1h30m]", "[up to large at 1h30]", [
            "p.test.yaml:7:15: error: '1h30' is no duration: write a number and s, m, h, d or w, such as 30s, 15m or 1h30m",
        ]),
        ("[up to large at 1h30m]", "[up at 1h30m]", [
            "p.test.yaml:7:15: error: 'up at 1h30m' names no rung: write such as 'up to large by 2h'",
        ]),
        ("    changes:", "    alerts: [growth]\n    changes:", [
            "p.test.yaml:7:14: error: the policy has no alert 'growth': it has none",
        ]),
        ("    changes:", "    signals: {oom_kill: 3m}\n    changes:", [
            "p.test.yaml:7:15: error: unknown signal 'oom_kill': did you mean 'oom_kills'?",
        ]),
        ("    changes:", "    by_hand: larg at 3m\n    changes:", [
            "p.test.yaml:7:14: error: 'larg' is neither a tier nor a plan: did you mean 'large'?",
        ]),
        ("    changes:", "    by_hand: large by 3m\n    changes:", [
            "p.test.yaml:7:14: error: 'large by 3m' does not say when: write such as 'large at 2h'",
        ]),
        ("    changes:", "    lasts: 1h\n    changes:", [
            "p.test.yaml:7:12: error: a time of this test lies 1800s after its end",
        ]),
        ("    changes:", "    approved: perhaps\n    changes:", [
            "p.test.yaml:7:15: error: 'perhaps' is neither yes nor no",
        ]),
        ("  - name: much memory\n", "  - name: much memory\n    every: 1s\n    lasts: 300d\n", [
            "p.test.yaml:3:11: error: this test has 25920000 polls: write a longer 'every:', such as 'every: 5m'",
        ]),
    ),
)  # fmt: skip
def test_a_problem_has_its_place_and_what_to_write(folder, old, new, expected):
    assert told(folder, old, new) == expected


def test_all_problems_are_told_at_once(folder):
    text = TESTS + "  - name: much memory\n    tier: medium\n    series: {cpu_percent: 3 x}\n    changes: []\n"
    with pytest.raises(PolicyError) as raised:
        read(folder, text)
    assert [(problem.line, problem.code) for problem in raised.value.problems] == [
        (8, "duplicate_name"),
        (8, "no_length"),
        (9, "unknown_tier"),
        (10, "wrong_series"),
    ]


def test_a_test_that_expects_nothing_is_a_mistake(folder):
    with pytest.raises(PolicyError, match="this test expects nothing: write 'expect:', 'changes:' or 'alerts:'"):
        read(folder, "tests: [{name: idle, lasts: 1h}]")


def test_problems_of_the_policy_are_those_of_its_own_file(folder):
    (folder / "p.yaml").write_text(SOUND.replace("starter", "startr"), encoding="utf-8")
    with pytest.raises(PolicyError, match=r"p\.yaml:9:11: error: unknown plan 'startr'"):
        read(folder, TESTS)


def test_another_policy_may_be_named(folder):
    (folder / "p.yaml").rename(folder / "other.yaml")
    assert read(folder, "policy: other.yaml\n" + TESTS).policy.path == str(folder / "other.yaml")


def test_files_are_found_by_their_policy_their_folder_or_themselves(folder):
    for name in ("p.test.yaml", "p.nights.test.yaml", "q.test.yaml"):
        (folder / name).write_text(TESTS, encoding="utf-8")
    names = [[file.name for file in case_files(folder / name)] for name in (".", "p.yaml", "q.test.yaml")]
    assert names == [
        ["p.nights.test.yaml", "p.test.yaml", "q.test.yaml"],
        ["p.nights.test.yaml", "p.test.yaml"],
        ["q.test.yaml"],
    ]


def test_no_tests_at_all_say_where_to_write_them(folder):
    with pytest.raises(PolicyError, match=r"p\.yaml:1:1: error: there are no tests: write p\.test\.yaml beside it"):
        case_files(folder / "p.yaml")


def test_a_file_that_is_not_there_is_named(folder):
    with pytest.raises(PolicyError, match=r"nope\.yaml:1:1: error: there is no such file or folder"):
        case_files(folder / "nope.yaml")
    with pytest.raises(PolicyError, match=r"nope\.test\.yaml:1:1: error: this file can't be read"):
        load_cases(folder / "nope.test.yaml")
