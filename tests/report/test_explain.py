"""An explanation: every rule, every way off the rung, what decides when."""

import json
import time
from dataclasses import replace
from io import StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from autoscaler.cli.explained import draw
from autoscaler.core.durations import HOUR, MINUTE
from autoscaler.core.evaluate import Ask, Progress, Role
from autoscaler.core.guards import Blocker, Verdict
from autoscaler.core.why import Why
from autoscaler.report.explain import explain, in_short
from autoscaler.report.explain_json import document
from autoscaler.report.trends import Trend
from tests.support.stories import BUSY, FULL, MB, NOW, SLOW, held_back, progress, steady, verdict
from tests.support.strategies import values_of

COOLDOWN = Blocker(Why.COOLDOWN, NOW + 17 * MINUTE)
BUDGET = Blocker(Why.BUDGET, detail="the month would come to $61.20 of $60.00")
CALM = progress("avg_response_time < 3s for 24h", 0.4, 1.0, role=Role.DOWN)
QUIET = progress("concurrent_requests < 5 for 48h", 2.0, 0.5, role=Role.DOWN, holds=False, not_before=NOW + 24 * HOUR)
GROWTH = progress("daily_active_users >= 100", None, role=Role.ALERT, covered=0.0, lacking="never told")
FILLING = replace(FULL, not_before=NOW + 18 * MINUTE)
IDLE = replace(BUSY, not_before=NOW + 15 * MINUTE)


def way(explanation, role):
    return next(one for one in explanation.ways if one.role is role)


def drawn(explanation, width=80):
    screen = Console(file=StringIO(), width=width, color_system=None, highlight=False, legacy_windows=False)
    draw(explanation, screen)
    return "\n".join(line.rstrip() for line in screen.file.getvalue().splitlines())


def test_what_is_asked_for_shows_its_blockers_the_deciding_one_first_and_the_earliest_time():
    explanation = explain(held_back(COOLDOWN, Blocker(Why.MAX_CHANGES, NOW + HOUR), not_before=NOW + HOUR))
    up = way(explanation, Role.UP)
    assert up.asked
    assert [blocker.why for blocker in up.blockers] == [Why.COOLDOWN, Why.MAX_CHANGES]
    assert up.not_before == explanation.not_before == NOW + HOUR
    assert (up.target, up.monthly) == ("scaled", 25)


def test_a_way_that_nobody_asks_for_says_what_guards_would_say():
    calm = steady(CALM, QUIET, tier="scaled")
    down = verdict(ask=Ask.DOWN, tier="scaled", target="mvp", monthly_then=7.0, why=Why.BUDGET, blockers=(BUDGET,))
    explained = way(explain(calm, supposed=[down]), Role.DOWN)
    assert not explained.asked
    assert explained.blockers == (BUDGET,)
    assert explained.not_before is None, "a person has to act"
    assert explained.monthly == 7


def test_the_earliest_time_is_when_both_its_rules_and_its_guards_could_let_it_go():
    up = held_back(COOLDOWN, not_before=COOLDOWN.until)
    for rule, earliest in ((FILLING, NOW + 18 * MINUTE), (replace(FILLING, not_before=NOW + MINUTE), COOLDOWN.until)):
        assert way(explain(steady(rule), supposed=[up]), Role.UP).not_before == earliest


def test_of_any_the_first_that_builds_decides_and_not_one_that_has_not_begun():
    explained = way(explain(steady(IDLE, FILLING)), Role.UP)
    assert explained.waits_for.condition == FILLING.condition
    assert way(explain(steady(IDLE)), Role.UP).waits_for.condition == IDLE.condition


def test_of_all_the_last_decides():
    explained = way(explain(steady(CALM, QUIET)), Role.DOWN)
    assert (explained.waits_for.condition, explained.not_before) == (QUIET.condition, NOW + 24 * HOUR)


def test_of_all_one_that_nobody_can_foresee_decides():
    never = progress("error_rate < 1% for 24h", None, role=Role.DOWN, lacking="no sample yet")
    assert way(explain(steady(QUIET, never)), Role.DOWN).not_before is None


@pytest.mark.parametrize(
    ("rule", "words"),
    (
        (FULL, "12m of 30m"),
        (SLOW, "1h of 1h"),
        (progress("complaints >= 3 within 24h", 1.0, 1 / 3), "1 of 3 in 24h"),
        (progress("oom_kills > 1 within 10m", 0.0), "0 of 2 in 10m"),
        (progress("memory_percent > 95%", 96.0, 1.0), "yes"),
        (replace(QUIET, patience=2), "2d of 4d"),
        (GROWTH, "no"),
    ),
)
def test_how_far_a_rule_is_is_said_in_its_own_terms(rule, words):
    explanation = explain(steady(rule))
    (told,) = explanation.alerts or explanation.ways[0].rules
    assert told.held_words == words


def test_a_new_verdict_is_one_log_line_with_its_reason_its_blockers_the_earliest_time_and_the_cost():
    line = in_short(explain(held_back(COOLDOWN, not_before=COOLDOWN.until)))
    assert line == (
        "holisticos-api  now: Holding at mvp: up to scaled asked for (avg_response_time 9.4s > 8s for 1h), "
        "but cooldown until 14:20 UTC; earliest 14:20 UTC; $7/mo → $25/mo (+$18/mo)"
    )


