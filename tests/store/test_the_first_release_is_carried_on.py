"""A database of the first release, with rows as that release wrote them, is brought up to date and goes on."""

import asyncio
import json

import pytest

from autoscaler.adapters.store import open_store
from autoscaler.adapters.store.bodies import dump, load
from autoscaler.adapters.store.tables import HEAD
from autoscaler.core.change import Change, JournalEntry, State
from autoscaler.core.guards import Verdict
from autoscaler.core.observations import Masked, Missed, Reading, Signal, TierChanged, Told
from autoscaler.errors import StoreError
from autoscaler.ports import Event, Heartbeat
from render_client.sim.clock import MANUAL_START
from tests.store.first_release import KILLED_AT, LIVE_THEN, ROWS, left_by_the_first_release
from tests.support.rig import SCALED_ENV, SERVICE, running_rig
from tests.support.stored import a_pass, a_reading

SHAPES = {"verdicts": Verdict, "changes": Change, "journal": JournalEntry, "events": Event, "heartbeats": Heartbeat}
LATER = {"hours", "leases", "pauses"}
"""Tables that the first release did not have."""


@pytest.fixture
async def first(url):
    """The URL of a database that the first release has left."""
    await left_by_the_first_release(url)
    return url


def bodies(store, table, columns="body"):
    with store.database.engine.connect() as connection:
        return connection.exec_driver_sql(f"SELECT {columns} FROM {table} ORDER BY 1, 2").all()  # noqa: S608 - a test's own words


async def test_every_row_comes_back_with_all_that_the_first_release_had_written(first, open_another):
    store = open_another(first)
    await store.migrate()
    seen = await store.observations(SERVICE, 0)
    assert {type(one) for one in seen} == {Reading, Missed, Masked, TierChanged, Signal, Told}
    written = [json.loads(body) for _, body in bodies(store, "observations", "number, body")]
    assert [keys(json.loads(dump(one)), then) for one, then in zip(seen, written, strict=True)] == written
    for table, shape in SHAPES.items():
        for _, body in bodies(store, table, "1, body"):
            then = json.loads(body)
            assert keys(json.loads(dump(load(shape, body))), then) == then
    counts = [len(await store.changes()), len(await store.verdicts()), len(await store.heartbeats())]
    assert counts == [3, 3, 1]
    assert [len(await store.journal(name)) for name in ("chg-up", "chg-down", "chg-open")] == [8, 8, 2]


def keys(now, then):
    """What is there now of what was there then; every later key is left out."""
    if isinstance(now, dict) and isinstance(then, dict):
        return {key: keys(now[key], value) for key, value in then.items() if key in now}
    if isinstance(now, list) and isinstance(then, list):
        return [keys(one, other) for one, other in zip(now, then, strict=True)]
    return now


async def test_what_comes_of_them_are_the_values_that_they_were(first, open_another):
    store = open_another(first)
    await store.migrate()
    done, down, open_ = reversed(await store.changes())
    assert [(one.state, one.origin.tier, one.target.tier) for one in (done, down, open_)] == [
        (State.DONE, "mvp", "scaled"),
        (State.DONE, "scaled", "mvp"),
        (State.APPLYING, "mvp", "scaled"),
    ]
    assert await store.due_changes(KILLED_AT) == [open_]
    assert [(entry.step, entry.outcome) for entry in await store.journal("chg-open")] == [
        ("approved → applying", "noted"),
        ("set plan standard", None),
    ]
    assert [one.tier for one in await store.tier_changes(SERVICE)] == ["mvp", "scaled", "mvp"]
    assert [one.who for one in await store.kills(SERVICE)] == ["evt-oom-1"]
    words, _ = await store.told(0)
    assert [word.told for word in words] == [
        Told(1767600160000, "complaints", 1.0, "anna", id="told-1", note="slow this morning")
    ]
    assert [verdict.why for verdict in await store.verdicts()] == ["go", "deploy_loop", "steady"]
    assert [(beat.worker, beat.at) for beat in await store.heartbeats()] == [("worker-1", KILLED_AT)]
    assert await store.leases() == ()


