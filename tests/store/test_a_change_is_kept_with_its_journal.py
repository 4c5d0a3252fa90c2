from dataclasses import replace

import pytest

from autoscaler.core.change import Attempt, Before, JournalEntry, State
from autoscaler.ports import ChangeOpenError
from tests.support.stored import SERVICE, a_change, a_pass, a_reading, a_verdict, an_event


async def test_a_pass_that_says_go_opens_a_change(store):
    await store.record(a_pass(a_reading(), verdict=a_verdict(), change=a_change(), events=(an_event(),)))
    assert await store.change("chg-1") == a_change()
    assert [one.event for one in await store.undelivered(5_000)] == [an_event()]


async def test_an_unknown_change_is_none(store):
    assert await store.change("chg-unknown") is None


async def test_a_change_is_written_anew_with_all_that_it_remembers(store):
    await store.record(a_pass(change=a_change()))
    later = a_change(
        state=State.SOAKING,
        due_at=9_000,
        before=Before("starter", {"MAX_CONCURRENT": "8", "CACHE": None}, "dep-1", "abc"),
        written=("plan", "env:MAX_CONCURRENT"),
        attempts=(Attempt(2_000, "dep-1"), Attempt(3_000, "dep-1", "dep-2")),
        walking_back="the deploy failed",
        live_at=4_000,
    )
    await store.save_change(later)
    assert await store.changes() == [later]


async def test_a_step_is_written_down_and_again_with_what_came_of_it(store):
    await store.save_change(
        a_change(), journal=[JournalEntry("chg-1", 2, 20, "ask for a deploy"), JournalEntry("chg-1", 1, 10, "set plan")]
    )
    done = JournalEntry("chg-1", 2, 20, "ask for a deploy", "dep-2", 25)
    await store.save_change(a_change(), journal=[done])
    assert await store.journal("chg-1") == [JournalEntry("chg-1", 1, 10, "set plan"), done]
    assert await store.journal("chg-2") == []


async def test_a_second_open_change_is_refused_and_nothing_of_that_pass_is_kept(store):
    await store.record(a_pass(change=a_change("chg-1")))
    second = a_pass(a_reading(), verdict=a_verdict(), change=a_change("chg-2"), events=(an_event(),))
    with pytest.raises(ChangeOpenError, match=r"holisticos-api .*has an open change.*chg-2"):
        await store.record(second)
    assert await store.observations(SERVICE, 0) == []
    assert await store.verdicts() == []
    assert await store.undelivered(5_000) == []
    assert [one.id for one in await store.changes()] == ["chg-1"]


async def test_a_proposal_blocks_nothing_until_it_is_approved(store):
    await store.record(a_pass(change=a_change("chg-1", state=State.PROPOSED)))
    await store.record(a_pass(change=a_change("chg-2")))
    with pytest.raises(ChangeOpenError):
        await store.save_change(a_change("chg-1", state=State.APPROVED), events=[an_event()])
    assert (await store.change("chg-1")).state is State.PROPOSED
    assert await store.undelivered(5_000) == []


@pytest.mark.parametrize("state", sorted(State))
async def test_only_a_change_that_is_open_stands_in_the_way(store, state):
    await store.record(a_pass(change=a_change("chg-1", state=state)))
    if state.is_open:
        with pytest.raises(ChangeOpenError):
            await store.record(a_pass(change=a_change("chg-2")))
    else:
        await store.record(a_pass(change=a_change("chg-2")))


async def test_changes_come_newest_first_by_service_and_state(store):
    old = a_change("chg-1", created_at=1, state=State.DONE)
    new = a_change("chg-2", created_at=2, state=State.FAILED)
    other = a_change("chg-3", created_at=3, service_id="srv-other")
    for change in (new, other, old):
        await store.save_change(change)
    assert await store.changes() == [other, new, old]
    assert await store.changes(limit=1) == [other]
    assert await store.changes(SERVICE) == [new, old]
    assert await store.changes(SERVICE, states=[State.DONE, State.UNDONE]) == [old]
    assert await store.changes(states=[]) == []


async def test_due_are_the_open_and_the_watched_longest_due_first(store):
    for number, state in enumerate(State):
        await store.save_change(a_change(f"chg-{state}", service_id=f"srv-{state}", state=state, due_at=100 - number))
    due = await store.due_changes(100)
    assert [one.state for one in due] == [State.WATCHING, State.SOAKING, State.APPLYING, State.APPROVED]
    late = replace(due[0], due_at=101)
    await store.save_change(late)
    assert late not in await store.due_changes(100)
    assert late in await store.due_changes(101)
