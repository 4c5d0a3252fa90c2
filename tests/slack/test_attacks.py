"""Nobody but an approver changes anything, and no press counts twice, late, for something else, or for more than it showed."""

import asyncio

import pytest

from autoscaler.core.change import State
from autoscaler.core.consent import Answer
from autoscaler.engine.room.answering import answer
from autoscaler.errors import OverError, UnavailableError
from autoscaler.report.messages import Verb
from tests.support import block_kit
from tests.support.rig import CALM
from tests.support.slack_room import ADA, ASKING, GRACE, MALLORY, slack_room

EVIL = "<!channel> <https://evil.example|click> <@U0ADA>"


@pytest.fixture
async def room(tmp_path, slack):
    async with slack_room(tmp_path, slack) as made:
        yield made


@pytest.fixture
async def asked(room):
    return await room.until_asked()


async def nothing_came_of_it(room, *, state=State.PROPOSED):
    await room.rig.run(minutes=2)
    assert room.rig.writes == []
    assert [one.state for one in await room.rig.changes()] == [state]
    assert await room.rig.store.answers((await room.rig.changes())[0].id) == []


@pytest.mark.parametrize("verb", (Verb.APPROVE, Verb.REJECT, Verb.SNOOZE))
async def test_who_is_no_approver_is_told_so_and_changes_nothing(room, asked, verb):
    choice = "1h" if verb is Verb.SNOOZE else None
    said = await room.answer(await room.press(MALLORY, verb, choice=choice))
    assert "Only approvers of holisticos-api may do that, and you (U0MALLORY) are not among them: rig.yaml" in said
    assert room.slack.views == []
    assert len(room.buttons()) == 4
    await nothing_came_of_it(room)


async def test_an_approvers_name_is_not_an_approver(room, asked):
    room.slack.people[MALLORY] = "ada"
    assert "Only approvers" in await room.answer(await room.press(MALLORY, Verb.APPROVE))
    await nothing_came_of_it(room)


def pressed(who, value, verb="approve", **more):
    """What somebody would send who could write to the socket."""
    action = {"action_id": f"autoscaler.{verb}", "value": value, "type": "button"}
    return {"type": "block_actions", "user": {"id": who, "username": "ada"}, "actions": [action]} | more


async def test_a_form_that_was_not_opened_by_its_sender_counts_no_more_than_a_press(room, asked):
    change = room.rig.managed.proposal
    view = {"callback_id": "autoscaler.reject", "private_metadata": change.id, "state": {"values": {}}}
    forged = await room.slack.send({"type": "view_submission", "user": {"id": MALLORY}, "view": view})
    assert forged.ack["response_action"] == "errors"
    assert "Only approvers" in forged.ack["errors"]["reason"]
    await nothing_came_of_it(room)


@pytest.mark.parametrize(
    "payload",
    (
        {},
        {"type": "block_actions"},
        pressed("", "chg-1"),
        pressed(ADA, "chg-nothing"),
        pressed(ADA, "../../x' OR 1=1 --"),
        pressed(ADA, "chg-1", verb="drop_table"),
        pressed(ADA, "x y", verb="snooze"),
        pressed(ADA, "chg-1 srv-1 99999999999999 a>b scaled", verb="scale"),
        pressed(ADA, "\x00\ud800", verb="scale"),
        pressed(ADA, "srv-1 digest", verb="go_live"),
        pressed(ADA, None),
        {**pressed(ADA, "x"), "actions": []},
        {**pressed(ADA, "x"), "user": "ada"},
        {"type": "view_submission", "user": {"id": ADA}, "view": {"callback_id": "other"}},
        {"type": "shortcut"},
    ),
)
async def test_a_forged_or_broken_payload_is_acknowledged_and_does_nothing(room, asked, payload, caplog):
    assert (await room.slack.send(payload)).acked
    assert "this is a bug" not in caplog.text
    await nothing_came_of_it(room)


async def test_an_envelope_that_comes_again_counts_once(room, asked):
    first = await room.press(ADA, Verb.APPROVE)
    again = await room.slack.again(first)
    assert (first.acked, again.acked) == (True, True)
    assert len(await room.rig.store.answers(room.rig.managed.proposal.id)) == 1
    await room.rig.run(minutes=5)
    assert (await room.slack.again(first)).acked, "long after"
    await room.rig.run(minutes=2)
    assert [one.state for one in await room.rig.changes()] == [State.WATCHING]


