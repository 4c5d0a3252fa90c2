"""What `status`, `history` and the rules show, cell by cell."""

from dataclasses import replace

from autoscaler.core.change import Question, State
from autoscaler.core.durations import HOUR, MINUTE
from autoscaler.core.evaluate import Role
from autoscaler.core.guards import Blocker
from autoscaler.core.why import Why
from autoscaler.report.tables import fleet, held, history, holds_by_reason, is_held, stacked
from tests.support.stories import BUSY, FULL, NOW, change, held_back, progress, steady, verdict


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
    done = change(
        state=State.DONE, created_at=NOW - 2 * HOUR, live_at=NOW - 2 * HOUR + 190_000, ended_at=NOW, outcome="It holds."
    )
    running = change(state=State.APPLYING, emergency=True, requested_by="ana")
    back = replace(running, walking_back="no answer", created_at=NOW - HOUR)
    urgent = change(created_at=NOW - 3 * HOUR, emergency=True)
    held = held_back(Blocker(Why.BUDGET))
    table = history([done, running, back, urgent], [held, steady(), verdict()], NOW + MINUTE)
    step, cost, why = "▲ mvp (starter) → scaled (standard)", "$7/mo → $25/mo (+$18/mo)", SLOW_REASON
    own, ana = "holisticos-api", "ana (emergency)"
    assert table.rows == (
        ("14:03 UTC", own, step, "applying", cost, "1m so far", ana, why, "-"),
        ("13:51 UTC", own, "▲ mvp → scaled", "held: over budget", cost, "12m", "-", why, "-"),
        ("13:03 UTC", own, step, "walking back", cost, "1h 1m so far", ana, why, "-"),
        ("12:03 UTC", own, step, "done", cost, "3m", "automatic", why, "It holds."),
        ("11:03 UTC", own, step, "approved", cost, "3h 1m so far", "automatic, an emergency", why, "-"),
    )


def test_history_says_who_said_yes_and_never_that_a_no_was_an_approval():
    asked = Question(lifts=("mode_ask",), expires=24 * HOUR)
    stories = {
        "ada": change(state=State.DONE, question=replace(asked, agreed_at=NOW, agreed_by="ada")),
        "nobody said no in time": change(state=State.DONE, question=replace(asked, agreed_at=NOW)),
        "nobody": change(state=State.REJECTED, question=asked),
        "nobody yet": change(state=State.PROPOSED, question=asked),
    }
    assert {who: history([one], [], NOW).rows[0][6] for who, one in stories.items()} == {who: who for who in stories}


def test_a_change_under_way_is_no_hold():
    assert not is_held(held_back(Blocker(Why.CHANGE_OPEN)))
    assert is_held(held_back(Blocker(Why.COOLDOWN), Blocker(Why.CHANGE_OPEN)))


def test_holds_are_counted_by_reason_and_what_took_longest_comes_first():
    cooling = held_back(Blocker(Why.COOLDOWN), since=NOW - 20 * MINUTE)
    earlier = held_back(Blocker(Why.COOLDOWN), since=NOW - 3 * HOUR, at=NOW - 3 * HOUR + 5 * MINUTE)
    over = held_back(Blocker(Why.BUDGET), Blocker(Why.COOLDOWN), since=NOW - HOUR)
    other = replace(cooling, service="billing", since=NOW)
    assert holds_by_reason(held([cooling, over, earlier, other]), NOW).rows == (
        ("holisticos-api", "over budget", "1", "1h", "1h", "14:03 UTC"),
        ("holisticos-api", "cooldown", "2", "25m", "20m", "14:03 UTC"),
        ("billing", "cooldown", "1", "0s", "0s", "14:03 UTC"),
    )


def test_what_builds_up_says_when_it_could_act_at_the_earliest():
    up = replace(FULL, not_before=NOW + 18 * MINUTE)
    down = progress("memory_usage < 200MB for 48h", 1.0, 0.5, role=Role.DOWN, not_before=NOW + 24 * HOUR)
    assert [row[-1] for row in fleet([steady(up), steady(down)], {}, NOW).rows] == ["up in 18m", "down in 1d"]
    assert fleet([steady(up)], {}, NOW + 14 * MINUTE).rows[0][-1] == "up in 4m"


def test_a_service_that_nobody_has_looked_at_for_long_says_so_instead_of_an_old_value():
    row = fleet([steady(FULL)], {}, NOW + 3 * HOUR).rows[0]
    assert row[4] == "not looked at for 3h"


def test_on_a_narrow_terminal_the_fleet_is_three_columns_that_say_the_same():
    table = fleet([steady(FULL)], {"srv-1": "starter"}, NOW)
    (row,) = stacked(table).rows
    assert row == (
        "holisticos-api\nmvp (starter)\n$7/mo",
        "steady\nmemory_usage 412 MB > 400MB for 30m, held 12m of 30m\nbegan 12m ago",
        "▓▓░░░ 40%",
    )


SLOW_REASON = "avg_response_time 9.4s > 8s for 1h"


def test_every_row_is_as_long_as_the_headers_and_holds_no_line_break():
    odd = steady(FULL, service="a\nb\x1b[31m", tier="t\u2028t")
    for table in (fleet([odd], {"srv-1": "x\ny"}, NOW), history([change(service="a\nb")], [], NOW)):
        assert {len(row) for row in table.rows} == {len(table.headers)}
        assert not [cell for row in table.rows for cell in row if len(cell.splitlines()) > 1 or "\x1b" in cell]
