"""Verdicts in words: one sentence, its numbers, and what a person can do."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.durations import HOUR, MINUTE
from autoscaler.core.evaluate import Ask, Role
from autoscaler.core.guards import Blocker
from autoscaler.core.why import Why
from autoscaler.report.log_lines import log_fields, log_line
from autoscaler.report.sentences import (
    WORDS,
    blocker_sentence,
    closest,
    condition_phrase,
    held_phrase,
    verdict_sentence,
)
from tests.support.stories import BUSY, FULL, MB, NOW, SLOW, held_back, progress, steady, verdict

COOLDOWN = Blocker(Why.COOLDOWN, NOW + 17 * MINUTE)
CALM = progress("avg_response_time < 3s for 24h", 0.42, 0.9, role=Role.DOWN)
QUIET = progress("concurrent_requests < 5 for 48h", 2.0, 0.5, role=Role.DOWN)


@pytest.mark.parametrize(
    ("given_verdict", "sentence"),
    (
        (verdict(), "mvp → scaled: avg_response_time 9.4s > 8s for 1h"),
        (verdict(emergency=True), "Emergency: mvp → scaled: avg_response_time 9.4s > 8s for 1h"),
        (
            held_back(COOLDOWN),
            "Holding at mvp: up to scaled asked for (avg_response_time 9.4s > 8s for 1h), but cooldown until 14:20 UTC",
        ),
        (
            held_back(
                COOLDOWN,
                Blocker(Why.APPROVAL_REQUIRED),
                ask=Ask.DOWN,
                tier="scaled",
                target="mvp",
                reasons=(progress("error_rate < 1% for 24h", 0.2, 1.0, role=Role.DOWN),),
            ),
            (
                "Holding at scaled: down to mvp asked for (error_rate 0.2% < 1% for 24h), "
                "but cooldown until 14:20 UTC; approval is required"
            ),
        ),
        (
            held_back(Blocker(Why.AT_TOP), target=None, tier="scaled", reasons=()),
            "Holding at scaled: up asked for, but already on the largest tier",
        ),
        (
            steady(FULL, BUSY),
            "Steady at mvp; closest: memory_usage 412 MB > 400MB for 30m, held 12m of 30m",
        ),
        (steady(BUSY), "Steady at mvp"),
        (
            steady(progress("memory_usage > 400MB for 30m", lacking="window 40% seen")),
            "Steady at mvp; window 40% seen",
        ),
        (
            steady(why=Why.TIER_UNKNOWN, blockers=(Blocker(Why.TIER_UNKNOWN),), tier=None),
            "Holding at an unknown tier: the running tier is not known yet",
        ),
    ),
)
def test_a_verdict_is_one_sentence_with_its_numbers(given_verdict, sentence):
    assert verdict_sentence(given_verdict) == sentence


@pytest.mark.parametrize("why", Why)
def test_every_why_has_words_for_people(why):
    words = WORDS[why]
    assert words.short
    assert not words.short.endswith(".")
    assert words.meaning.endswith(".")
    assert words.action.endswith(".")
    assert blocker_sentence(Blocker(why), NOW) == f"{words.meaning} {words.action}"


def test_every_blocker_has_words_of_its_own():
    assert len({words.short for words in WORDS.values()}) == len(WORDS) == len(Why)
    assert len({words.meaning for words in WORDS.values()}) == len(Why)


@pytest.mark.parametrize("why", [why for why in Why if why.needs_a_person])
def test_what_needs_a_person_says_what_to_do(why):
    assert WORDS[why].action != "Nothing to do."


def test_a_blocker_shows_its_numbers_and_its_end():
    over = Blocker(Why.BUDGET, detail="the month would come to $64.10 of $60.00")
    assert blocker_sentence(over, NOW).startswith(
        "The larger tier would cost more this month than the budget allows (the month would come to $64.10 of $60.00). "
    )
    assert blocker_sentence(COOLDOWN, NOW).startswith("The last change is too recent (until 14:20 UTC). ")


@pytest.mark.parametrize(
    ("one", "phrase"),
    (
        (SLOW, "avg_response_time 9.4s > 8s for 1h"),
        (BUSY, "concurrent_requests 4 (> 10 for 15m in 80% of samples)"),
        (progress("avg_response_time > 8s for 1h", 8.002, 0.1), "avg_response_time 8.002s > 8s for 1h"),
        (progress("memory_usage > 400MB for 30m", 400.3 * MB, 0.1), "memory_usage 400.3 MB > 400MB for 30m"),
        (progress("avg_response_time > 8s for 1h"), "avg_response_time - (> 8s for 1h)"),
        (progress("unreachable for 5m", 1.0, 1.0), "unreachable for 5m"),
        (progress("complaints >= 3 within 24h", 3.0, 1.0), "complaints 3 >= 3 within 24h"),
        (progress("mean(cpu_percent over 10m) > 80% for 1h", 91.0, 0.5, metric="cpu_percent"),
         "mean(cpu_percent over 10m) 91% > 80% for 1h"),
        (progress("queue_depth > 7 for 5m", 9.0, 0.5), "queue_depth 9 > 7 for 5m"),
        (progress("reply_time > 2s for 1h", 2.3456, 1.0), "reply_time 2.35s > 2s for 1h"),
        (progress("mean(heap over 5m) > 20MB", 21.0 * MB, 1.0, metric="heap"), "mean(heap over 5m) 21 MB > 20MB"),
    ),
)  # fmt: skip
def test_a_condition_shows_its_value_and_claims_nothing_false(one, phrase):
    assert condition_phrase(one) == phrase


def test_how_long_a_condition_has_held_is_told_of_its_own_window():
    assert held_phrase(FULL) == "held 12m of 30m"
    assert held_phrase(progress("mean(cpu_percent over 10m) > 80% for 1h", held=0.5)) == "held 30m of 1h"
    assert held_phrase(progress("avg_response_time > 1s for 8s", held=0.3)) == "held 2.4s of 8s"
    assert held_phrase(SLOW) == "holds"
    assert held_phrase(progress("complaints >= 3 within 24h", 1.0, 1 / 3)) == "1 of 3 in 24h"
    assert held_phrase(progress("concurrent_requests > 10", 4.0)) == "not held"


def test_a_window_that_a_failed_down_has_stretched_says_so():
    stretched = progress("memory_usage < 200MB for 48h", held=0.25, patience=2)
    assert held_phrase(stretched) == "held 1d of 4d (instead of 2d, since the last down failed)"


def test_upwards_the_longest_held_condition_is_the_closest_and_downwards_the_last_one():
    assert closest(steady(FULL, SLOW, BUSY)) is SLOW
    assert closest(steady(CALM, QUIET)) is QUIET
    assert closest(steady(FULL, CALM, QUIET)) is QUIET
    assert closest(steady()) is None


def test_a_pass_is_one_line_that_says_what_was_seen_and_decided():
    seen = steady(
        progress("avg_response_time > 1s for 8s", 1.42, 0.625), progress("concurrent_requests > 10 for 8s", 4.0)
    )
    assert log_line(seen, 12.4) == (
        "holisticos-api  mvp  up 62%  avg_response_time 1.42s > 1s for 8s, held 5s of 8s; "
        "concurrent_requests 4 (> 10 for 8s)  steady  12ms"
    )
    assert log_line(held_back(COOLDOWN), 9).endswith("  up: cooldown  9ms")


@given(st.text(), st.text(max_size=300), st.integers(0, 40))
def test_a_log_line_is_one_line_of_at_most_200_characters_with_the_decision_at_its_end(name, lacking, number):
    line = log_line(steady(*[progress("stalled for 5m", lacking=lacking)] * number, service=name), 3)
    assert len(line) <= 200
    assert len(line.splitlines()) == 1
    assert line.endswith("steady  3ms")


def test_the_fields_of_a_log_line_are_json_with_base_units():
    fields = json.loads(json.dumps(log_fields(held_back(COOLDOWN, not_before=NOW + HOUR))))
    assert fields["why"] == "cooldown"
    assert fields["blockers"] == ["cooldown"]
    assert fields["conditions"][1]["value"] == 412 * MB
    assert fields["sentence"].startswith("Holding at mvp")
