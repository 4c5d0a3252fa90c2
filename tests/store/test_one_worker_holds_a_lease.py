"""Of many workers one acts on a service, and what another one writes about it is refused: on both databases alike."""

import asyncio
from collections import Counter

import pytest

from autoscaler.core.change import JournalEntry
from autoscaler.core.observations import Signal, Told
from autoscaler.errors import FencedError, StoreError
from autoscaler.ports import Fence, Heartbeat
from tests.support.stored import SERVICE, a_change, a_pass, a_reading, an_event

OTHER = "srv-another"
TTL = 25.0


class Holding:
    """ports.Fences: what a worker believes to hold."""

    def __init__(self, *fences):
        self.fences = {fence.service_id: fence for fence in fences}

    def fence(self, service_id):
        return self.fences.get(service_id)

    def held(self):
        return self.fences.keys()


def beat(worker, *, dry_run=False):
    return Heartbeat(worker, 1, 10, 0, dry_run=dry_run)


async def dies(store, worker, services):
    """Long ago, and without a word."""
    await store.claim(worker, services, 0.0)
    await store.close()


async def overtaken(store, reopen, *services):
    """A worker that died, as it believes to be; and a store for its heir."""
    claimed = await store.claim("first", services, TTL)
    late, heir = reopen(), reopen()
    await dies(store, "first", services)
    assert [fence.epoch for fence in await heir.claim("second", services, TTL)] == [2] * len(services)
    return late.bound(Holding(*claimed)), heir


async def test_what_is_free_is_taken_and_what_another_one_holds_is_not(store, reopen):
    mine = await store.claim("first", [SERVICE, OTHER], TTL)
    assert mine == (Fence(OTHER, "first", 1), Fence(SERVICE, "first", 1))
    other = reopen()
    assert await other.claim("second", [SERVICE, OTHER], TTL) == ()
    assert await other.leases() == mine


async def test_a_renewal_keeps_its_epoch(store):
    first = await store.claim("first", [SERVICE], TTL)
    assert await store.claim("first", [SERVICE], TTL) == first
    await store.claim("first", [SERVICE], 0.0)
    assert await store.leases() == ()
    assert await store.claim("first", [SERVICE], TTL) == first, "it ran out and nobody took it"


async def test_one_that_ran_out_is_taken_over_with_the_next_epoch(store, reopen):
    await store.claim("first", [SERVICE], TTL)
    heir = reopen()
    await dies(store, "first", [SERVICE])
    assert await heir.claim("second", [SERVICE], TTL) == (Fence(SERVICE, "second", 2),)


async def test_what_is_released_is_free_at_once(store, reopen):
    await store.claim("first", [SERVICE, OTHER], TTL)
    await store.release("first", [OTHER])
    assert await store.leases() == (Fence(SERVICE, "first", 1),)
    await store.release("first")
    assert await store.leases() == ()
    assert await reopen().claim("second", [SERVICE, OTHER], TTL) == (
        Fence(OTHER, "second", 2),
        Fence(SERVICE, "second", 2),
    )


async def test_no_more_is_taken_than_was_said_and_what_is_held_already_is_renewed(store):
    services = [f"srv-{number}" for number in range(5)]
    first = await store.claim("first", services, TTL, most=2)
    assert [fence.service_id for fence in first] == ["srv-0", "srv-1"]
    assert await store.claim("first", services, TTL, most=1) == first
    assert len(await store.claim("first", services, TTL, most=4)) == 4


@pytest.mark.parametrize(("left", "taken"), ((-10.0, 4), (0.0, 1), (None, 1)))
async def test_what_ran_out_a_while_ago_is_taken_beyond_ones_part_and_what_was_handed_over_is_not(store, left, taken):
    """Several workers may have died at once; while a lease that has just run out, or was given up, is left to whose part it is."""
    services = ["srv-1", "srv-2", "srv-3", "srv-4"]
    await store.claim("dead", services, TTL if left is None else left)
    if left is None:
        await store.release("dead", services)
    assert len(await store.claim("heir", services, TTL, most=1)) == taken


async def test_what_somebody_held_and_took_back_has_another_epoch_for_the_same_worker(store):
    (before,) = await store.claim("first", [SERVICE], TTL)
    await store.release("first", [SERVICE])
    assert await store.claim("first", [SERVICE], TTL) == (Fence(SERVICE, "first", 2),)
    with pytest.raises(FencedError):
        await store.bound(Holding(before)).record(a_pass(a_reading()))


async def test_nothing_that_an_overtaken_worker_writes_about_a_service_is_kept(store, reopen):
    change, step = a_change(), JournalEntry("chg-1", 1, 1_000, "set plan standard")
    await store.record(a_pass(change=change, events=(an_event(),)))
    late, heir = await overtaken(store, reopen, SERVICE)
    for write in (
        late.record(a_pass(a_reading())),
        late.save_change(change, journal=[step], observations=[Signal(1, "oom_kills")]),
        late.delivered("evt-1", 2_000, "C1:1.0"),
        late.not_delivered("evt-1", None, "refused"),
    ):
        with pytest.raises(FencedError, match=rf"Another worker looks after {SERVICE} now"):
            await write
    assert await heir.observations(SERVICE, 0) == []
    assert await heir.journal("chg-1") == []
    assert [one.attempts for one in await heir.undelivered(10_000)] == [0]


async def test_an_overtaken_worker_reads_on_and_people_write_without_a_lease(store, reopen):
    late, heir = await overtaken(store, reopen, SERVICE)
    await heir.record(a_pass(a_reading(), events=(an_event(),)))
    assert await late.observations(SERVICE, 0) == [a_reading()]


