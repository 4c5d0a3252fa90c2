"""What `status`, `history` and the rules show, cell by cell."""

from dataclasses import replace

from autoscaler.core.change import State
from autoscaler.core.durations import HOUR, MINUTE
from autoscaler.core.guards import Blocker, Why
from autoscaler.report.tables import fleet, history, rules
from tests.support.stories import BUSY, FULL, NOW, SLOW, change, held_back, progress, steady, verdict


def test_the_fleet_shows_where_each_service_is_and_what_comes_next():
    waiting = held_back(Blocker(Why.COOLDOWN, NOW + 17 * MINUTE), not_before=NOW + 17 * MINUTE, service="waiting")
    asked = held_back(Blocker(Why.MODE_ASK), service="asked")
    calm = steady(FULL, BUSY, service="calm")
    unknown = steady(
        why=Why.TIER_UNKNOWN, blockers=(Blocker(Why.TIER_UNKNOWN),), tier=None, monthly_now=None, service="new"
    )
    table = fleet([waiting, asked, calm, unknown, verdict(service="going")], {"srv-1": "starter"}, NOW)
    slow, full = "avg_response_time 9.4s > 8s for 1h, holds", "memory_usage 412 MB > 400MB for 30m, held 12m of 30m"
    assert table.headers == ("Service", "Tier", "Plan", "Cost", "Now", "Verdict", "Since", "Next")
    assert table.rows == (
        ("waiting", "mvp", "starter", "$7/mo", slow, "up to scaled, held: cooldown", "12m ago", "in 17m"),
        ("asked", "mvp", "starter", "$7/mo", slow, "up to scaled, held: mode is ask", "12m ago", "needs a person"),
        ("calm", "mvp", "starter", "$7/mo", full, "steady", "12m ago", "▓▓░░░ 40%"),
        ("new", "-", "starter", "-", "-", "the running tier is not known yet", "12m ago", "-"),
        ("going", "mvp", "starter", "$7/mo", slow, "up to scaled", "12m ago", "now"),
    )


def test_a_time_that_has_passed_is_now_and_not_ago():
    waiting = held_back(Blocker(Why.COOLDOWN, NOW), not_before=NOW)
    assert fleet([waiting], {}, NOW + MINUTE).rows[0][-1] == "now"


def test_history_shows_changes_and_holds_newest_first():
    done = change(state=State.DONE, created_at=NOW - 2 * HOUR, live_at=NOW - 2 * HOUR + 190_000, ended_at=NOW)
    running = change(state=State.APPLYING, emergency=True, requested_by="ana")
    back = replace(running, walking_back="no answer", created_at=NOW - HOUR)
    held = held_back(Blocker(Why.BUDGET))
    table = history([done, running, back], [held, steady(), verdict()], NOW + MINUTE)
    step, cost, why = "▲ mvp (starter) → scaled (standard)", "$7/mo → $25/mo (+$18/mo)", SLOW_REASON
    assert table.rows == (
        ("14:03 UTC", "holisticos-api", step, "applying", cost, "1m so far", "ana (emergency)", why),
        ("13:51 UTC", "holisticos-api", "▲ mvp → scaled", "held: over budget", cost, "12m", "policy", why),
        ("13:03 UTC", "holisticos-api", step, "walking back", cost, "1h 1m so far", "ana (emergency)", why),
        ("12:03 UTC", "holisticos-api", step, "done", cost, "3m", "policy", why),
    )


SLOW_REASON = "avg_response_time 9.4s > 8s for 1h"


def test_each_rule_shows_its_value_and_how_far_it_is():
    lacking = progress("error_rate > 5% for 1h", None, 0.0, covered=0.4, lacking="window 40% seen")
    table = rules(verdict(progress=(SLOW, FULL, lacking)))
    assert table.rows == (
        ("up", "avg_response_time 9.4s > 8s for 1h", "yes", "▓▓▓▓▓ 100%", "holds", "100%", "-"),
        ("up", "memory_usage 412 MB > 400MB for 30m", "no", "▓▓░░░ 40%", "held 12m of 30m", "100%", "-"),
        ("up", "error_rate - (> 5% for 1h)", "no", "░░░░░ 0%", "held 0s of 1h", "40%", "window 40% seen"),
    )


def test_every_row_is_as_long_as_the_headers_and_holds_no_line_break():
    odd = steady(FULL, service="a\nb\x1b[31m", tier="t\u2028t")
    for table in (fleet([odd], {"srv-1": "x\ny"}, NOW), history([change(service="a\nb")], [], NOW), rules(odd)):
        assert {len(row) for row in table.rows} == {len(table.headers)}
        assert not [cell for row in table.rows for cell in row if len(cell.splitlines()) > 1 or "\x1b" in cell]
