from autoscaler.core.evaluate import Ask
from autoscaler.core.guards import Blocker
from autoscaler.core.why import Why
from tests.support.stored import SERVICE, a_pass, a_reading, a_verdict

COOLING = Blocker(Why.COOLDOWN, until=99, detail="20 of 30 minutes")
OVER_BUDGET = Blocker(Why.BUDGET)


async def _judge(store, verdict):
    await store.record(a_pass(a_reading(verdict.at), service_id=verdict.service_id, verdict=verdict))


async def test_the_same_verdict_again_updates_the_row_in_place(store):
    await _judge(store, a_verdict(1))
    await _judge(store, a_verdict(2, since=1, alerts=("growth",)))
    assert await store.verdicts() == [a_verdict(2, since=1, alerts=("growth",))]


async def test_it_stands_since_its_first_pass_whatever_a_later_one_says(store):
    await _judge(store, a_verdict(10, since=10))
    await _judge(store, a_verdict(20, since=20))
    assert [one.since for one in await store.verdicts()] == [10]
    assert [one.since for one in await store.last_verdicts()] == [10]


async def test_another_verdict_is_another_row_newest_first(store):
    steady = a_verdict(1)
    cooling = a_verdict(2, ask=Ask.UP, target="scaled", why=Why.COOLDOWN, blockers=(COOLING, OVER_BUDGET))
    steady_again = a_verdict(3)
    for verdict in (steady, cooling, steady_again):
        await _judge(store, verdict)
    assert await store.verdicts(SERVICE) == [steady_again, cooling, steady]
    assert await store.verdicts(SERVICE, limit=2) == [steady_again, cooling]


async def test_other_blockers_behind_the_same_why_are_another_verdict(store):
    await _judge(store, a_verdict(1, why=Why.COOLDOWN, blockers=(COOLING,)))
    await _judge(store, a_verdict(2, why=Why.COOLDOWN, blockers=(COOLING, OVER_BUDGET)))
    assert len(await store.verdicts()) == 2


async def test_each_service_has_its_own_last_verdict(store):
    await _judge(store, a_verdict(1, service_id="srv-z", service="able"))
    await _judge(store, a_verdict(1, service_id="srv-a", service="zebra"))
    await _judge(store, a_verdict(2, service_id="srv-z", service="able"))
    await _judge(store, a_verdict(3, service_id="srv-a", service="zebra", why=Why.SUSPENDED))
    assert [(one.service, one.at, one.why) for one in await store.last_verdicts()] == [
        ("able", 2, Why.STEADY),
        ("zebra", 3, Why.SUSPENDED),
    ]
    assert [one.at for one in await store.verdicts("srv-z")] == [2]


async def test_the_columns_say_from_when_to_when_it_stood(store, reopen):
    await _judge(store, a_verdict(10, why=Why.COOLDOWN, blockers=(COOLING, OVER_BUDGET)))
    await _judge(store, a_verdict(40, why=Why.COOLDOWN, blockers=(COOLING, OVER_BUDGET)))
    with store.database.engine.connect() as connection:
        row = connection.exec_driver_sql("SELECT first_at, last_at, ask, why, blockers, tier FROM verdicts").one()
    assert tuple(row) == (10, 40, "hold", "cooldown", '["cooldown", "budget"]', "mvp")
