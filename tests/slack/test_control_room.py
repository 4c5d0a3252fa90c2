"""A question in Slack: asked with its buttons, answered by one press, and its first message tells at any time how it stands."""

from dataclasses import replace

import pytest

from autoscaler.core.change import State
from autoscaler.core.consent import Answer
from autoscaler.engine.outbox import deliver
from autoscaler.engine.room.answering import answer
from autoscaler.report.messages import Verb
from tests.support.rig import BUSY, CALM, SCALED_ENV
from tests.support.slack_room import ADA, ASKING, GRACE, slack_room

FOUR = [f"autoscaler.{verb}" for verb in (Verb.APPROVE, Verb.REJECT, Verb.SNOOZE, Verb.WHY)]


@pytest.fixture
async def room(tmp_path, slack):
    async with slack_room(tmp_path, slack) as made:
        yield made


async def test_the_question_says_what_why_what_it_costs_and_what_happens_if_nobody_answers(room):
    posted = await room.until_asked()
    header, section, image, fields, context, _ = posted.blocks
    assert image["alt_text"] == "avg_response_time 3s &gt; 1s for 2m"
    assert header["text"]["text"] == "✋ holisticos-api: mvp → scaled?"
    text = section["text"]["text"]
    assert "avg_response_time 3s &gt; 1s for 2m" in text
    assert "If nobody answers within 1d, nothing is changed." in text
    assert "$7/mo → $25/mo (+$18/mo)" in fields["fields"][1]["text"]
    assert context["elements"][0]["text"].startswith("change chg-")
    assert room.buttons(posted) == FOUR


async def test_one_press_and_it_goes_and_the_first_message_becomes_the_outcome(room):
    await room.until_asked()
    pressed = await room.press(ADA, Verb.APPROVE)
    assert pressed.acked
    said = await room.answer(pressed)
    assert said.startswith(
        "✅ Noted: you say yes. holisticos-api goes from mvp to scaled ($7/mo → $25/mo (+$18/mo)) at its next poll"
    )
    await room.rig.run(seconds=10)
    assert room.buttons() == []
    await room.rig.run(minutes=5)
    assert room.rig.running == ("standard", SCALED_ENV | {"SECRET_KEY": "not-ours"})
    (change,) = await room.rig.changes()
    assert (change.state, change.question.agreed_by) == (State.WATCHING, "ada")
    assert room.thread == [
        "✅ Done: holisticos-api runs on standard (scaled)",
        "🔧 Agreed: ada said yes. Going ahead.",
        "🔧 Plan standard is set, and its env values; deploying.",
        "🔧 Live after 15s: holisticos-api runs on standard (scaled)",
        "✅ Done: holisticos-api runs on standard (scaled)",
    ]
    assert "Agreed by ada." in room.head.blocks[1]["text"]["text"]
    assert {posted.thread_ts for posted in room.slack.messages[1:]} == {room.head.ts}


async def test_the_buttons_vanish_as_soon_as_the_answer_is_noted_not_only_when_it_is_acted_on(room):
    await room.until_asked()
    await room.press(ADA, Verb.APPROVE)
    await deliver(room.rig.store, room.rig.told, room.rig.clock)
    assert room.buttons() == []
    assert "ada said yes at" in room.head.blocks[1]["text"]["text"]
    assert "If nobody answers" not in room.head.blocks[1]["text"]["text"]
    assert len(room.slack.messages) == 1, "the first message changes, nothing is posted for it"


async def test_reject_asks_why_not_in_a_form_and_the_thread_tells_it(room):
    await room.until_asked()
    await room.press(GRACE, Verb.REJECT)
    (view,) = room.slack.views
    assert view["blocks"][0]["text"]["text"].startswith("holisticos-api stays on mvp\navg_response_time 3s")
    outcome = await room.slack.submit(GRACE, view, {"reason": "not before the launch"})
    assert (outcome.acked, outcome.ack) == (True, {})
    await room.rig.run(seconds=20)
    assert [one.state for one in await room.rig.changes()] == [State.REJECTED]
    assert room.thread[0] == "💬 Rejected: holisticos-api stays on starter (mvp)"
    assert "Grace said no: not before the launch." in room.head.blocks[1]["text"]["text"]
    assert room.buttons() == []
    assert room.rig.writes == []


