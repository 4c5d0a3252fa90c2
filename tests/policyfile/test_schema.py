"""The JSON Schema that editors read."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.core.conditions import parse_condition
from autoscaler.core.plans import SPELLINGS
from autoscaler.policyfile import PolicyError, load_text
from autoscaler.policyfile.hovers import HOVERS
from autoscaler.policyfile.schema import schema
from tests.support.cli import autoscaler
from tests.support.policy_texts import FULL, SOUND, edited, everywhere

ROOT = Path(__file__).parents[2]


class EditorLoader(yaml.SafeLoader):
    """YAML 1.2, as editors read it: no dates, and only true and false are booleans."""


EditorLoader.yaml_implicit_resolvers = {
    letter: [
        (tag, form) for tag, form in resolvers if tag not in {"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:bool"}
    ]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
EditorLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|false)$"), list("tf"))


def complaints(text: str) -> list[str]:
    validator = jsonschema.Draft202012Validator(schema())
    return [error.json_path for error in validator.iter_errors(yaml.load(text, EditorLoader))]  # noqa: S506 - plain values only


def test_it_is_a_valid_schema_of_draft_2020_12():
    jsonschema.Draft202012Validator.check_schema(schema())


def test_the_committed_file_is_current():
    committed = (ROOT / "docs" / "policy.schema.json").read_text(encoding="utf-8")
    assert json.loads(committed) == schema(), "autoscaler schema > docs/policy.schema.json"


async def test_the_command_prints_it():
    printed = await autoscaler("schema")
    assert (printed.code, printed.err) == (0, "")
    assert printed.json == schema()


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


def sections(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every part of the schema that lists keys."""
    if isinstance(node, dict):
        if isinstance(node.get("properties"), dict):
            yield path, node
        for key, value in node.items():
            yield from sections(value, f"{path}/{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from sections(value, f"{path}/{index}")


def test_every_key_has_words_to_hover_over_and_every_value_an_example():
    bare = [
        f"{path}/{key}"
        for path, section in sections(schema())
        for key, value in section["properties"].items()
        if not value.get("description") or not (value.get("examples") or key in {"any", "tiers"})
    ]
    assert bare == []


def test_there_are_no_words_for_keys_that_do_not_exist():
    used = {path.rsplit("/", 1)[-1] for path, _ in sections(schema())} | {"Policy", "Given"}
    assert {key.partition(".")[0] for key in HOVERS} - used - {"Sentence", "Hours", "1", ""} == set()
    printed = json.dumps(schema(), ensure_ascii=False)
    assert [key for key, (words, _) in HOVERS.items() if json.dumps(words, ensure_ascii=False) not in printed] == []


def test_each_example_fits_its_key():
    whole = schema()
    for path, section in sections(whole):
        for key, value in section["properties"].items():
            validator = jsonschema.Draft202012Validator({"$defs": whole["$defs"]} | value)
            wrong = [example for example in value.get("examples", ()) if list(validator.iter_errors(example))]
            assert wrong == [], f"{path}/{key}"


def test_every_metric_has_a_snippet_that_is_a_condition():
    for snippet in schema()["$defs"]["Sentence"]["defaultSnippets"]:
        text = re.sub(r"\$\{\d:([^}]*)\}", r"\1", snippet["body"])
        assert parse_condition(text).metric.name == snippet["label"]


SENTENCES = st.one_of(
    st.sampled_from(
        [
            "memory_usage > 400MB for 30m",
            "mean(memory_usage over 1h) >= 1_000 MB",
            "p95(memory_usage over 10m) > 5GB for 1h in 80% of samples",
            "oom_kills >= 2 within 10m",
            "stalled for 5m",
            "monthly_revenue >= 50 USD",
            "memory_usage  >  400MB",
        ]
    ).flatmap(
        lambda text: st.tuples(st.integers(0, len(text)), st.integers(0, 3), st.text("0aMs%> (_.", max_size=2)).map(
            lambda cut: text[: cut[0]] + cut[2] + text[cut[0] + cut[1] :]
        )
    )
)


@settings(max_examples=300, deadline=None)
@given(SENTENCES)
def test_a_condition_that_an_editor_refuses_the_loader_refuses_too(text: str):
    pattern = schema_pattern()
    try:
        parse_condition(text)
    except ValueError:
        return
    assert re.search(pattern, text), text


@cache
def schema_pattern() -> str:
    return str(schema()["$defs"]["Sentence"]["pattern"])


WRONG = ("7", "true", "x", "[]", "[x]", "{}", "{a: b}", "null", "''", "-1", "1.5", "30s", "25%", "yes", "2024-01-01")


@pytest.mark.parametrize("value", WRONG)
def test_whatever_stands_anywhere_what_an_editor_refuses_the_loader_refuses_too(value: str):
    validator = jsonschema.Draft202012Validator(schema())
    for place, text in everywhere(FULL, value):
        if list(validator.iter_errors(yaml.load(text, EditorLoader))):  # noqa: S506 - a loader of plain values
            with pytest.raises(PolicyError):
                load_text(text, place)


@pytest.mark.parametrize("text", (SOUND, FULL))
def test_what_the_loader_takes_an_editor_takes_too(text: str):
    load_text(text, "p.yaml")
    assert complaints(text) == []
