"""`validate`, `status`, `history` and the helps: what people read."""

import asyncio
import json
import signal

import pytest

from tests.support.cli import autoscaler, starting


async def work_a_while(place):
    """A worker that made one change, and ended."""
    place.use_much_memory()
    async with starting("run", "-p", place.policies, "--log-format", "json", **place.env) as worker:
        async with asyncio.timeout(30):
            async for line in worker.stderr:
                if line.startswith(b"{") and json.loads(line).get("tier") == "scaled":
                    break
        worker.send_signal(signal.SIGTERM)
        await asyncio.wait_for(worker.communicate(), 20)


async def test_status_and_history_tell_what_the_worker_did(place):
    await work_a_while(place)
    status = await autoscaler("status", **place.env)
    assert status.code == 0, status.err
    assert "holisticos-api" in status.out
    assert "scaled" in status.out
    assert "Worker: last sign of life" in status.out
    document = (await autoscaler("status", "--json", **place.env)).json
    assert document["services"][0]["tier"] == "scaled"
    history = await autoscaler("history", **place.env)
    assert "▲ mvp (starter) → scaled (standard)" in history.out
    (change,) = (await autoscaler("history", "holisticos-api", "--json", **place.env)).json["changes"]
    assert (change["from"]["plan"], change["to"]["plan"]) == ("starter", "standard")
    assert [entry["step"] for entry in change["journal"]][1] == "set plan standard"


async def test_status_alive_fails_without_a_recent_sign_of_life(place):
    await work_a_while(place)
    assert (await autoscaler("status", "--alive", "1h", **place.env)).code == 0
    assert (await autoscaler("status", "--alive", "0.001s", **place.env)).code == 1


@pytest.mark.parametrize("command", ("status", "history"))
async def test_without_a_database_they_say_how_to_get_one(tmp_path, command):
    ended = await autoscaler(command, DATABASE_URL=f"sqlite:///{tmp_path}/none.db")
    assert ended.code == 1
    assert "autoscaler run" in ended.err
    assert not list(tmp_path.iterdir())


async def test_history_of_an_unknown_service_names_those_that_are_known(place):
    await work_a_while(place)
    ended = await autoscaler("history", "nobody", **place.env)
    assert ended.code == 2
    assert "There is no service 'nobody'. Known are: holisticos-api." in ended.err


async def test_validate_says_every_problem_at_once_and_exits_2(place):
    place.policy.write_text(
        "version: 1\nmode: akt\nservice: {id: srv-1, health: {url: 'http://x'}}\ntiers: []\nextra: 1\n"
    )
    ended = await autoscaler("validate", place.policies)
    assert ended.code == 2
    assert ended.out.count(": error: ") >= 3
    assert "api.yaml:2:7: error:" in ended.out
    document = (await autoscaler("validate", place.policies, "--json")).json
    assert document["valid"] is False
    assert {problem["line"] for problem in document["problems"]} >= {2, 4, 5}


async def test_validate_shows_the_ladder_of_a_sound_policy(place):
    ended = await autoscaler("validate", place.policies)
    assert ended.code == 0
    assert "mvp (starter, $7/mo) → scaled (standard, $25/mo)" in ended.out


@pytest.mark.parametrize("command", ("run", "check", "explain", "validate", "status", "history", "demo"))
async def test_every_command_has_a_help_that_teaches(command):
    ended = await autoscaler(command, "--help")
    assert ended.code == 0
    assert len(ended.out.splitlines()) > 8


async def test_an_unknown_command_or_option_is_a_usage_error():
    assert (await autoscaler("frobnicate")).code == 2
    assert (await autoscaler("check", "--nope")).code == 2


async def test_the_version_can_be_named_in_a_report():
    ended = await autoscaler("--version")
    assert ended.code == 0
    assert ended.out.startswith("autoscaler 0.")
