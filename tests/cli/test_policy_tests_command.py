"""`autoscaler test` plays the tests beside the policies: what it prints, and how it ends."""

from pathlib import Path

import pytest

from tests.support.cli import ROOT, autoscaler
from tests.support.policy_texts import SOUND

TESTS = """\
tests:
  - name: much memory
    series: {memory_usage: 150MB x10m 450MB}
    changes: [up to large at 40m]
"""


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "p.yaml").write_text(SOUND, encoding="utf-8")
    (folder / "p.test.yaml").write_text(TESTS, encoding="utf-8")
    return folder


async def test_tests_that_pass_exit_0(policies):
    ended = await autoscaler("test", cwd=policies.parent)
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[:2] == ["policies/p.test.yaml", "  ok      much memory"]
    assert "1 passed, 81 polls in " in ended.out


async def test_a_test_that_fails_is_shown_with_its_line_and_exits_1(policies):
    (policies / "p.test.yaml").write_text(TESTS.replace("at 40m", "at 30m"), encoding="utf-8")
    ended = await autoscaler("test", "policies/p.yaml", cwd=policies.parent)
    assert ended.code == 1
    assert ended.out.splitlines()[1:7] == [
        "  FAILED  much memory",
        "          policies/p.test.yaml:4:5: changes of the whole test",
        "            expected  up to large at 30m",
        "            came      none",
        "                      at 30m (Mon 00:30) hold, why steady",
        "                      memory_usage 450 MB > 400MB for 30m, held 20m of 30m; could hold from 40m (Mon 00:40)",
    ]
    assert "0 passed, 1 failed, 61 polls in " in ended.out


async def test_a_bad_file_exits_2_with_all_its_problems(policies):
    (policies / "p.test.yaml").write_text(TESTS.replace("much", "x\n    tiers: y\n    lasts: 5"), encoding="utf-8")
    ended = await autoscaler("test", cwd=policies.parent)
    assert ended.code == 2
    assert [line.partition(" error: ")[0] for line in ended.err.splitlines()] == [
        "policies/p.test.yaml:3:5:",
        "policies/p.test.yaml:4:12:",
    ]


async def test_a_folder_without_tests_exits_2_and_says_what_to_write(tmp_path):
    ended = await autoscaler("test", tmp_path)
    assert ended.code == 2
    assert "there are no tests: write x.test.yaml beside the policy x.yaml" in ended.err


async def test_too_little_coverage_exits_1_and_says_what_is_missing(policies):
    ended = await autoscaler("test", "--min-coverage", "60", cwd=policies.parent)
    assert ended.code == 1
    assert "  down: memory_usage < 200MB for 48h: never holds and never nearly holds" in ended.out
    assert ended.err == "policies/p.yaml: 14% is less than the 60% that are asked for\n"


async def test_enough_coverage_exits_0_and_is_shown_when_asked_for(policies):
    ended = await autoscaler("test", "--min-coverage", "10", "--coverage", cwd=policies.parent)
    assert ended.code == 0
    assert "policies/p.yaml: 14% of its rules and guards are tested" in ended.out


async def test_the_same_for_machines(policies):
    (policies / "p.test.yaml").write_text(TESTS.replace("at 40m", "at 50m"), encoding="utf-8")
    ended = await autoscaler("test", "--json", cwd=policies.parent)
    assert ended.code == 1
    (test,) = ended.json["tests"]
    assert (ended.json["passed"], test["passed"], test["name"], test["polls"]) == (False, False, "much memory", 101)
    (difference,) = test["differences"]
    assert (difference["line"], difference["expected"]) == (4, "up to large at 50m")
    assert difference["came"] == "up to large at 40m (Mon 00:40)"
    (coverage,) = ended.json["coverage"]
    assert (coverage["policy"], coverage["share"]) == ("policies/p.yaml", 0.1429)


async def test_the_help_shows_a_whole_file():
    ended = await autoscaler("test", "--help", COLUMNS="130")
    assert ended.code == 0
    assert "      changes: [up to scaled by 2h5m]" in ended.out
    assert "\b" not in ended.out


async def test_every_rule_and_guard_of_the_shipped_policy_is_tested():
    ended = await autoscaler("test", ROOT / "policies" / "holisticos.yaml", "--min-coverage", "100")
    assert ended.code == 0, ended.out + ended.err
