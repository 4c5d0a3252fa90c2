import asyncio

from autoscaler.ports import ChangeOpenError
from tests.support.stored import a_change, a_pass, a_reading


async def test_of_two_workers_that_open_a_change_at_once_exactly_one_does(store, reopen):
    workers = (store, reopen(), reopen())
    for round_ in range(10):
        service = f"srv-{round_}"
        passes = [
            a_pass(a_reading(number), service_id=service, change=a_change(f"{service}-{number}", service_id=service))
            for number in range(len(workers))
        ]
        outcomes = await asyncio.gather(
            *(worker.record(one) for worker, one in zip(workers, passes, strict=True)), return_exceptions=True
        )
        lost = [outcome for outcome in outcomes if isinstance(outcome, ChangeOpenError)]
        assert (outcomes.count(None), len(lost)) == (1, 2), outcomes
        winner = outcomes.index(None)
        assert await store.observations(service, 0) == [a_reading(winner)]
        assert [one.id for one in await store.changes(service)] == [f"{service}-{winner}"]


async def test_passes_of_many_services_at_once_are_all_kept(store, reopen):
    other = reopen()
    services = [f"srv-{number}" for number in range(20)]
    await asyncio.gather(
        *(worker.record(a_pass(a_reading(), service_id=one)) for one in services for worker in (store, other))
    )
    assert [len(await store.observations(one, 0)) for one in services] == [2] * 20
