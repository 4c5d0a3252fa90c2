import pytest

from autoscaler.adapters.store.store import PAGE
from autoscaler.core.observations import Masked, Miss, Missed, Signal, TierChanged
from tests.support.stored import SERVICE, a_change, a_pass, a_reading, a_verdict, an_event


async def test_only_readings_and_misses_before_the_time_go(store):
    kept = [Masked(1, 2, "start"), TierChanged(1, "mvp", "starter", 1), Signal(1, "oom_kills"), a_reading(100)]
    await store.record(a_pass(a_reading(1), Missed(2, Miss.RESET), *kept, a_reading(99)))
    assert await store.prune(100) == 3
    assert await store.observations(SERVICE, 0) == kept


async def test_changes_and_verdicts_stay_for_ever(store):
    await store.record(a_pass(verdict=a_verdict(1), change=a_change(created_at=1)))
    assert await store.prune(10**15) == 0
    assert await store.verdicts() == [a_verdict(1)]
    assert await store.changes() == [a_change(created_at=1)]


async def test_events_go_once_they_were_delivered_before_the_time(store):
    await store.record(a_pass(events=(an_event("evt-1"), an_event("evt-2"), an_event("evt-3"))))
    await store.delivered("evt-1", 99, "C1:1.0")
    await store.delivered("evt-2", 100, "C1:2.0")
    assert await store.prune(100) == 1
    assert [one.event.id for one in await store.undelivered(200)] == ["evt-3"]


@pytest.mark.parametrize("count", (PAGE - 1, PAGE, 2 * PAGE + 1))
async def test_it_goes_on_over_many_pages_and_past_what_is_kept(store, count):
    signals = [Signal(1, "complaints") for _ in range(PAGE)]
    await store.record(a_pass(*signals, *(a_reading(2) for _ in range(count)), a_reading(100)))
    await store.record(a_pass(events=tuple(an_event(f"evt-{number}", thread=None) for number in range(3))))
    assert await store.prune(100) == count
    assert len(await store.observations(SERVICE, 2)) == 1
    assert await store.prune(100) == 0