async def test_a_snooze_lets_it_rest_and_then_it_is_asked_again_outside_the_thread_with_its_whole_time(room):
    await room.until_asked()
    said = await room.answer(await room.press(ADA, Verb.SNOOZE, choice="1h"))
    assert said.startswith("✅ Snoozed: I ask again at ")
    await room.rig.run(seconds=10)
    assert room.buttons() == []
    assert "Snoozed by ada until" in room.head.blocks[1]["text"]["text"]
    assert "If nobody answers" not in room.head.blocks[1]["text"]["text"]
    status = await (await room.slack.command(ADA, "status")).reply()
    assert "Snoozed, asked again" in str(status)
    await room.rig.run(minutes=58)
    assert len(room.slack.messages) == 1
    await room.rig.run(minutes=2)
    assert room.thread == ["✋ holisticos-api: mvp → scaled?", "✋ Asked again: holisticos-api, mvp → scaled?"]
    assert room.slack.messages[1].broadcast
    assert room.buttons() == FOUR
    (change,) = await room.rig.changes()
    assert change.question.asked_at - change.created_at >= 3_600_000
    await room.press(ADA, Verb.APPROVE)
    await room.rig.run(minutes=5)
    assert (await room.rig.changes())[0].state is State.WATCHING


async def test_while_it_rests_it_goes_with_the_facts_and_is_not_asked_when_nothing_needs_it(room):
    await room.until_asked()
    await room.press(ADA, Verb.SNOOZE, choice="8h")
    room.rig.load = CALM
    await room.rig.run(minutes=4)
    assert room.thread[0] == "💬 Withdrawn: nobody needs to answer about holisticos-api"
    await room.rig.run(minutes=60)
    assert len(room.slack.messages) == 2


async def test_why_is_told_in_full_to_whoever_asks_and_to_nobody_else(room):
    await room.until_asked()
    reply = await (await room.press("U0ANYBODY", Verb.WHY)).reply()
    text = reply["blocks"][1]["text"]["text"]
    assert "avg_response_time &gt; 1s for 2m: now 3s, holds" in text
    assert "memory_percent &gt; 95% for 30s" in text
    assert reply["response_type"] == "ephemeral"
    assert len(room.slack.messages) == 1


async def test_two_people_are_needed_above_an_amount_and_the_first_yes_leaves_the_buttons(tmp_path, slack):
    policy = ASKING.replace("approvers:", "two_above: 20, approvers:")
    async with slack_room(tmp_path, slack, policy) as room:
        await room.until_asked()
        assert "Two people have to say yes." in room.head.blocks[1]["text"]["text"]
        said = await room.answer(await room.press(ADA, Verb.APPROVE))
        assert "Somebody else has to say yes too: scaled costs $25/mo." in said
        await room.rig.run(seconds=20)
        assert room.buttons() == FOUR
        assert "ada said yes" in room.head.blocks[1]["text"]["text"]
        assert "said yes already" in await room.answer(await room.press(ADA, Verb.APPROVE))
        await room.rig.run(seconds=20)
        assert room.rig.writes == []
        await room.press(GRACE, Verb.APPROVE)
        await room.rig.run(minutes=5)
        (change,) = await room.rig.changes()
        assert (change.state, change.question.agreed_by) == (State.WATCHING, "ada and grace")


async def test_without_an_app_token_there_are_no_buttons_that_nobody_would_hear(tmp_path, slack):
    async with slack_room(tmp_path, slack) as room:
        room.rig.told._buttons = False
        posted = await room.until_asked()
        assert room.buttons(posted) == []
        assert "autoscaler approve chg-" in posted.blocks[-1]["elements"][0]["text"]


async def test_an_emergency_waits_for_no_unanswered_question(tmp_path, slack):
    policy = ASKING.replace("mode: ask", "mode: act").replace("approvers:", "scale_up: required, approvers:")
    async with slack_room(tmp_path, slack, policy) as room:
        await room.until_asked()
        room.rig.load = replace(BUSY, memory=500 * 1024**2)
        await room.rig.run(minutes=2)
        assert room.rig.running[0] == "standard"
        assert room.buttons() == []


async def test_a_yes_from_a_shell_to_a_question_that_rests_leaves_it_resting_for_the_second_person(tmp_path, slack):
    policy = ASKING.replace("approvers:", "two_above: 20, approvers:")
    async with slack_room(tmp_path, slack, policy) as room:
        await room.until_asked()
        await room.rig.run(seconds=10)
        await room.press(ADA, Verb.SNOOZE, choice="1h")
        change, now = room.rig.managed.proposal, room.rig.clock.now()
        await answer(change, Answer(change.id, "grace", yes=True, at=now), room.rig.store)
        await room.rig.run(seconds=30)
        assert room.buttons() == []
        assert "grace said yes" in room.head.blocks[1]["text"]["text"]
