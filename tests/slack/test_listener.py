"""Ears that go on: a wrong token is told with its fix, a new connection is taken when Slack asks for it, what is not kept is not acknowledged."""

import asyncio

import pytest

from autoscaler.adapters.slack import listener
from autoscaler.core.change import State
from autoscaler.errors import StoreError
from autoscaler.report.messages import Verb
from tests.support.slack_room import ADA, slack_room


@pytest.fixture
async def room(tmp_path, slack):
    async with slack_room(tmp_path, slack) as made:
        yield made


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(listener, "SHORTEST_REST", 0.01)
    monkeypatch.setattr(listener, "ACKNOWLEDGE", 0.05)


@pytest.mark.parametrize(
    ("code", "more", "fix"),
    (
        ("invalid_auth", {}, "SLACK_APP_TOKEN"),
        ("not_allowed_token_type", {}, "SLACK_APP_TOKEN"),
        ("missing_scope", {"needed": "connections:write"}, "connections:write"),
    ),
)
async def test_a_token_that_slack_refuses_is_told_with_its_fix_and_tried_again(
    tmp_path, slack, quick, caplog, code, more, fix
):
    for _ in range(3):
        slack.refuse(code, method="apps.connections.open", **more)
    async with slack_room(tmp_path, slack):
        told = [one.getMessage() for one in caplog.records if "no buttons and no commands yet" in one.getMessage()]
        assert len(told) == 3
        assert fix in told[0]
        assert slack.app_token not in caplog.text


async def test_when_slack_wants_a_new_connection_it_is_made_and_presses_go_on(room):
    await room.until_asked()
    await room.slack.disconnect("refresh_requested")
    await room.slack.connected()
    assert (await room.press(ADA, Verb.APPROVE)).acked
    await room.rig.run(minutes=5)
    assert [one.state for one in await room.rig.changes()] == [State.WATCHING]


async def test_what_can_not_be_written_down_is_not_acknowledged_and_whoever_pressed_is_told(room, monkeypatch):
    await room.until_asked()
    room.slack.timeout = 0.3

    async def away(*_args):
        raise StoreError("the database is away")

    store = room.stores[0]
    monkeypatch.setattr(store, "answer", away)
    outcome = await room.press(ADA, Verb.APPROVE)
    assert not outcome.acked
    assert "Not noted: my database does not answer" in await room.answer(outcome)
    assert len(room.buttons()) == 4
    monkeypatch.undo()
    assert (await room.slack.redeliver(outcome)).acked


async def test_what_takes_longer_than_slack_waits_is_not_acknowledged(room, quick, monkeypatch):
    await room.until_asked()
    room.slack.timeout = 0.3
    never = asyncio.Event()

    async def slow(*_args):
        await never.wait()

    monkeypatch.setattr(room.stores[0], "answer", slow)
    outcome = await room.press(ADA, Verb.APPROVE)
    assert not outcome.acked
    assert "Not noted" in await room.answer(outcome)


async def test_a_form_that_can_not_be_opened_any_more_is_told(room):
    await room.until_asked()
    room.slack.refuse("expired_trigger_id", method="views.open")
    assert "That took too long: please press Reject again." in await room.answer(await room.press(ADA, Verb.REJECT))
    assert len(room.buttons()) == 4
