"""What a policy test expects is met or not; what is not met says what came, how far it was, and where it stands."""

from pathlib import Path

import pytest

from autoscaler.engine.policytest import play
from autoscaler.engine.policytest_match import differences
from autoscaler.policyfile.cases_load import read_cases
from autoscaler.report.cases import Difference
from tests.support.policy_texts import edited

RULE = "        - memory_usage > 400MB for 30m\n"
MORE = """\
alerts:
  - {name: full, when: memory_usage > 300MB for 10m, do: notify}
  - {name: users, when: daily_active_users >= 100, do: notify}
guards: {cooldown: {up: 30m, down: 1h}}
"""
POLICY = (
    edited((RULE, RULE + "        - oom_kills >= 2 within 10m\n        - concurrent_requests > 5 for 30m\n")) + MORE
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("policies")
    (path / "p.yaml").write_text(POLICY, encoding="utf-8")
    return path


SERIES = "series: {memory_usage: 150MBx1h 450MBx35m 150MBx25m}"


def unmet(folder: Path, *lines: str, series: str = SERIES) -> tuple[Difference, ...]:
    """A test of 450 MB from the first hour on, which goes up after another half; `lines` are what it expects."""
    head = ["tests:", "  - name: t", "    every: 1m", f"    {series}"]
    text = "\n".join([*head, *(f"    {line}" for line in lines)])
    file = read_cases(text, folder / "p.test.yaml")
    return differences(play(file.policy.policy, file.scripts[0]))


@pytest.mark.parametrize(
    "line",
    (
        "expect: [{at: 1h30m, verdict: up to large}]",
        "expect: [{at: 1h30m, verdict: up, why: go}]",
        "expect: [{at: 1h30m20s, verdict: up}]",
        "expect: [{by: 2h, verdict: up to large, because: memory_usage > 400MB for 30m}]",
        "expect: [{between: 0 and 1h29m30s, verdict: hold, why: steady}]",
        "expect: [{between: 1h30m30s and 2h, verdict: hold}]",
        "expect: [{during: mon 00:00-01:30 UTC, verdict: hold, tier: small}]",
        "expect: [{at: 1h32m, tier: large}]",
        "expect: [{between: 1h30m30s and 1h31m30s, tier: small}]",
        "expect: [{at: 1h30m, leak: no}]",
        "changes: [up to large at 1h30m]",
        "changes: [up to large by 1h30m]",
        "changes: [up to large between 1h and 2h]",
        "changes: [up to large]",
        "alerts: [full at 1h10m]",
    ),
)
def test_what_comes_as_expected_says_nothing(folder, line):
    assert unmet(folder, line) == ()


@pytest.mark.parametrize(
    ("line", "expected", "came"),
    (
        ("expect: [{at: 1h29m30s, verdict: up to large}]", "up to large", "hold, why steady"),
        ("expect: [{at: 1h30m, verdict: hold}]", "hold", "up to large, because memory_usage > 400MB for 30m"),
        ("expect: [{at: 1h30m, verdict: down}]", "down", "up to large, because memory_usage > 400MB for 30m"),
        ("expect: [{at: 1h30m, verdict: emergency}]", "emergency", "up to large, because memory_usage > 400MB for 30m"),
        ("expect: [{at: 1h30m, verdict: up to small}]", "up to small", "up to large, because memory_usage > 400MB for 30m"),
        ("expect: [{at: 1h, why: cooldown}]", "why cooldown", "hold, why steady"),
        ("expect: [{at: 1h30m, because: oom_kills >= 2 within 10m}]", "because oom_kills >= 2 within 10m",
         "up to large, because memory_usage > 400MB for 30m"),
        ("expect: [{by: 1h29m, verdict: up to large}]", "up to large", "hold, why steady"),
        ("expect: [{between: 1h and 1h40m, verdict: hold}]", "hold", "up to large, because memory_usage > 400MB for 30m"),
        ("expect: [{between: 1h and 1h30m, verdict: hold}]", "hold", "up to large, because memory_usage > 400MB for 30m"),
        ("expect: [{between: 1h30m and 2h, verdict: hold}]", "hold", "up to large, because memory_usage > 400MB for 30m"),
        ("expect: [{at: 1h31m, tier: large}]", "on large", "up to large is held, why change_open, because memory_usage > 400MB for 30m, on small"),
        ("expect: [{at: 1h, not_before: 2h}]", "not before 2h", "hold, why steady, not before any known time"),
        ("expect: [{during: sun 10:00-11:00 UTC, verdict: hold}]", "hold", "no poll at all in this time"),
        ("expect: [{at: 1h30m, leak: yes}]", "a leak is suspected",
         "up to large, because memory_usage > 400MB for 30m, no leak is suspected"),
        ("changes: []", "none", "up to large at 1h30m (Mon 01:30)"),
        ("changes: [up to large at 1h29m]", "up to large at 1h29m", "up to large at 1h30m (Mon 01:30)"),
        ("changes: [up to large by 1h29m]", "up to large by 1h29m", "up to large at 1h30m (Mon 01:30)"),
        ("changes: [up to large between 1h31m and 2h]", "up to large between 1h31m and 2h", "up to large at 1h30m (Mon 01:30)"),
        ("changes: [emergency to large]", "emergency to large", "up to large at 1h30m (Mon 01:30)"),
        ("changes: [up to large, down to small]", "up to large, down to small", "up to large at 1h30m (Mon 01:30)"),
        ("alerts: []", "none", "full at 1h10m (Mon 01:10)"),
        ("alerts: [users]", "users", "full at 1h10m (Mon 01:10)"),
        ("alerts: [full, users]", "full, users", "full at 1h10m (Mon 01:10)"),
    ),
)  # fmt: skip
def test_what_comes_otherwise_is_told(folder, line, expected, came):
    (difference,) = unmet(folder, line)
    assert (difference.expected, difference.came) == (expected, came)
    assert difference.line == 5


def test_a_difference_shows_the_value_and_how_far_its_window_was(folder):
    (difference,) = unmet(folder, "expect:", "  - {at: 1h20m, verdict: up to large}")
    assert (difference.line, difference.column, difference.when) == (6, 9, "at 1h20m (Mon 01:20)")
    assert difference.details == (
        "memory_usage 450 MB > 400MB for 30m, held 20m of 30m; could hold from 1h30m (Mon 01:30)",
        "oom_kills 0 (>= 2 within 10m)",
        "concurrent_requests - (> 5 for 30m), no sample yet",
        "it comes at 1h30m (Mon 01:30): up to large, because memory_usage > 400MB for 30m",
    )


def test_a_verdict_that_never_comes_is_said_never_to_come(folder):
    (difference,) = unmet(folder, "expect: [{at: 1h, verdict: down to small}]")
    assert difference.details[-1] == "it never comes in this test"


def test_an_up_that_is_held_is_no_up_unless_it_says_why(folder):
    held = ("facts: {last_change: 1m}", "signals: {oom_kills: 5m x2}")
    assert unmet(folder, *held, "expect: [{at: 6m, verdict: up to large, why: cooldown, not_before: 29m}]") == ()
    (difference,) = unmet(folder, *held, "expect: [{at: 6m, verdict: up to large}]")
    assert difference.came == (
        "up to large is held, why cooldown until 29m (Mon 00:29), because oom_kills >= 2 within 10m"
    )


def test_all_differences_are_told_in_the_order_of_the_file(folder):
    found = unmet(
        folder, "alerts: []", "expect:", "  - {at: 1h, verdict: up}", "  - {at: 1h, why: budget}", "changes: []"
    )
    assert [difference.line for difference in found] == [5, 7, 8, 9]


def test_a_tier_that_somebody_sets_runs_from_then_on(folder):
    assert (
        unmet(
            folder, "by_hand: large at 30m", "expect: [{at: 29m, tier: small}, {at: 30m, tier: large}]", "changes: []"
        )
        == ()
    )


def test_a_plan_that_is_no_tier_is_off_the_ladder(folder):
    assert unmet(folder, "by_hand: pro at 30m", "expect: [{between: 30m and 2h, why: off_ladder}]", "changes: []") == ()


@pytest.mark.parametrize(
    "event",
    ("deploys: 1h10m", "restarts: 1h10m", "masks: 1h10m and 1h15m", "signals: {oom_kills: 1h10m}"),
)
def test_an_instance_that_starts_stops_the_clock_of_the_windows_while_it_warms_up(folder, event):
    busy = "series: {concurrent_requests: 1x1h 9x40m}"
    assert unmet(folder, event, "changes: [up to large at 1h35m]", series=busy) == ()
    assert unmet(folder, "changes: [up to large at 1h30m]", series=busy) == ()


def test_a_suspended_service_and_one_with_a_disk_are_held(folder):
    for fact, why in (("suspended", "suspended"), ("disk", "disk_downtime")):
        line = f"expect: [{{at: 1h30m, verdict: up to large, why: {why}}}]"
        assert unmet(folder, f"facts: {{{fact}: yes}}", line, "changes: []") == ()