def test_the_json_says_all_that_the_text_says():
    trends = {FILLING.condition: Trend(30 * MINUTE, (None, 300 * MB, 412 * MB), 400 * MB)}
    calm = steady(FILLING, CALM, GROWTH, alerts=("growth",))
    told = document(explain(calm, supposed=[held_back(COOLDOWN, BUDGET)], trends=trends, plan="starter", polled_at=NOW))
    assert (told["plan"], told["polled_at"], told["not_before_utc"]) == ("starter", NOW, "2026-10-06T14:03:00+00:00")
    memory = told["conditions"][0]
    assert memory["trend"] == {"span_ms": 30 * MINUTE, "values": [None, 300 * MB, 412 * MB]}
    assert (memory["held"], memory["covered"], memory["not_before"]) == (0.4, 1.0, FILLING.not_before)
    up, down = told["ways"]
    assert (up["role"], up["wants"], up["not_before"]) == ("up", "any", None)
    assert [one["why"] for one in up["blockers"]] == ["cooldown", "budget"]
    assert up["blockers"][0]["until_utc"] == "2026-10-06T14:20:00+00:00"
    assert "guards.budget.monthly" in up["blockers"][1]["action"]
    assert (down["wants"], down["blockers"]) == ("all", None)
    assert [one["role"] for one in told["conditions"]] == ["up", "down", "alert"]


TIMES = st.integers(0, 4_000_000_000_000)
NUMBERS = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True))
SENTENCES = st.one_of(
    st.sampled_from([one.condition for one in (SLOW, FULL, BUSY, CALM, QUIET, GROWTH)]),
    st.text(max_size=80),
)
RULES = values_of(
    Progress,
    condition=SENTENCES,
    value=NUMBERS,
    held=st.floats(),
    covered=st.floats(),
    not_before=st.one_of(st.none(), TIMES),
)
BLOCKERS = values_of(Blocker, until=st.one_of(st.none(), TIMES))
VERDICTS = values_of(
    Verdict,
    at=TIMES,
    since=TIMES,
    not_before=st.one_of(st.none(), TIMES),
    monthly_now=NUMBERS,
    monthly_then=NUMBERS,
    progress=st.lists(RULES, max_size=5).map(tuple),
    reasons=st.lists(RULES, max_size=2).map(tuple),
    blockers=st.lists(BLOCKERS, max_size=3).map(tuple),
)


@settings(deadline=None, max_examples=80)
@given(VERDICTS, st.lists(VERDICTS, max_size=2), st.integers(40, 200))
def test_any_verdict_can_be_explained_without_nan_and_never_wider_than_the_terminal(judged, supposed, width):
    trends = {one.condition: Trend(HOUR, (None, 1.0, 0.0), 2.0) for one in judged.progress}
    explanation = explain(judged, supposed=supposed, trends=trends)
    json.dumps(document(explanation), allow_nan=False)
    assert "\n" not in in_short(explanation)
    text = drawn(explanation, width)
    assert [line for line in text.splitlines() if cell_len(line) > width] == []


@pytest.fixture
def berlin(monkeypatch):
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


def test_at_80_columns_without_colour_it_reads_as_it_should(berlin):
    trends = {rule.condition: Trend(HOUR, (None, *(rule.value or 0.0,) * 11), 10.0) for rule in (SLOW, BUSY)}
    asked = held_back(COOLDOWN, BUDGET, progress=(SLOW, FILLING, BUSY, GROWTH))
    assert drawn(explain(asked, trends=trends, plan="starter", polled_at=NOW - 9_000)).rstrip() == SCREEN


def test_what_a_schedule_asks_for_shows_no_empty_table_of_rules():
    text = drawn(explain(verdict(progress=(), reasons=())))
    assert "UP to scaled" in text
    assert "trend" not in text
    assert "rule " not in text


SCREEN = """\
holisticos-api  srv-1  mvp on starter

Verdict     Holding at mvp: up to scaled asked for (avg_response_time 9.4s > 8s
            for 1h), but cooldown until 14:20 UTC; over budget
Since       13:51 UTC, 12m ago
Blocked by  1. The last change is too recent (until 14:20 UTC). Wait, or shorten
            `guards.cooldown`; an emergency rule does not wait.
            2. The larger tier would cost more this month than the budget allows
            (the month would come to $61.20 of $60.00). `autoscaler approve` it
            for once, raise `guards.budget.monthly`, or accept the slower app
            until next month.
Earliest    in 17m, 16:20 CEST (14:20 UTC), if a person has acted by then
Cost        $7/mo → $25/mo (+$18/mo)
Last poll   9s ago

UP to scaled, $25/mo (+$18/mo): any of these
     rule                                 now     trend         held        seen
  *  avg_response_time > 8s for 1h        9.4s    ·███████████  1h of 1h    100%
  -  memory_usage > 400MB for 30m         412 MB                12m of 30m  100%
  -  concurrent_requests > 10 for 15m in  4       ·▄▄▄▄▄▄▄▄▄▄▄  0s of 15m   100%
     80% of samples
  This is what is asked for; the verdict above says what becomes of it.

ALERTS: told, never a step of their own
     rule                                 now     trend         held        seen
  -  daily_active_users >= 100            -                     no          0%
     never told"""
