"""What people answer is kept while the change waits, each person's first word only, however many click at once."""

import asyncio
from dataclasses import replace

import pytest

from autoscaler.core.change import Question, State
from autoscaler.core.consent import Answer
from autoscaler.ports import AnsweredError, PassRecord
from tests.support.stored import SERVICE, a_change, an_event

WAITING = a_change("chg-1", state=State.PROPOSED, question=Question(("mode_ask",), expires=1_000))


def word(who, *, yes=True, at=5_000, change_id="chg-1"):
    return Answer(change_id, who, yes, at, "")


async def test_the_first_word_of_each_person_counts(store, reopen):
    await store.record(PassRecord(SERVICE, (), change=WAITING))
    assert await store.answer(word("ada")) == (WAITING, [word("ada")])
    assert await store.answer(word("ada", yes=False, at=6_000)) == (WAITING, [word("ada")])
    assert await store.answer(word("bob", yes=False, at=4_000)) == (
        WAITING,
        [word("bob", yes=False, at=4_000), word("ada")],
    )
    assert await reopen().answers("chg-1") == [word("bob", yes=False, at=4_000), word("ada")]


async def test_two_clicks_at_once_from_two_workers_are_one_after_the_other(store, reopen):
    await store.record(PassRecord(SERVICE, (), change=WAITING))
    people = [f"person-{number}" for number in range(8)]
    told = await asyncio.gather(*(reopen().answer(word(who)) for who in people))
    assert sorted(len(answers) for _, answers in told) == list(range(1, 9))


async def test_a_change_that_waits_no_more_takes_no_answer(store):
    await store.record(PassRecord(SERVICE, (), change=WAITING))
    over = replace(WAITING, state=State.EXPIRED, ended_at=4_000)
    await store.save_change(over)
    assert await store.answer(word("ada")) == (over, [])
    assert await store.answer(word("ada", change_id="chg-none")) == (None, [])


async def test_a_question_stands_in_nobodys_way_and_is_due_for_nobody(store):
    await store.record(PassRecord(SERVICE, (), change=WAITING))
    await store.record(PassRecord(SERVICE, (), change=a_change("chg-2")))
    assert [one.id for one in await store.due_changes(10**15)] == ["chg-2"]


async def test_when_a_message_arrived_is_known(store):
    await store.tell([an_event("evt-1")])
    assert await store.delivered_at("evt-1") is None
    await store.delivered("evt-1", 9_000, "C1:1")
    assert await store.delivered_at("evt-1") == 9_000
    assert await store.delivered_at("evt-none") is None


async def test_an_end_that_rests_on_fewer_answers_than_there_are_is_refused_as_a_whole(store, reopen):
    await store.record(PassRecord(SERVICE, (), change=WAITING))
    await reopen().answer(word("ada"))
    over = PassRecord(SERVICE, (), moved=replace(WAITING, state=State.EXPIRED, ended_at=4_000), counted=0)
    with pytest.raises(AnsweredError):
        await store.record(over)
    assert await store.change("chg-1") == WAITING
    await store.record(replace(over, counted=1))
    assert (await store.change("chg-1")).state is State.EXPIRED


async def test_an_answer_and_the_end_of_its_question_at_once_are_one_after_the_other(store, reopen):
    for number in range(10):
        waiting = replace(WAITING, id=f"chg-{number}")
        await store.record(PassRecord(SERVICE, (), change=waiting))
        over = PassRecord(SERVICE, (), moved=replace(waiting, state=State.EXPIRED, ended_at=4_000), counted=0)
        (_, answers), ended = await asyncio.gather(
            reopen().answer(word("ada", change_id=waiting.id)), store.record(over), return_exceptions=True
        )
        assert bool(answers) is isinstance(ended, AnsweredError)