async def test_a_worker_writes_about_its_own_services_only(store):
    mine = store.bound(Holding(*await store.claim("first", [SERVICE], TTL)))
    await mine.record(a_pass(a_reading(), events=(an_event(),)))
    await mine.delivered("evt-1", 2_000, "C1:1.0")
    with pytest.raises(FencedError):
        await mine.record(a_pass(a_reading(), service_id=OTHER))
    assert await store.observations(OTHER, 0) == []


async def test_a_worker_is_given_the_messages_of_its_own_services_whatever_else_waits(store):
    events = [an_event(f"evt-{number}", service_id=f"srv-{number % 60}", thread=None) for number in range(120)]
    await store.tell(events)
    mine = store.bound(Holding(Fence("srv-59", "first", 1)))
    assert [one.event.id for one in await mine.undelivered(1_000)] == ["evt-59", "evt-119"]


async def test_a_claim_and_a_write_at_once_leave_one_of_them_standing(store, reopen):
    (fence,) = await store.claim("first", [SERVICE], TTL)
    if store.address.file is not None:
        pytest.skip("SQLite's one worker has no rival")
    other, mine, kept = reopen(), store.bound(Holding(fence)), 0
    for number in range(50):
        await store.claim(fence.holder, [SERVICE], 0.0)
        written, claimed = await asyncio.gather(
            mine.record(a_pass(a_reading(number))), other.claim("second", [SERVICE], TTL), return_exceptions=True
        )
        assert written is None or isinstance(written, FencedError)
        kept += written is None
        if claimed:
            await other.release("second", [SERVICE])
            (fence,) = await store.claim("first", [SERVICE], TTL)
            mine = store.bound(Holding(fence))
    assert len(await store.observations(SERVICE, 0)) == kept


async def test_of_many_that_claim_at_once_each_service_has_one(store, reopen):
    services = [f"srv-{number}" for number in range(30)]
    stores = [store, *(reopen() for _ in range(3))]
    workers = [f"w-{number}" for number in range(4)]
    for _ in range(3):
        claimed = await asyncio.gather(
            *(one.claim(name, services, TTL, most=8) for one, name in zip(stores, workers, strict=True))
        )
    holders = Counter(fence.service_id for fences in claimed for fence in fences)
    assert set(holders.values()) == {1}
    assert len(await store.leases()) == len(holders)
    if store.address.file is None:
        assert len(holders) == 30
    else:
        assert len(holders) == 8, "a file has one worker"


async def test_a_worker_lives_that_claimed_lately_until_it_says_good_bye(store, reopen):
    await store.beat(beat("first"))
    assert await store.alive(TTL) == [], "it has shown itself, and not claimed"
    await store.claim("first", [], TTL)
    assert await store.alive(TTL) == [beat("first")]
    assert await store.alive(0.0) == []
    await store.release("first")
    assert await store.alive(TTL) == []
    assert await store.heartbeats() == [beat("first")]


async def test_what_is_unfinished_is_a_change_that_is_not_over_or_a_message_that_waits(store):
    await store.record(a_pass(change=a_change(), service_id=SERVICE))
    await store.tell([an_event("evt-1", service_id=OTHER), an_event("evt-2", service_id="srv-told")])
    await store.not_delivered("evt-2", None, "refused for good")
    assert await store.unfinished() == {SERVICE, OTHER}
    await store.delivered("evt-1", 2_000, None)
    assert await store.unfinished() == {SERVICE}


async def test_a_word_that_is_told_while_others_write_is_heard(store, reopen):
    """Numbers are given out before commits: a word must not come in below what was heard."""
    writers, people = [reopen(), reopen()], reopen()
    heard, after, told = set(), 0, 40

    async def write(writer, number):
        for at in range(told):
            await writer.record(a_pass(*(a_reading(at) for _ in range(number + 1))))

    async def tell():
        for number in range(told):
            await people.record(a_pass(Told(number, "complaints", 1.0, id=f"told-{number}")))

    writing = asyncio.gather(*(write(writer, number) for number, writer in enumerate(writers)), tell())
    while not writing.done():
        words, after = await store.told(after)
        heard |= {word.told.id for word in words}
    await writing
    words, after = await store.told(after)
    assert heard | {word.told.id for word in words} == {f"told-{number}" for number in range(told)}


async def test_a_claim_that_fails_lets_the_next_process_try(sqlite_url, open_another):
    first, second = open_another(sqlite_url), open_another(sqlite_url)
    await second.migrate()
    with first.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")
    with pytest.raises(StoreError):
        await first.claim("first", [SERVICE], TTL)
    assert len(await second.claim("second", [SERVICE], TTL)) == 1


async def test_who_stands_still_in_a_transaction_keeps_nobody_from_taking_over(store, reopen):
    """The server cuts such a worker off: until then its lease's row is locked."""
    if store.database.engine.dialect.name == "sqlite":
        pytest.skip("SQLite's one worker has no rival")
    await store.claim("frozen", [SERVICE], 0.0)
    with store.database.engine.connect() as connection:
        shown = connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar_one()
        assert shown == "10s"
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout TO '1s'")
        connection.exec_driver_sql("SELECT holder FROM autoscaler.leases FOR SHARE")
        heir = reopen()
        assert await heir.claim("heir", [SERVICE], TTL) == ()
        async with asyncio.timeout(20):
            while not await heir.claim("heir", [SERVICE], TTL):
                pass
        connection.invalidate()
