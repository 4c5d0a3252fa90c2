"""What tests reach of a policy: each condition made to hold, and nearly; each guard seen to block."""

from pathlib import Path

import pytest

from autoscaler.core.evaluate import Role
from autoscaler.core.why import Why
from autoscaler.engine.policytest import play
from autoscaler.engine.policytest_coverage import coverage
from autoscaler.policyfile.cases_load import read_cases
from autoscaler.report.cases import Coverage, coverage_lines
from tests.support.policy_texts import SOUND

MORE = """\
emergency: {any: [oom_kills >= 2 within 10m]}
alerts: [{name: users, when: daily_active_users >= 100, do: notify}]
guards: {budget: {monthly: 60}}
"""
MEMORY = "memory_usage > 400MB for 30m"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("policies")
    (path / "p.yaml").write_text(SOUND + MORE, encoding="utf-8")
    return path


def reached(folder: Path, *tests: str) -> Coverage:
    """By tests with a poll a minute."""
    text = "every: 1m\ntests:\n" + "\n".join(f"  - {{name: t{number}, {test}}}" for number, test in enumerate(tests))
    file = read_cases(text, folder / "p.test.yaml")
    return coverage("p.yaml", file.policy.policy, [play(file.policy.policy, script) for script in file.scripts])


def of(coverage: Coverage, condition: str) -> tuple[bool, bool]:
    """Whether it held, and nearly held."""
    (one,) = (one for one in coverage.conditions if one.condition == condition)
    return one.held, one.near


def test_every_rule_that_can_ever_be_judged_counts(folder):
    assert [(one.condition, one.role) for one in reached(folder, "lasts: 5m, changes: []").conditions] == [
        (MEMORY, Role.UP),
        ("memory_usage < 200MB for 48h", Role.DOWN),
        ("oom_kills >= 2 within 10m", Role.EMERGENCY),
        ("daily_active_users >= 100", Role.ALERT),
    ]


@pytest.mark.parametrize(
    ("test", "expected"),
    (
        ("series: {memory_usage: 450MB}, changes: [up to large at 30m]", (True, False)),
        ("series: {memory_usage: 390MB}, lasts: 40m, changes: []", (False, True)),
        ("series: {memory_usage: 390MB}, expect: [{between: 1m and 5m, verdict: hold}]", (False, True)),
        ("series: {memory_usage: 390MB}, lasts: 40m, alerts: []", (False, False)),
        ("series: {memory_usage: 390MB}, expect: [{at: 5m, tier: small}]", (False, False)),
        ("series: {memory_usage: 300MB}, lasts: 40m, changes: []", (False, False)),
        ("series: {memory_usage: 450MBx28m 100MBx5m}, changes: []", (False, True)),
        ("series: {memory_usage: 450MBx20m 100MBx5m}, changes: []", (False, False)),
    ),
)
def test_nearly_is_close_to_the_bound_or_a_window_that_broke_off_where_the_test_says_what_comes(folder, test, expected):
    assert of(reached(folder, test), MEMORY) == expected


def test_of_what_is_counted_one_too_few_is_nearly(folder):
    rule = "oom_kills >= 2 within 10m"
    assert of(reached(folder, "signals: {oom_kills: 2m}, lasts: 5m, changes: []"), rule) == (False, True)
    assert of(reached(folder, "lasts: 5m, changes: []"), rule) == (False, False)
    assert of(reached(folder, "signals: {oom_kills: [2m, 4m]}, changes: [emergency to large]"), rule) == (True, True)


def test_alerts_are_nearly_raised_only_where_a_test_says_which_come(folder):
    series = "series: {daily_active_users: 99}, lasts: 5m"
    assert of(reached(folder, f"{series}, alerts: []"), "daily_active_users >= 100") == (False, True)
    assert of(reached(folder, f"{series}, changes: []"), "daily_active_users >= 100") == (False, False)


def test_a_guard_counts_once_it_was_seen_to_block(folder):
    up = "series: {memory_usage: 450MB}"
    guards = dict(reached(folder, f"{up}, facts: {{spent: 60}}, expect: [{{at: 30m, why: budget}}]").guards)
    assert guards == {Why.COOLDOWN: False, Why.MAX_CHANGES: False, Why.DOES_NOT_FIT: False, Why.BUDGET: True}


def test_all_tests_of_a_policy_count_together_and_what_is_left_is_said(folder):
    found = reached(
        folder,
        "series: {memory_usage: 390MBx5m 450MB}, facts: {spent: 60}, expect: [{between: 0 and 40m, verdict: up, why: budget}]",
        "series: {memory_usage: 390MB}, lasts: 5m, changes: []",
        "signals: {oom_kills: [2m, 4m]}, changes: [emergency to large]",
        "series: {daily_active_users: 99x2m 100}, changes: [], alerts: [users at 2m]",
    )
    assert found.share == (6 + 1) / (8 + 4)
    assert list(coverage_lines(found)) == [
        "p.yaml: 58% of its rules and guards are tested",
        "  down: memory_usage < 200MB for 48h: never holds and never nearly holds",
        "  guard does_not_fit: never seen to block (it does not fit the smaller plan)",
        "  guard cooldown: never seen to block (cooldown)",
        "  guard max_changes: never seen to block (the day's changes are used up)",
    ]
