"""A scalar is its text: what YAML 1.1 would make of it never reaches production."""

import pytest

from autoscaler.policyfile import load_text
from tests.support.policy_texts import edited, lines


@pytest.mark.parametrize(
    "written",
    ("0123", "1.10", "yes", "off", "1_000", "1e3", "0x1F", "2026-01-01", "12:30:45", "5.0", "True", "~x", "="),
)
@pytest.mark.parametrize("quote", ("", "'", '"'))
def test_an_env_value_is_taken_as_it_is_written_quoted_or_not(written: str, quote: str):
    text = edited(("env: {POOL: 3}", f"env:\n      POOL: {quote}{written}{quote}"))
    assert load_text(text, "p.yaml").policy.tiers[0].env == {"POOL": written}


def test_numbers_may_be_quoted_too():
    text = edited(
        ("version: 1", 'version: "1"'), ("plan: standard", "plan: 'standard'\n    instances: '2'\n    price: \"9.50\"")
    )
    tier = load_text(text, "p.yaml").policy.tiers[1]
    assert (tier.instances, tier.monthly) == (2, 19.0)


@pytest.mark.parametrize("written", ("", "~", "null", "Null", "NULL"))
def test_nothing_is_no_value(written: str):
    assert lines(edited(("env: {POOL: 3}", f"env:\n      POOL: {written}"))) == [
        "p.yaml:11:7: error: 'POOL' has no value: write a value, or remove the line (\"\" is the empty text)"
    ]


def test_a_quoted_null_and_a_quoted_nothing_are_texts():
    text = edited(("env: {POOL: 3}", "env: {POOL: 'null', OTHER: ''}"), ("env: {POOL: 6}", "env: {POOL: 1, OTHER: 2}"))
    assert load_text(text, "p.yaml").policy.tiers[0].env == {"POOL": "null", "OTHER": ""}


def test_a_section_with_nothing_in_it_is_told_once():
    assert lines(edited(("mode: act", "mode: act\nemergency:"))) == [
        "p.yaml:3:1: error: 'emergency' has no value: write a value, or remove the line (\"\" is the empty text)"
    ]


def test_an_anchor_and_its_aliases_are_the_same_value():
    text = edited(("env: {POOL: 3}", "env: &env {POOL: 3}"), ("env: {POOL: 6}", "env: *env"))
    policy = load_text(text, "p.yaml").policy
    assert policy.tiers[0].env == policy.tiers[1].env == {"POOL": "3"}


def test_a_byte_order_mark_and_windows_line_ends_change_nothing():
    plain = load_text(edited(), "p.yaml").policy
    assert load_text(edited().replace("\n", "\r\n"), "p.yaml").policy == plain
