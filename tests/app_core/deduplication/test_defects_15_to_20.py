"""What the seed's own request deduplication got wrong, by its number in the list of proven defects."""

import time

from app_core.deduplication import Deduplicator
from tests.support.asgi import Clock
from tests.support.computation import Counted, Work, begin, outcomes, settle


async def test_15_a_user_whose_name_holds_the_separator_reads_no_other_user_s_result():
    dedup = Deduplicator()
    first, second = Counted("for a_b"), Counted("for a")
    assert await dedup.run(("a_b", "c", "analysis"), first) == "for a_b"
    assert await dedup.run(("a", "b_c", "analysis"), second) == "for a"


async def test_16_a_failed_leader_lets_50_waiters_go_at_once_with_its_error_after_one_execution():
    dedup, work = Deduplicator(), Work()
    calls = await begin(*(dedup.run("key", work) for _ in range(51)))
    work.begun[0].set_exception(OSError("the provider is down"))
    assert {type(outcome) for outcome in await outcomes(calls)} == {OSError}
    assert len(work.begun) == 1


async def test_16_where_waiters_shall_retry_one_leads_and_the_other_49_wait_for_it():
    dedup, work = Deduplicator(on_error="retry"), Work()
    calls = await begin(*(dedup.run("key", work) for _ in range(51)))
    work.begun[0].set_exception(OSError("the provider is down"))
    await settle()
    assert len(work.begun) == 2
    work.begun[1].set_result("result")
    failed, *served = await outcomes(calls)
    assert isinstance(failed, OSError)
    assert served == ["result"] * 50
    assert len(work.begun) == 2


async def test_17_a_leader_that_takes_an_hour_keeps_its_waiters_and_its_lead():
    clock = Clock()
    dedup, work = Deduplicator(clock=clock), Work()
    calls = await begin(*(dedup.run("key", work) for _ in range(51)))
    clock.advance(3600)
    calls += await begin(dedup.run("key", work))
    work.begun[0].set_result("result")
    assert await outcomes(calls) == ["result"] * 52
    assert len(work.begun) == 1


async def test_18_nothing_is_kept_for_a_key_beyond_the_bound():
    dedup = Deduplicator(max_entries=10)
    for user in range(1000):
        await dedup.run((user, "analysis"), Counted())
    stats = dedup.stats()
    assert (stats.entries, stats.in_progress, stats.waiting, stats.evictions) == (10, 0, 0, 990)


async def test_18_a_miss_costs_the_same_with_1_000_and_with_20_000_users():
    """The seed's cost 11 times more. The best of several rounds, as the machine may be busy."""

    async def microseconds(kept: int) -> float:
        dedup, computed = Deduplicator(max_entries=kept), Counted()
        for user in range(kept):
            await dedup.run(("full", user), computed)
        best = float("inf")
        for number in range(15):
            started = time.perf_counter()
            for user in range(200):
                await dedup.run((number, user), computed)
            best = min(best, time.perf_counter() - started)
        return best * 1e6 / 200

    few, many = await microseconds(1000), await microseconds(20_000)
    assert many < 3 * few


async def test_19_what_one_caller_does_to_its_result_no_other_caller_sees():
    dedup, work = Deduplicator(), Work()
    leading, *waiting = await begin(*(dedup.run("key", work) for _ in range(3)))
    work.begun[0].set_result({"steps": [1, 2]})
    (await leading)["steps"].append("changed by the leader")
    for call in waiting:
        result = await call
        assert result == {"steps": [1, 2]}
        result["steps"].append("changed by a waiter")
    later = await dedup.run("key", work)
    later["steps"].append("changed by a later caller")
    assert await dedup.run("key", work) == {"steps": [1, 2]}
    assert len(work.begun) == 1


async def test_20_the_time_to_live_follows_a_clock_that_never_runs_backwards():
    assert Deduplicator.__init__.__kwdefaults__["clock"] is time.monotonic
    clock, computed = Clock(), Counted()
    dedup = Deduplicator(ttl=600, clock=clock)
    await dedup.run("key", computed)
    clock.advance(599.9)
    await dedup.run("key", computed)
    assert computed.executions == 1
    clock.advance(0.1)
    await dedup.run("key", computed)
    assert computed.executions == 2
