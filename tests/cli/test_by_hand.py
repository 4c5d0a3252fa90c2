"""`scale`, `undo`, `pause`, `resume` and `repair` as people start them; the worker carries on what they write down."""

import asyncio

from autoscaler.adapters.store import open_store
from autoscaler.core.change import State
from render_client.sim.controls import dashboard
from tests.cli.conftest import SERVICE
from tests.support.cli import autoscaler

SCALED = {"MAX_CONCURRENT": "20", "DB_POOL_SIZE": "6"}


async def by_hand(place, *words, **env):
    return await autoscaler(*words, "-p", place.policies, **(place.env | env))


async def carried_on(place, passes=12):
    """Passes of a cron job, until nothing is open any more."""
    store = open_store(place.env["DATABASE_URL"])
    try:
        for _ in range(passes):
            ended = await autoscaler("run", "--once", "-p", place.policies, **place.env)
            assert ended.code == 0, ended.err
            changes = await store.changes()
            if not any(change.state.is_open for change in changes):
                return changes
            await asyncio.sleep(0.3)
    finally:
        await store.close()
    raise AssertionError(changes)


def configured(place):
    seen = place.sim.world.services[SERVICE].configured()
    return seen.plan, dict(seen.env)


async def test_the_plan_is_shown_and_nothing_is_done_in_a_dry_run(place):
    ended = await by_hand(place, "scale", "holisticos-api", "--to", "scaled", "--dry-run")
    assert ended.code == 0, ended.err
    assert "holisticos-api  mvp → scaled" in ended.out
    assert "  ~ plan            starter → standard" in ended.out
    assert "  ~ MAX_CONCURRENT  8 → 20" in ended.out
    assert "+$18" in ended.out
    assert place.writes == []
    again = await by_hand(place, "scale", "holisticos-api", "--to", "scaled", "--dry-run", "--json")
    assert (again.json["id"], again.json["plan"][1]) == (
        None,
        {"sign": "~", "what": "MAX_CONCURRENT", "text": "8 → 20"},
    )


async def test_a_yes_leaves_it_to_the_worker_in_a_policy_that_only_observes_too_and_undo_takes_it_back(place):
    place.policy.write_text(place.policy.read_text().replace("mode: act", "mode: observe"))
    ended = await by_hand(
        place, "scale", "holisticos-api", "--to", "scaled", "--yes", "--who", "ada", "--reason", "a launch"
    )
    assert ended.code == 0, ended.err
    assert "no worker is alive that may act" in ended.out
    assert place.writes == []
    (change,) = await carried_on(place)
    assert (change.state, change.requested_by, change.reason) == (State.WATCHING, "ada", "a launch")
    assert configured(place) == ("standard", SCALED)
    undone = await by_hand(place, "undo", "holisticos-api", "--yes")
    assert undone.code == 0, undone.err
    assert "scaled → mvp" in undone.out
    assert (await carried_on(place))[0].target.tier == "mvp"
    assert configured(place) == ("starter", {"MAX_CONCURRENT": "8", "DB_POOL_SIZE": "3"})


async def test_what_can_not_be_done_is_said_with_the_next_step(place):
    unsure = await by_hand(place, "scale", "holisticos-api", "--to", "scaled")
    assert (unsure.code, "add --yes, or --dry-run" in unsure.err) == (2, True)
    unknown = await by_hand(place, "scale", "holisticos-api", "--to", "scale", "--yes")
    assert (unknown.code, "Did you mean scaled?" in unknown.err) == (2, True)
    there = await by_hand(place, "scale", "holisticos-api", "--to", "mvp", "--yes")
    assert (there.code, "is configured as mvp already" in there.err) == (1, True)
    nothing = await by_hand(place, "undo", "holisticos-api", "--yes")
    assert (nothing.code, "Nothing was changed on holisticos-api that could be undone" in nothing.err) == (1, True)
    assert (await by_hand(place, "scale", "holisticos-api", "--to", "scaled", "--yes")).code == 0
    twice = await by_hand(place, "scale", "holisticos-api", "--to", "scaled", "--yes")
    assert (twice.code, "is being changed already" in twice.err) == (1, True)
    assert place.writes == []


async def test_a_mixed_service_is_repaired_in_one_deploy_and_foreign_values_are_not_shown(place):
    service = place.sim.world.services[SERVICE]
    dashboard(
        place.sim.world, service, place.sim.clock.now(), plan="standard", env={"DB_POOL_SIZE": "secret-9"}, deploy=False
    )
    shown = await by_hand(place, "repair", "holisticos-api", "--yes")
    assert shown.code == 0, shown.err
    assert "as found → scaled" in shown.out
    assert "DB_POOL_SIZE    (somebody's) → 6" in shown.out
    assert "secret-9" not in shown.out + shown.err
    (change,) = await carried_on(place)
    assert change.state is State.WATCHING
    assert configured(place) == ("standard", SCALED)
    assert place.writes.count("POST") == 1


async def test_a_pause_holds_what_the_rules_ask_for_until_it_is_resumed(place):
    assert (await autoscaler("run", "--once", "-p", place.policies, **place.env)).code == 0
    place.use_much_memory()
    ended = await by_hand(
        place, "pause", "holisticos-api", "--for", "2h", "--note", "moving the database", "--who", "ada"
    )
    assert ended.out.strip() == "holisticos-api: paused for 2h. What has begun is finished.", ended.err
    assert await autoscaler("run", "--once", "-p", place.policies, **place.env)
    checked = await by_hand(place, "check")
    assert "Somebody has paused it (by ada: moving the database, until" in checked.out
    assert place.writes == []
    assert "goes on" in (await by_hand(place, "resume", "all")).out
    assert "was not paused" in (await by_hand(place, "resume", "holisticos-api")).out
    await carried_on(place)
    assert configured(place)[0] == "standard"
