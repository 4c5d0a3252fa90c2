"""docs/policies.md teaches the language: what it shows is true."""

import re
from pathlib import Path

import pytest

from autoscaler.core.conditions import parse_condition
from autoscaler.core.limits import Guards
from autoscaler.core.metrics import find_metric
from autoscaler.core.plans import PLANS
from autoscaler.core.policy import Mode
from autoscaler.core.why import Why
from autoscaler.engine.policytest import play
from autoscaler.engine.policytest_match import differences
from autoscaler.policyfile import load_text
from autoscaler.policyfile.cases_load import load_cases

PAGE = (Path(__file__).parents[2] / "docs" / "policies.md").read_text()
POLICIES = re.findall(r"```yaml\n(version: 1\n.*?)```", PAGE, re.DOTALL)
(TESTS,) = re.findall(r"```yaml\n(series: .*?)```", PAGE, re.DOTALL)
CONDITIONS = re.findall(r"^\| `([^`]+ (?:[<>]=? [^`]*|for [^`]*))` \|", PAGE, re.MULTILINE)
METRICS = re.findall(r"`(\w+)`", PAGE[PAGE.index("The metrics, by how") : PAGE.index("## What counts as seen")])


def test_the_page_shows_what_is_tested_here():
    assert len(POLICIES) == 4
    assert len(CONDITIONS) == 8
    assert len(METRICS) > 12


@pytest.mark.parametrize("text", POLICIES)
def test_a_policy_of_the_page_is_sound(text):
    file = load_text(text, "docs/policies.md")
    assert not [problem for problem in file.warnings if problem.code != "budget"]


def test_the_tests_of_the_page_pass_against_the_policy_above_them(tmp_path):
    (tmp_path / "my-api.yaml").write_text(POLICIES[1])
    (tmp_path / "my-api.test.yaml").write_text(TESTS)
    file = load_cases(tmp_path / "my-api.test.yaml")
    assert len(file.scripts) == 2
    for script in file.scripts:
        assert not differences(play(file.policy.policy, script)), script.case.name


def test_without_a_mode_a_policy_only_observes():
    assert load_text(POLICIES[0], "docs/policies.md").policy.mode is Mode.OBSERVE


@pytest.mark.parametrize("sentence", CONDITIONS)
def test_a_condition_of_the_page_can_be_read(sentence):
    assert parse_condition(sentence).text == sentence


@pytest.mark.parametrize("name", [name for name in METRICS if name not in {"min_requests", "within"}])
def test_a_metric_of_the_page_is_in_the_table_under_its_own_kind(name):
    metric = find_metric(name)
    assert metric is not None
    lines = [line for line in PAGE.splitlines() if line.startswith("- **") and f"`{name}`" in line]
    assert len(lines) == 1
    words = {"gauge": "Gauges", "ratio": "Ratios", "counted": "Counted", "business": "Business values"}
    assert f"**{words[metric.kind]}**" in lines[0]


def test_what_it_says_of_the_defaults_is_so():
    guards = Guards()
    assert f"`headroom` ({guards.headroom:.0%})".replace("%", " %") in PAGE
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) - {"approval"} == set(Guards.model_fields)


def test_the_names_of_a_no_are_real():
    names = re.findall(r"`(\w+)`", PAGE[PAGE.index('Every "no" has a name') :].split("\n\n")[0])
    assert {name for name in names if "_" in name or name in {"cooldown", "budget"}} <= {str(why) for why in Why}


def test_the_plans_of_the_page_are_render_s():
    assert set(re.findall(r"plan: (\w+)", PAGE)) <= set(PLANS)
