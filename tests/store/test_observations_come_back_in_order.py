from autoscaler.core.observations import Masked, Miss, Missed, Signal, TierChanged
from tests.support.stored import SERVICE, a_change, a_pass, a_reading


async def test_every_kind_comes_back_as_it_was_seen(store):
    seen = [
        a_reading(1),
        Missed(2, Miss.TIMED_OUT, "no answer", timeout=10_000),
        Masked(3, 300_003, "new instance"),
        TierChanged(4, "mvp", "starter", 1, spent=("complaints",)),
        Signal(5, "complaints", who="U024BE7LH"),
    ]
    await store.record(a_pass(*seen))
    assert await store.observations(SERVICE, 0) == seen


async def test_they_come_in_arrival_order_whatever_their_times(store):
    await store.record(a_pass(a_reading(30), a_reading(10)))
    await store.record(a_pass(a_reading(20)))
    assert [one.at for one in await store.observations(SERVICE, 0)] == [30, 10, 20]


async def test_since_is_inclusive(store):
    await store.record(a_pass(a_reading(10), a_reading(20), a_reading(30)))
    assert [one.at for one in await store.observations(SERVICE, 20)] == [20, 30]


async def test_services_are_kept_apart(store):
    await store.record(a_pass(a_reading(10), TierChanged(11, "mvp", "starter", 1), service_id="srv-a"))
    await store.record(a_pass(a_reading(20), service_id="srv-b"))
    assert [one.at for one in await store.observations("srv-b", 0)] == [20]
    assert await store.tier_changes("srv-b") == []


async def test_tier_changes_are_given_oldest_first_without_the_rest(store):
    first, second = TierChanged(1, "mvp", "starter", 1), TierChanged(5, None, "pro_max", 2)
    await store.record(a_pass(first, a_reading(2)))
    await store.record(a_pass(a_reading(4), second))
    assert await store.tier_changes(SERVICE) == [first, second]


async def test_a_change_that_went_live_brings_its_tier_with_it(store):
    live = TierChanged(9, "scaled", "standard", 1, spent=("complaints",))
    await store.save_change(a_change(), observations=[live])
    assert await store.tier_changes(SERVICE) == [live]


async def test_an_empty_pass_leaves_nothing(store):
    await store.record(a_pass())
    assert await store.observations(SERVICE, 0) == []


async def test_text_that_no_database_takes_is_kept_as_far_as_it_can_be(store):
    await store.record(a_pass(Missed(1, Miss.MISCONFIGURED, "half \ud83d and nul \0 of a body")))
    (missed,) = await store.observations(SERVICE, 0)
    assert missed.detail == "half \ufffd and nul \0 of a body"


async def test_a_value_that_is_no_number_does_not_spoil_the_row(store):
    await store.record(a_pass(a_reading(1, gauges={"a": float("inf"), "b": float("nan")})))
    (reading,) = await store.observations(SERVICE, 0)
    assert repr(reading.gauges) == "{'a': inf, 'b': nan}"
