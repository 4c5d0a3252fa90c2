"""`approve` and `reject`: what a person says at the terminal, and what the worker makes of it."""

import pytest

from autoscaler.core.change import State
from tests.cli.test_by_hand import SCALED, carried_on, configured
from tests.cli.test_kept_and_paused import one_pass
from tests.support.cli import autoscaler


@pytest.fixture
async def asked(place):
    """A service that needs the larger tier, and people who have been asked about it."""
    place.policy.write_text(place.policy.read_text().replace("mode: act", "mode: ask"))
    place.use_much_memory()
    await one_pass(place)
    return place


async def say(place, *words):
    return await autoscaler(*words, **place.env)


async def test_a_yes_at_the_terminal_begins_the_change_at_the_next_pass(asked):
    ended = await say(asked, "approve", "holisticos-api", "--who", "ada")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("Noted: ada says yes. holisticos-api goes from mvp to scaled (")
    assert asked.writes == []
    (change,) = await carried_on(asked, passes=60)
    assert (change.state, change.question.agreed_by) == (State.WATCHING, "ada")
    assert configured(asked) == ("standard", SCALED)
    late = await say(asked, "approve", change.id, "--who", "bob")
    assert (late.code, "waits for nobody: ada said yes at" in late.err) == (1, True)


async def test_status_shows_what_waits_and_how_to_answer(asked):
    await one_pass(asked)  # which knows that the message has arrived
    shown = await say(asked, "status")
    assert "Waits for a yes, until" in shown.out
    assert "holisticos-api: mvp → scaled ($7/mo → $25/mo (+$18/mo)). `autoscaler approve chg-" in shown.out
    (one,) = (await say(asked, "status", "--json")).json["asked"]
    assert (one["service"], one["from"], one["to"]) == ("holisticos-api", "mvp", "scaled")


async def test_a_no_says_for_how_long_and_as_json_what_was_said(asked):
    ended = await say(asked, "reject", "holisticos-api", "--who", "ada", "--reason", "not now", "--json")
    (answer,) = ended.json["answers"]
    assert (answer["who"], answer["yes"], answer["reason"]) == ("ada", False, "not now")
    again = await say(asked, "reject", ended.json["change"], "--who", "ada")
    assert (again.code, "ada said no already: each answer counts once." in again.err) == (1, True)
    other = await say(asked, "reject", "holisticos-api", "--who", "bob")
    assert (other.code, "ada said no at" in other.err) == (1, True)
    await one_pass(asked)
    assert asked.writes == []
    late = await say(asked, "approve", ended.json["change"])
    assert (late.code, "ada said no: not now" in late.err) == (1, True)


async def test_what_waits_for_no_answer_is_said_with_what_does(asked):
    ended = await say(asked, "approve", "holistic")
    assert ended.code == 2
    assert "'holistic' waits for no answer. What does: chg-" in ended.err
    assert "(holisticos-api mvp → scaled)" in ended.err


async def test_where_nothing_waits_that_is_said(place):
    await one_pass(place)
    ended = await say(place, "approve", "holisticos-api")
    assert (ended.code, "Nothing does at present;" in ended.err) == (2, True)