async def test_what_had_not_been_told_is_told_and_what_had_been_is_not(first, open_another):
    store = open_another(first)
    await store.migrate()
    assert [one.event.id for one in await store.undelivered(KILLED_AT)] == ["chg-open:started"]
    waiting = await store.undelivered(KILLED_AT + 30_000)
    assert [(one.event.id, one.attempts, one.event.channel) for one in waiting] == [
        ("chg-open:started", 0, "#ops"),
        ("blind-1", 1, "#ops"),
    ]
    for one in waiting:
        await store.delivered(one.event.id, KILLED_AT + 30_000, "C1:1.0")
    assert await store.undelivered(10**15) == []


async def test_a_change_that_was_under_way_is_brought_to_its_end(url, tmp_path):
    async with running_rig(tmp_path) as rig:
        live = rig.service.live_deploy
        await left_by_the_first_release(url, ROWS.replace(LIVE_THEN, live.id))
        rig.sim.clock.advance((KILLED_AT - MANUAL_START) / 1000 + 20)
        rig.url = url
        await _migrated(url)
        await rig.restart()
        await rig.run(minutes=2)
        (opened,) = [one for one in await rig.changes() if one.id == "chg-open"]
        assert (opened.state, opened.outcome) == (
            State.WATCHING,
            "standard is live and the app confirms 2 of 2 settings",
        )
        assert [entry.step for entry in await rig.store.journal("chg-open")][:6] == [
            "approved → applying",
            "set plan standard",
            "set plan standard",
            "set MAX_CONCURRENT",
            "set DB_POOL_SIZE",
            "ask for a deploy (deploy_only)",
        ]
        assert rig.running[0] == "standard"
        assert rig.running[1].items() > SCALED_ENV.items()
        assert rig.writes.count("POST deploys") == 1
        assert rig.told.titles[:2] == [
            "Scaling up holisticos-api: mvp → scaled",
            "I cannot see holisticos-api",
        ]


async def _migrated(url):
    store = open_store(url)
    await store.migrate()
    await store.close()


async def test_nothing_is_read_or_written_before_it_is_up_to_date(first, open_another):
    store = open_another(first)
    for attempt in (store.observations(SERVICE, 0), store.record(a_pass(a_reading())), store.prune(10**15)):
        with pytest.raises(StoreError, match=r"older schema 0001.*`autoscaler run` brings it up to date"):
            await attempt
    await store.migrate()
    assert len(await store.observations(SERVICE, 0)) == ROWS.count("INTO observations")


async def test_workers_that_start_at_once_bring_it_up_to_date_once(first, open_another):
    stores = [open_another(first) for _ in range(4)]
    await asyncio.gather(*(store.migrate() for store in stores))
    assert [row[0] for row in bodies(stores[0], "alembic_version", "version_num, 1")] == [HEAD]
    for number, store in enumerate(stores):
        await store.record(a_pass(a_reading(KILLED_AT + number)))
    assert len(await stores[0].observations(SERVICE, KILLED_AT)) == 5


async def test_its_readings_go_into_the_hours_like_all_others(first, open_another):
    store = open_another(first)
    await store.migrate()
    seen, hours = await store.observations(SERVICE, 0), await store.hours(SERVICE, 0)
    assert sum(hour.increases["requests"] for hour in hours) == sum(
        one.increases.get("requests", 0) for one in seen if isinstance(one, Reading)
    )
    await store.prune(10**15)
    assert await store.observations(SERVICE, 0) == [one for one in seen if not isinstance(one, Reading | Missed)]
    assert await store.hours(SERVICE, 0) == hours


def test_the_rows_are_those_of_the_first_schema():
    """They name every column that the first migration made, so nothing later was slipped in."""
    tables = {line.split()[2] for line in ROWS.splitlines() if line.startswith("INSERT")}
    assert tables == {*SHAPES, "observations"}
    kinds = {line.split("'")[3] for line in ROWS.splitlines() if "INTO observations" in line}
    assert kinds == {"reading", "missed", "masked", "tier_changed", "signal", "told"}
    assert not any(word in ROWS for word in (*LATER, "seen_at", "1:"))
