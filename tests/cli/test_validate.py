"""`validate`: all problems at once with their source lines; warnings are told apart from errors."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from autoscaler.cli.main import app
from autoscaler.policyfile.codes import CODES
from tests.support.cli import autoscaler
from tests.support.policy_texts import SOUND, edited

THIN = edited(("memory_usage < 200MB", "memory_usage < 300MB"))


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["validate", *map(str, arguments)])


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "app.yaml"
    path.write_text(SOUND, encoding="utf-8")
    return path


async def test_it_is_a_command_that_ends_with_0_for_sound_policies_and_2_for_others(policy: Path):
    ended = await autoscaler("validate", policy)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"{policy}: ok: srv-abc123, mode act: small (starter, $7/mo) → large (standard, $25/mo)\n"
    refused = await autoscaler("validate", policy, "--blueprint", policy.with_name("none.yaml"))
    assert refused.code == 2
    assert "none.yaml:1:1: error: this file can't be read: No such file or directory" in refused.out


def test_a_problem_shows_its_code_its_line_and_a_mark_below_its_place(policy: Path):
    policy.write_text(edited(("400MB for 30m", "400 for 30m"), ("mode: act", "mode: akt")), encoding="utf-8")
    assert run(policy).output.splitlines() == [
        f"{policy}:2:7: error: 'mode' can't be 'akt': did you mean 'ask'? [wrong_value]",
        "     2 | mode: akt",
        "       |       ^",
        f"{policy}:13:11: error: memory_usage needs a unit: write 400KB or 400MB or 400GB [wrong_value]",
        "    13 |         - memory_usage > 400 for 30m",
        "       |           ^",
        "2 errors. `autoscaler validate --explain wrong_value` says more about the first.",
    ]


def test_a_warning_leaves_the_policy_sound_and_fails_only_when_asked_to(policy: Path):
    policy.write_text(THIN, encoding="utf-8")
    told = run(policy)
    assert told.exit_code == 0
    assert ": warning: " in told.output
    assert "[thin_band]" in told.output
    assert ": ok: " in told.output
    assert told.output.splitlines()[-1].startswith("1 warning. ")
    assert run("--strict", policy).exit_code == 2


def test_json_has_every_problem_with_its_code_and_whether_all_is_well(policy: Path):
    policy.write_text(THIN, encoding="utf-8")
    document = json.loads(run("--json", policy).output)
    assert (document["valid"], document["policies"]) == (True, [str(policy)])
    (problem,) = document["problems"]
    assert (problem["line"], problem["column"], problem["severity"], problem["code"]) == (
        19,
        11,
        "warning",
        "thin_band",
    )
    assert json.loads(run("--json", "--strict", policy).output)["valid"] is False


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_is_explained(code: str):
    told = run("--explain", code)
    assert told.exit_code == 0
    assert " ".join(told.output.split()) == f"{code}: {CODES[code]}"


def test_all_codes_are_listed_and_a_wrong_one_gets_the_nearest():
    assert len([line for line in run("--explain", "all").output.splitlines() if ": " in line]) >= len(CODES)
    refused = run("--explain", "overlp")
    assert "did you mean 'overlap'?" in str(refused.exception)


def test_a_secret_in_clear_is_not_shown_with_its_line(policy: Path):
    url = "https://app.example.com/api/health/scaling"
    policy.write_text(edited((url, f"{url}\n    token:\n      hunter2")), encoding="utf-8")
    told = run(policy)
    assert told.exit_code == 2
    assert "hunter2" not in told.output
    assert "hunter2" not in run("--json", policy).output


def test_a_blueprint_that_pins_the_plan_is_told_whether_found_or_given(policy: Path, tmp_path: Path):
    policy.write_text(edited(("app.example.com", "app.onrender.com")), encoding="utf-8")
    pinned = "services: [{name: app, plan: starter}]"
    (tmp_path / "blueprint.yaml").write_text(pinned, encoding="utf-8")
    assert "blueprint_plan" not in run(policy).output
    assert "blueprint_plan" in run("--blueprint", tmp_path / "blueprint.yaml", policy).output
    (tmp_path / "render.yaml").write_text(pinned, encoding="utf-8")
    assert "blueprint_plan" in run(policy).output


def test_tests_beside_policies_are_left_to_the_command_that_plays_them(policy: Path, tmp_path: Path):
    cases = tmp_path / "app.test.yaml"
    cases.write_text("tests: []", encoding="utf-8")
    told = run(policy, cases)
    assert told.exit_code == 0, told.output
    assert "app.test.yaml" not in told.output


def test_the_shipped_policies_have_not_even_a_warning():
    assert run("--strict", Path(__file__).parents[2] / "policies").exit_code == 0
