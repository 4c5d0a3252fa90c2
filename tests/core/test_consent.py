"""What is asked, and what answers come to: by the facts of the minute, whatever was said and in whatever order (hypothesis)."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.change import Direction, Question, State
from autoscaler.core.consent import (
    AFTER_EXPIRY,
    AFTER_NO,
    YES_LASTS,
    Answer,
    Snooze,
    declined_until,
    expires_at,
    is_asked_again,
    question,
    settled,
    snoozed,
)
from autoscaler.core.durations import DAY, HOUR
from autoscaler.core.evaluate import Ask
from autoscaler.core.guards import Blocker
from autoscaler.core.limits import Approval
from autoscaler.core.why import Why
from tests.support.stored import a_change, a_verdict
from tests.support.stories import progress

NOW = 1_000 * DAY
DIGEST = "4f1a"
ASKED = Question((Why.MODE_ASK,), expires=DAY, asked_at=NOW - HOUR)
WAITING = a_change(state=State.PROPOSED, question=ASKED, policy_digest=DIGEST, created_at=NOW - HOUR)
TARGET = type("Tier", (), {"monthly": 25.0})()


def wants(*whys, **more):
    blockers = tuple(Blocker(why) for why in whys)
    return a_verdict(
        more.pop("at", NOW), **({"ask": Ask.UP, "target": "scaled", "blockers": blockers, "why": Why.MODE_ASK} | more)
    )


def said(who="ada", *, yes=True, at=NOW - 1, reason=""):
    return Answer(WAITING.id, who, yes, at, reason)


@pytest.mark.parametrize("why", [why for why in Why if why not in {Why.GO, Why.STEADY}])
def test_people_are_asked_only_where_a_yes_would_do(why):
    found = question(Approval(), wants(why), TARGET)
    assert (found is not None) is why.lifts_with_a_yes
    assert (question(Approval(), wants(why, Why.MODE_ASK), TARGET) is not None) is (
        why.lifts_with_a_yes or why is Why.NOT_DURING
    )


def test_nobody_is_asked_about_what_needs_no_yes_or_is_not_wanted():
    assert question(Approval(), wants(), TARGET) is None
    assert question(Approval(), wants(Why.MODE_ASK, ask=Ask.HOLD), TARGET) is None
    assert question(Approval(), wants(Why.MODE_ASK), None) is None


@pytest.mark.parametrize(("above", "needed"), ((None, 1), ("25", 1), ("24.99", 2)))
def test_a_dear_tier_takes_two(above, needed):
    assert question(Approval(two_above=above), wants(Why.MODE_ASK), TARGET).needed == needed


ANSWERS = st.lists(
    st.builds(
        Answer,
        st.just(WAITING.id),
        st.sampled_from(("ada", "bob", "eve")),
        st.booleans(),
        st.integers(NOW - 2 * DAY, NOW),
    ),
    max_size=4,
    unique_by=lambda one: one.who,
).map(lambda some: sorted(some, key=lambda one: one.at))


@given(
    answers=ANSWERS,
    whys=st.sets(st.sampled_from(sorted(set(Why) - {Why.GO, Why.STEADY}))),
    needed=st.sampled_from((1, 2)),
    asked_at=st.none() | st.integers(NOW - 3 * DAY, NOW),
    on_expiry=st.sampled_from(("cancel", "proceed")),
    ask=st.sampled_from(Ask),
    digest=st.sampled_from((DIGEST, "other")),
)
def test_it_begins_only_when_enough_have_said_yes_or_silence_counts_and_nothing_else_is_in_the_way(
    answers, whys, needed, asked_at, on_expiry, ask, digest
):
    waiting = replace(WAITING, question=replace(ASKED, needed=needed, asked_at=asked_at, on_expiry=on_expiry))
    verdict = wants(*sorted(whys), ask=ask, target=None if ask is Ask.HOLD else "scaled")
    after = settled(waiting, answers, verdict, digest)
    has_no = any(not one.yes for one in answers)
    has_expired = asked_at is not None and asked_at + DAY <= NOW
    if after is None:
        assert not has_no
        assert digest == DIGEST
        return
    assert after.id == waiting.id
    assert (after.state is State.REJECTED) is has_no
    if after.state is State.APPROVED:
        assert whys <= {Why.MODE_ASK}, "a guard that nobody was asked about"
        assert (ask, digest) == (Ask.UP, DIGEST)
        in_time = [one for one in answers if asked_at is None or one.at < asked_at + DAY]
        assert len(in_time) >= needed or (on_expiry == "proceed" and has_expired)
        assert after.question.agreed_at == NOW
        assert not after.was_only_asked
    else:
        assert (after.ended_at, after.was_only_asked) == (NOW, True)
        assert after.outcome
    if after.state is State.EXPIRED:
        assert has_expired or len(answers) >= needed


def test_a_yes_waits_a_day_for_the_first_minute_and_no_longer():
    verdict = wants(Why.MODE_ASK, Why.NOT_DURING)
    assert settled(WAITING, [said(at=NOW - YES_LASTS + 1)], verdict, DIGEST) is None
    lapsed = settled(WAITING, [said(at=NOW - YES_LASTS)], verdict, DIGEST)
    assert (lapsed.state, lapsed.outcome) == (
        State.EXPIRED,
        "ada said yes, and for 1d it was held: not during",
    )


def test_a_yes_that_comes_after_the_question_has_expired_counts_for_nothing():
    old = replace(WAITING, question=replace(ASKED, asked_at=NOW - DAY - HOUR))
    assert settled(old, [said(at=NOW - HOUR)], wants(Why.MODE_ASK), DIGEST).state is State.EXPIRED
    assert settled(old, [said(at=NOW - HOUR - 1)], wants(Why.MODE_ASK), DIGEST).state is State.APPROVED


def test_a_guard_that_came_up_since_is_another_question():
    after = settled(WAITING, [said()], wants(Why.MODE_ASK, Why.BUDGET), DIGEST)
    assert (after.state, after.outcome) == (State.SUPERSEDED, "another step is needed now")


def test_what_asks_nothing_is_settled_by_nobody():
    with pytest.raises(ValueError, match="asks nothing"):
        settled(a_change(), [], wants(Why.MODE_ASK), DIGEST)


@pytest.mark.parametrize(
    ("state", "waits"), ((State.REJECTED, AFTER_NO), (State.EXPIRED, AFTER_EXPIRY), (State.SUPERSEDED, None))
)
def test_how_long_it_is_not_asked_again(state, waits):
    over = replace(WAITING, state=state, ended_at=NOW, outcome="as it ended")
    expected = None if waits is None else (NOW + waits, "as it ended")
    assert declined_until([over], "scaled", DIGEST) == expected
    assert declined_until([over], "large", DIGEST) is None
    assert declined_until([over], "scaled", "other") is None
    assert declined_until([replace(over, question=None)], "scaled", DIGEST) is None


@pytest.mark.parametrize(
    ("then", "now", "asked_again"),
    (
        ({"rps > 10": 12.0}, {"rps > 10": 15.0}, False),
        ({"rps > 10": 12.0}, {"rps > 10": 15.1}, True),
        ({"rps > 10": 12.0}, {"rps > 10": 12.0, "memory > 1GB": 2.0}, True),
        ({"rps > 10": 12.0, "memory > 1GB": 2.0}, {"rps > 10": 12.0}, False),
        ({"rps > 10": 12.0}, {}, False),
        ({}, {"rps > 10": 99.0}, False),
    ),
)
@pytest.mark.parametrize("direction", Direction)
def test_after_a_no_to_going_up_a_much_larger_load_is_asked_about_and_no_noise(then, now, asked_again, direction):
    over = replace(
        WAITING, state=State.REJECTED, direction=direction, ended_at=NOW, question=replace(ASKED, values=then)
    )
    reasons = [progress(name, value) for name, value in now.items()]
    waits = declined_until([over], "scaled", DIGEST, reasons)
    assert (waits is None) is (asked_again and direction is Direction.UP)


def test_a_snooze_takes_the_expiry_away_until_it_is_asked_again():
    snoozed_at = Snooze(WAITING.id, "ada", NOW, NOW + HOUR)
    rests = snoozed(WAITING, snoozed_at)
    assert expires_at(rests.question) is None
    assert snoozed(rests, snoozed_at) is rests, "heard of once"
    assert settled(rests, [], wants(Why.MODE_ASK, at=NOW + 30 * DAY), DIGEST) is None
    assert settled(rests, [said(at=NOW + 30 * DAY)], wants(Why.MODE_ASK, at=NOW + 30 * DAY), DIGEST).state is (
        State.APPROVED
    )
    hours = Approval(ask="mon-fri 09:00-17:00 UTC")
    at = next(NOW + HOUR * hour for hour in range(200) if hours.ask.contains(NOW + HOUR * hour) and hour > 1)
    assert not is_asked_again(rests.question, Approval(), NOW, emergency=False)
    assert is_asked_again(rests.question, hours, at, emergency=False)
    night = next(at + HOUR * hour for hour in range(200) if not hours.ask.contains(at + HOUR * hour))
    assert not is_asked_again(rests.question, hours, night, emergency=False)
    assert is_asked_again(rests.question, hours, night, emergency=True)
    asked = replace(rests.question, asked_at=at)
    assert not is_asked_again(asked, Approval(), night, emergency=False)
