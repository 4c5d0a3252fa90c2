"""What people set and put on hold, as the commands show it: the line to paste, who paused, and a plan that waits for a deploy."""

import pytest

from render_client.sim.controls import dashboard
from tests.cli.conftest import SERVICE
from tests.cli.test_by_hand import SCALED, by_hand, carried_on, configured
from tests.support.cli import autoscaler


def somebody_sets(place, *, deploy=True, **what):
    service = place.sim.world.services[SERVICE]
    dashboard(place.sim.world, service, place.sim.clock.now(), deploy=deploy, **what)


async def one_pass(place):
    ended = await autoscaler("run", "--once", "-p", place.policies, **place.env)
    assert ended.code == 0, ended.err


async def test_explain_shows_the_line_that_makes_what_somebody_set_the_policys_own(place):
    await one_pass(place)
    somebody_sets(place, env={"MAX_CONCURRENT": "9"})
    await one_pass(place)
    ended = await by_hand(place, "explain", "holisticos-api")
    assert "KEPT what somebody set, until the policy file is edited" in ended.out
    assert "env: {MAX_CONCURRENT: 9}   # under `- name: mvp`" in ended.out
    assert (await by_hand(place, "explain", "holisticos-api", "--json")).json[0]["kept"] == ["MAX_CONCURRENT"]
    somebody_sets(place, env={"DB_POOL_SIZE": "postgres://ada:hunter2@db/x"})
    await one_pass(place)
    hidden = await by_hand(place, "explain", "holisticos-api")
    assert "DB_POOL_SIZE: (not shown: it looks like a secret)" in hidden.out
    assert "hunter2" not in hidden.out


async def test_repair_deploys_a_plan_that_waits(place):
    somebody_sets(place, plan="standard", env=SCALED, deploy=False)
    await one_pass(place)
    assert place.writes == []
    ended = await by_hand(place, "repair", "holisticos-api", "--yes", "--json")
    assert (ended.code, ended.json["to"]) == (0, "scaled")
    assert (await carried_on(place))[0].id == ended.json["id"]
    assert place.writes == ["POST"]
    assert configured(place) == ("standard", SCALED)
    again = await by_hand(place, "repair", "holisticos-api", "--yes", "--json")
    assert (again.code, again.out, "is configured as scaled already" in again.err) == (1, "", True)


async def test_as_json_nobody_is_asked(place):
    ended = await by_hand(place, "scale", "holisticos-api", "--to", "scaled", "--json")
    assert (ended.code, ended.out, "add --yes, or --dry-run" in ended.err) == (2, "", True)


@pytest.mark.parametrize("more", ((), ("--down-only",)))
async def test_status_shows_who_paused_and_why_and_resume_says_it_again(place, more):
    await one_pass(place)
    ended = await by_hand(place, "pause", "holisticos-api", "--who", "ada", "--note", "a launch", "--json", *more)
    assert [(one["who"], one["until"], one["down_only"]) for one in ended.json] == [("ada", None, bool(more))]
    what = "downgrades are paused" if more else "paused"
    shown = await autoscaler("status", **place.env)
    assert f"holisticos-api: {what} by ada until somebody resumes it: a launch" in shown.out
    assert (await autoscaler("status", "--json", **place.env)).json["pauses"][0]["note"] == "a launch"
    resumed = await by_hand(place, "resume", "holisticos-api", "--json")
    assert resumed.json == [{"service": "holisticos-api", "was_paused": True}]
    assert "ada had paused it: a launch." in (await autoscaler("run", "--once", "-p", place.policies, **place.env)).out
    assert (await autoscaler("status", "--json", **place.env)).json["pauses"] == []
