"""Render's plans: either spelling is the same plan, and nothing else is one."""

import pytest

from autoscaler.core.plans import PLANS, SPELLINGS, canonical, find_plan, same_plan


@pytest.mark.parametrize(
    ("one", "other"),
    (
        ("starter", "0.5c-512mb"),
        ("standard", "1c-2g"),
        ("pro", "2c-4g"),
        ("pro_plus", "4c-8g"),
        ("pro_plus", "pro plus"),
        ("pro_max", "4c-16g"),
        ("pro_ultra", "8c-32g"),
    ),
)
def test_both_spellings_are_one_plan(one: str, other: str):
    assert same_plan(one, other)
    assert find_plan(one) is find_plan(other)


def test_every_spelling_leads_to_a_plan_and_no_two_plans_are_alike():
    assert {canonical(spelling) for spelling in SPELLINGS} == set(PLANS)
    sizes = [(plan.cpu, plan.memory) for plan in PLANS.values()]
    assert len(set(sizes)) == len(sizes)


@pytest.mark.parametrize("name", ("free", "custom", "standard_legacy", "starter_plus", "a plan of next year", ""))
def test_a_plan_that_is_no_scale_target_or_unknown_is_none_and_keeps_its_name(name: str):
    assert find_plan(name) is None
    assert canonical(name) == name


@pytest.mark.parametrize("name", [plan for plan in PLANS if "c-" in plan])
def test_a_plan_named_by_its_size_has_that_size(name: str):
    cpu, memory = name.split("-")
    assert PLANS[name].cpu == float(cpu.rstrip("c"))
    assert PLANS[name].memory == int(memory.rstrip("g")) * 1024**3


def test_the_seeds_two_plans_have_the_sizes_and_prices_it_states():
    small, large = PLANS["starter"], PLANS["standard"]
    assert (small.cpu, small.memory, small.price) == (0.5, 512 * 1024**2, 7)
    assert (large.cpu, large.memory, large.price) == (1, 2 * 1024**3, 25)
