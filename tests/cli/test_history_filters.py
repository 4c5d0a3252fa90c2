"""`history`: by service and by time, with who wanted it, how it ended, and what held things back for how long."""

import time
from dataclasses import replace

import pytest

from autoscaler.adapters.store import open_store
from autoscaler.core.change import State
from autoscaler.core.durations import DAY, HOUR, MINUTE
from autoscaler.core.guards import Blocker
from autoscaler.core.why import Why
from autoscaler.ports import PassRecord
from tests.support.cli import autoscaler
from tests.support.stories import change, held_back, steady

COOLDOWN, BUDGET = Blocker(Why.COOLDOWN), Blocker(Why.BUDGET)


@pytest.fixture
async def env(tmp_path):
    """Two services: holisticos-api was held twice and changed nine days ago and today, billing was held once."""
    now = int(time.time() * 1000)
    url = f"sqlite:///{tmp_path}/bot.db"
    store = open_store(url)
    await store.migrate()

    async def held(blocker, begun, lasted, **more):
        for at in (begun, begun + lasted):
            seen = held_back(blocker, at=at, since=at, **more)
            await store.record(PassRecord(seen.service_id, (), seen))

    done = change(id="chg-old", state=State.DONE, created_at=now - 9 * DAY, outcome="It held for 24h.")
    await store.save_change(replace(done, live_at=now - 9 * DAY + 3 * MINUTE, ended_at=now - 8 * DAY))
    await held(COOLDOWN, now - 8 * DAY, HOUR)
    await held(BUDGET, now - 3 * HOUR, 20 * MINUTE)
    await held(COOLDOWN, now - 2 * HOUR, 30 * MINUTE)
    await store.record(PassRecord("srv-1", (), steady(at=now - HOUR, since=now - HOUR)))
    await store.save_change(change(id="chg-new", state=State.APPLYING, created_at=now - HOUR, emergency=True))
    await held(COOLDOWN, now - HOUR, 5 * MINUTE, service_id="srv-2", service="billing")
    await store.close()
    return {"DATABASE_URL": url}


COUNTED = (
    "holisticos-api cooldown 2 1h 30m 1h ",
    "holisticos-api over budget 1 20m 20m ",
    "billing cooldown 1 5m 5m ",
)


async def ids(env, *arguments):
    return [one["id"] for one in (await autoscaler("history", "--json", *arguments, **env)).json["changes"]]


async def test_it_says_who_wanted_a_change_how_it_ended_and_counts_holds_by_reason(env):
    ended = await autoscaler("history", **(env | {"COLUMNS": "80"}))
    assert ended.code == 0, ended.err
    assert max(map(len, ended.out.splitlines())) <= 80
    assert "approved: automatic, an emergency" in " ".join(ended.out.split())
    assert "outcome: It held for 24h." in ended.out
    counted = [" ".join(line.split()) for line in ended.out.partition("Held by")[2].splitlines()[1:]]
    for row, wanted in zip(counted, COUNTED, strict=True):
        assert row.startswith(wanted)


async def test_it_can_be_asked_for_one_service_and_a_span_of_time(env):
    assert await ids(env) == ["chg-new", "chg-old"]
    assert await ids(env, "--since", "7d") == ["chg-new"]
    assert await ids(env, "--until", "7d") == ["chg-old"]
    assert await ids(env, "billing") == []
    old = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 10 * 86400))
    assert await ids(env, "--since", old, "--until", "2d") == ["chg-old"]


async def test_the_json_has_the_holds_whole_and_by_reason(env):
    told = (await autoscaler("history", "holisticos-api", "--since", "1d", "--json", **env)).json
    assert [(one["why"], one["blockers"][0]["why"]) for one in told["holds"]] == [
        ("cooldown", "cooldown"),
        ("budget", "budget"),
    ]
    assert [(one["why"], one["times"], one["total_ms"]) for one in told["holds_by_reason"]] == [
        ("cooldown", 1, 30 * MINUTE),
        ("budget", 1, 20 * MINUTE),
    ]


async def test_nothing_in_that_time_is_said_and_a_time_that_is_none_is_a_usage_error(env):
    assert "Nothing was changed or held in that time." in (await autoscaler("history", "--until", "300d", **env)).out
    ended = await autoscaler("history", "--since", "yesterday", **env)
    assert ended.code == 2
    assert "--since: 'yesterday' is no time" in ended.err
