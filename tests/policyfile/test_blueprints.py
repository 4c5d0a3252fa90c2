"""A Blueprint that pins what the bot changes is told at the policy's service."""

from pathlib import Path

import pytest

from autoscaler.policyfile import load_text
from autoscaler.policyfile.blueprint import blueprint_doubts, find_blueprint
from tests.support.policy_texts import SOUND, edited

BLUEPRINT = """\
services:
  - type: web
    name: app
    plan: starter
    envVars:
      - key: POOL
        value: 3
      - {key: OTHER, value: 1}
  - {type: worker, name: bot, plan: standard}
"""


def told(tmp_path: Path, blueprint: str, policy: str = edited(("app.example.com", "app.onrender.com"))):
    path = tmp_path / "render.yaml"
    path.write_text(blueprint, encoding="utf-8")
    return blueprint_doubts(load_text(policy, "p.yaml"), path)


def test_a_plan_and_a_variable_that_are_pinned_are_told_with_their_lines(tmp_path: Path):
    first, second = told(tmp_path, BLUEPRINT)
    assert str(first).startswith("p.yaml:4:7: warning: render.yaml:4 pins 'plan: starter' for 'app': its next sync")
    assert str(second).startswith("p.yaml:4:7: warning: render.yaml:6 sets POOL for 'app', which the tiers set too")
    assert [one.code for one in (first, second)] == ["blueprint_plan", "blueprint_env"]


@pytest.mark.parametrize(
    "policy",
    (
        edited(("id: srv-abc123", "name: app")),
        edited(("https://app.example.com/", "http://app:10000/")),
        edited(("app.example.com", "app-x1y2.onrender.com")),
    ),
)
def test_the_service_is_known_by_its_name_or_by_its_address_on_render(tmp_path: Path, policy: str):
    assert [one.code for one in told(tmp_path, BLUEPRINT, policy)] == ["blueprint_plan", "blueprint_env"]


def test_services_of_projects_are_found_too(tmp_path: Path):
    nested = "projects:\n- name: p\n  environments:\n  - name: e\n    services: [{name: app, plan: pro}]\n"
    assert [one.code for one in told(tmp_path, nested)] == ["blueprint_plan"]


def test_scaling_and_a_count_that_the_tiers_change_are_told(tmp_path: Path):
    text = "services: [{name: app, numInstances: 1, scaling: {minInstances: 1, maxInstances: 3}}]"
    assert [one.code for one in told(tmp_path, text)] == ["blueprint_scaling"]
    wide = edited(("app.example.com", "app.onrender.com"), ("plan: standard", "plan: standard\n    instances: 2"))
    assert [one.code for one in told(tmp_path, text, wide)] == ["blueprint_instances", "blueprint_scaling"]


@pytest.mark.parametrize(
    "blueprint",
    (
        "services: [{name: app, envVars: [{key: POOL, sync: false}, {key: OTHER, value: 1}]}]",
        "services: [{name: other, plan: starter}]",
        "services: {app: 1}",
        "databases: []",
        "services: [app, [app], {name: [app]}]",
    ),
)
def test_what_pins_nothing_of_this_service_is_no_problem(tmp_path: Path, blueprint: str):
    assert told(tmp_path, blueprint) == []


def test_a_blueprint_that_can_not_be_read_is_told_at_its_own_place(tmp_path: Path):
    (problem,) = told(tmp_path, "services: [\n")
    assert str(problem).startswith(f"{tmp_path}/render.yaml:2:1: error: ")
    (tmp_path / "render.yaml").unlink()
    (problem,) = blueprint_doubts(load_text(SOUND, "p.yaml"), tmp_path / "render.yaml")
    assert "No such file or directory" in problem.message


def test_the_blueprint_of_the_repository_is_found_and_none_beyond_it(tmp_path: Path):
    policy = tmp_path / "repo" / "ops" / "scaling" / "policies" / "app.yaml"
    policy.parent.mkdir(parents=True)
    (tmp_path / "render.yaml").write_text(BLUEPRINT, encoding="utf-8")
    (tmp_path / "repo" / ".git").mkdir()
    assert find_blueprint(policy) is None
    (tmp_path / "repo" / "render.yaml").write_text(BLUEPRINT, encoding="utf-8")
    assert find_blueprint(policy) == tmp_path / "repo" / "render.yaml"


def test_outside_a_repository_only_the_folder_and_the_one_above_count(tmp_path: Path):
    (tmp_path / "render.yaml").write_text(BLUEPRINT, encoding="utf-8")
    assert find_blueprint(tmp_path / "policies" / "app.yaml") == tmp_path / "render.yaml"
    assert find_blueprint(tmp_path / "a" / "b" / "app.yaml") is None
