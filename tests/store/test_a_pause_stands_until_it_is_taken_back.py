from dataclasses import replace

from autoscaler.core.facts import Pause
from tests.support.stored import SERVICE, an_event

PAUSE = Pause(SERVICE, 1_000, 9_000, down_only=True, who="ada", note="launch day")


async def test_a_service_has_the_pause_that_was_set_last_and_others_have_none(store, reopen):
    assert await store.paused(SERVICE) is None
    await store.pause(PAUSE, an_event())
    later = replace(PAUSE, at=2_000, until=None, down_only=False)
    await store.pause(later, an_event())
    assert await reopen().paused(SERVICE) == later
    assert await store.paused("srv-another") is None


async def test_after_it_was_taken_back_there_is_none_and_again_is_no_failure(store):
    await store.pause(PAUSE, an_event())
    await store.resume(SERVICE, an_event())
    await store.resume(SERVICE, an_event())
    assert await store.paused(SERVICE) is None
