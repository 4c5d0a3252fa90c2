"""The JSON Schema that editors read."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from autoscaler.core.plans import SPELLINGS
from autoscaler.policyfile.schema import schema
from tests.support.policy_texts import edited

ROOT = Path(__file__).parents[2]


def complaints(text: str) -> list[str]:
    validator = jsonschema.Draft202012Validator(schema())
    return [error.json_path for error in validator.iter_errors(yaml.safe_load(text))]


def test_it_is_a_valid_schema_of_draft_2020_12():
    jsonschema.Draft202012Validator.check_schema(schema())


def test_the_committed_file_is_current():
    committed = (ROOT / "docs" / "policy.schema.json").read_text(encoding="utf-8")
    assert json.loads(committed) == schema(), "python -m autoscaler.policyfile.schema > docs/policy.schema.json"


def test_the_module_prints_the_schema():
    printed = subprocess.run(
        [sys.executable, "-m", "autoscaler.policyfile.schema"], capture_output=True, check=True, cwd=ROOT
    )
    assert printed.stderr == b""
    assert json.loads(printed.stdout) == schema()


@pytest.mark.parametrize("name", ("holisticos.yaml", "demo.yaml"))
def test_the_shipped_policies_fit_it_as_an_editor_reads_them(name: str):
    assert complaints((ROOT / "policies" / name).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_a_plan_fits(spelling: str):
    assert complaints(edited(("plan: starter", f"plan: {spelling}"))) == []


@pytest.mark.parametrize(
    ("old", "new", "path"),
    (
        ("mode: act", "mood: act", "$"),
        ("mode: act", "mode: acts", "$.mode"),
        ("plan: starter", "plan: tiny", "$.tiers[0].plan"),
        ("version: 1", "version: 2", "$.version"),
        ("env: {POOL: 3}", "env: [POOL]", "$.tiers[0].env"),
        ("mode: act", "mode: act\nverify: {soak: 15}", "$.verify.soak"),
        ("mode: act", "mode: act\nguards:", "$.guards"),
    ),
)
def test_an_editor_marks_what_the_loader_would_refuse(old: str, new: str, path: str):
    assert path in complaints(edited((old, new)))


def test_defaults_are_shown_as_they_are_written_in_a_file():
    definitions = schema()["$defs"]
    assert definitions["Verify"]["properties"]["soak"]["default"] == "15m"
    assert definitions["Guards"]["properties"]["headroom"]["default"] == "25%"
    assert definitions["Guards"]["properties"]["max_changes"]["default"] == "4 per day"