async def test_a_yes_to_what_was_asked_before_the_policy_was_edited_begins_nothing(room, asked):
    old = room.rig.managed.proposal
    await room.press(ADA, Verb.APPROVE)
    room.rig.policy_text = room.rig.policy_text.replace("DB_POOL_SIZE: 6", "DB_POOL_SIZE: 60")
    await room.rig.restart()
    await room.rig.run(minutes=1)
    assert room.rig.writes == []
    states = {one.id: one.state for one in await room.rig.changes()}
    assert states.pop(old.id) is State.SUPERSEDED
    assert list(states.values()) == [State.PROPOSED]


async def test_a_yes_is_not_for_what_is_asked_next(room, asked):
    """The old message's button names the old change, whatever waits by now."""
    room.rig.load = CALM
    await room.rig.run(minutes=4)
    assert room.buttons() == []
    old = (await room.rig.changes())[0].id
    await room.until_asked()
    await room.slack.send(pressed(ADA, old))
    await room.rig.run(minutes=2)
    assert [one.state for one in await room.rig.changes()] == [State.SUPERSEDED, State.PROPOSED]


async def test_a_press_after_its_time_is_told_so(tmp_path, slack):
    async with slack_room(tmp_path, slack, ASKING.replace("approvers:", "expires: 30m, approvers:")) as room:
        await room.until_asked()
        room.rig.sim.clock.advance(1801)
        assert "has expired at" in await room.answer(await room.press(ADA, Verb.APPROVE))
        assert room.buttons() == []
        await room.rig.run(minutes=1)
        assert room.rig.writes == []
        assert (await room.rig.changes())[0].state.is_final


async def test_when_the_load_fell_meanwhile_the_click_says_so(room, asked):
    room.rig.load = CALM
    room.rig.told.deliver = nowhere  # the withdrawal is not in Slack yet
    await room.rig.run(minutes=4)
    said = await room.answer(await room.press(ADA, Verb.APPROVE))
    assert "waits for nobody: nothing asks for it any more" in said
    assert room.buttons() == []
    await nothing_came_of_it(room, state=State.SUPERSEDED)


async def nowhere(delivery):
    raise UnavailableError("Slack is away")


async def test_two_clicks_at_once_on_two_workers_are_one_answer_each_and_one_change(room, asked):
    room.listen()
    await room.slack.connected(2)
    outcomes = await asyncio.gather(*(room.press(who, Verb.APPROVE) for who in (ADA, GRACE)))
    assert all(one.acked for one in outcomes)
    texts = [await room.answer(one) for one in outcomes]
    assert sum("Noted: you say yes" in text for text in texts) >= 1
    await room.rig.run(minutes=5)
    (change,) = await room.rig.changes()
    assert change.state is State.WATCHING
    assert len(change.attempts) == 1


async def test_the_second_click_is_told_what_the_first_did(room, asked):
    change = room.rig.managed.proposal
    await room.answer(await room.press(ADA, Verb.APPROVE))
    assert room.buttons() == [], "the first press took them away at once"
    late = await room.slack.send(pressed(GRACE, change.id))  # on a screen that still showed them
    assert late.acked
    assert [one.who for one in await room.rig.store.answers(change.id)] == [ADA]
    word = Answer(change.id, GRACE, yes=True, at=room.rig.clock.now())
    with pytest.raises(
        OverError, match=r"^ada said yes at .* UTC, and the worker acts on that at the service.s next poll\.$"
    ):
        await answer(change, word, room.rig.store)


async def test_names_and_reasons_never_become_markup(tmp_path, slack):
    async with slack_room(tmp_path, slack) as room:
        slack.people[ADA] = EVIL
        await room.until_asked()
        await room.press(ADA, Verb.REJECT)
        await room.slack.submit(ADA, slack.views[0], {"reason": EVIL})
        await room.rig.run(seconds=30)
        await slack.command(ADA, f"complaint {EVIL}")
        await slack.command(ADA, f"{EVIL}")
        shown = [*slack.messages, *slack.ephemerals]
        texts = [text for one in shown for text in (one.text, *block_kit.texts(one.blocks))]
        assert any("evil" in text for text in texts)
        assert not [text for text in texts if "<" in text]
