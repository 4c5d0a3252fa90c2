from tests.support.stored import a_change, a_pass, an_event


async def _tell(store, *events):
    await store.record(a_pass(events=events))


async def _due(store, now=5_000, **more):
    return [one.event.id for one in await store.undelivered(now, **more)]


async def test_a_new_event_is_due_at_once_even_when_the_clock_was_set_back(store):
    await _tell(store, an_event(at=1_000_000))
    assert await _due(store, now=1) == ["evt-1"]


async def test_the_same_id_twice_is_no_second_event(store):
    await _tell(store, an_event())
    await store.save_change(a_change(), events=[an_event(at=2_000), an_event("evt-2", thread=None)])
    (first, second) = await store.undelivered(5_000)
    assert first.event == an_event()
    assert second.event.id == "evt-2"


async def test_an_event_that_was_delivered_is_not_told_again_when_its_pass_is_repeated(store):
    await _tell(store, an_event())
    await store.delivered("evt-1", 2_000, "C1:1.0")
    await _tell(store, an_event())
    assert await _due(store) == []


async def test_of_a_thread_only_the_first_is_due_and_the_others_follow_it(store):
    await _tell(store, an_event("evt-1"), an_event("evt-2"), an_event("evt-3", thread="chg-9"), an_event("evt-4"))
    assert await _due(store) == ["evt-1", "evt-3"]
    await store.delivered("evt-1", 2_000, "C1:1.0")
    (second, _) = await store.undelivered(5_000)
    assert (second.event.id, second.parent) == ("evt-2", "C1:1.0")
    await store.delivered("evt-2", 2_001, "C1:2.0")
    (_, last) = await store.undelivered(5_000)
    assert (last.event.id, last.parent) == ("evt-4", "C1:1.0")


async def test_events_without_a_thread_wait_for_nobody(store):
    await _tell(store, *(an_event(f"evt-{number}", thread=None) for number in range(3)))
    assert await _due(store) == ["evt-0", "evt-1", "evt-2"]
    assert await _due(store, limit=2) == ["evt-0", "evt-1"]
    await store.delivered("evt-0", 2_000, "C1:1.0")
    assert [one.parent for one in await store.undelivered(5_000)] == [None, None]


async def test_one_that_is_to_be_tried_later_holds_its_thread_until_then(store):
    await _tell(store, an_event("evt-1"), an_event("evt-2"), an_event("evt-3", thread=None))
    await store.not_delivered("evt-1", 9_000, "Slack: rate limited")
    assert await _due(store, now=8_999) == ["evt-3"]
    (first, _) = await store.undelivered(9_000)
    assert (first.event.id, first.attempts, first.parent) == ("evt-1", 1, None)


async def test_a_thread_whose_first_will_never_go_goes_on_with_the_next(store):
    await _tell(store, an_event("evt-1"), an_event("evt-2"), an_event("evt-3"))
    await store.not_delivered("evt-1", None, "channel_not_found")
    (second,) = await store.undelivered(5_000)
    assert (second.event.id, second.parent) == ("evt-2", None)
    await store.delivered("evt-2", 2_000, "C2:7.0")
    (third,) = await store.undelivered(5_000)
    assert (third.event.id, third.parent) == ("evt-3", "C2:7.0")


async def test_a_message_that_left_no_reference_is_no_parent(store):
    await _tell(store, an_event("evt-1"), an_event("evt-2"))
    await store.delivered("evt-1", 2_000, None)
    (second,) = await store.undelivered(5_000)
    assert second.parent is None


async def test_the_error_of_one_that_never_went_is_kept(store):
    await _tell(store, an_event())
    await store.not_delivered("evt-1", None, "channel_not_found \0")
    assert await store.prune(10**15) == 0
    with store.database.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT attempts, error FROM events").one() == (1, "channel_not_found \ufffd")
