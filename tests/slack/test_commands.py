"""`/autoscaler …` in a channel: who may ask what, what comes back, and that it does what the command line does."""

import re
from dataclasses import replace

import pytest
from pydantic import SecretStr

from autoscaler.adapters.slack.groups import SlackGroups
from autoscaler.core.change import State
from autoscaler.core.observations import Told
from autoscaler.engine.digest import gather_digest
from autoscaler.engine.outbox import deliver
from autoscaler.errors import RefusedError
from autoscaler.report.digest import digest_message
from autoscaler.report.messages import Verb
from render_client.sim.controls import dashboard
from tests.support.rig import BUSY, POLICY, SCALED_ENV
from tests.support.slack_room import ADA, ASKING, MALLORY, slack_room
from tests.support.stories import delivery

ACTING = ASKING.replace("mode: ask", "mode: act")
GROUP = ACTING.replace("approvers: [U0ADA, U0GRACE]", "approvers: [S0OPS]")


@pytest.fixture
async def room(tmp_path, slack):
    async with slack_room(tmp_path, slack, ACTING) as made:
        await made.rig.run(minutes=1)
        yield made


async def told(room, who, text, channel="ops"):
    """All that comes back, as one text without Slack's escapes."""
    outcome = await room.slack.command(who, text, channel)
    reply = await outcome.reply()
    assert reply["response_type"] == "ephemeral"
    texts = [reply["text"]]
    for block in reply["blocks"]:
        texts += [
            part["text"]
            for part in (block.get("text"), *block.get("elements", ()), *block.get("fields", ()))
            if part and isinstance(part.get("text"), str)
        ]
    return "\n".join(texts).replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&")


async def test_anybody_in_the_channel_may_ask_for_status_and_why(room):
    status = await told(room, MALLORY, "status")
    assert "holisticos-api: mvp on starter, $7/mo." in status
    assert re.search(r"worker|no worker", status)
    assert "avg_response_time > 1s for 2m: now" in await told(room, MALLORY, "why holisticos-api")
    assert "/autoscaler scale service tier" in await told(room, MALLORY, "help")
    assert "/autoscaler scale service tier" in await told(room, MALLORY, "")


async def test_elsewhere_a_service_is_not_shown_but_to_its_approvers(room):
    assert "ask me there" in await told(room, MALLORY, "status holisticos-api", "dev")
    assert "No service reports to this channel" in await told(room, MALLORY, "status", "dev")
    for asked in ("why", "pause 2h", "resume", "complaint it is slow", "why nobody"):
        assert "No service reports to this channel" in await told(room, MALLORY, asked, "dev")
    assert "holisticos-api: mvp" in await told(room, ADA, "status", "dev")
    assert "holisticos-api: mvp" in await told(room, ADA, "status", "D0ADA")


async def test_pause_and_resume_are_for_approvers_and_hold_what_the_rules_ask_for(room):
    assert "Only approvers of holisticos-api may do that, and you (U0MALLORY)" in await told(room, MALLORY, "pause 2h")
    assert "A time is written as one word, such as 30m" in await told(room, ADA, "pause 2 hours")
    assert await room.rig.store.paused(room.rig.service.id) is None
    assert "holisticos-api: paused for 2h" in await told(room, ADA, "pause 2h")
    room.rig.load = BUSY
    await room.rig.run(minutes=5)
    assert room.rig.writes == []
    assert "paused by ada (U0ADA) until" in await told(room, MALLORY, "status")
    assert "Only approvers" in await told(room, MALLORY, "resume")
    assert "holisticos-api goes on." in await told(room, ADA, "resume holisticos-api")
    await deliver(room.rig.store, room.rig.told, room.rig.clock)
    assert "By ada (U0ADA), who had paused it." in room.slack.messages[-1].text
    assert "was not paused" in await told(room, ADA, "resume")
    await room.rig.run(minutes=5)
    assert room.rig.running == ("standard", SCALED_ENV | {"SECRET_KEY": "not-ours"})


async def test_scale_shows_what_it_would_do_and_one_press_begins_just_that(room):
    shown = await told(room, ADA, "scale holisticos-api scaled")
    assert "~ plan: starter → standard" in shown
    assert "~ DB_POOL_SIZE: 3 → 6" in shown
    assert "$7/mo → $25/mo" in shown
    assert room.rig.writes == []
    (ephemeral,) = room.slack.ephemerals
    outcome = await room.press(ADA, Verb.SCALE, ephemeral)
    reply = await outcome.reply()
    assert reply["replace_original"]
    assert reply["text"].startswith("✅ Noted: holisticos-api goes to scaled.")
    await room.rig.run(minutes=3)
    (change,) = await room.rig.changes()
    assert (change.state, change.requested_by) == (State.WATCHING, "ada (U0ADA)")
    assert room.rig.running[0] == "standard"
    assert (await room.slack.again(outcome)).acked, "Slack may send it twice"
    await room.rig.run(minutes=1)
    assert len(await room.rig.changes()) == 1


async def test_scale_is_for_approvers_and_names_the_tiers(room):
    assert "Only approvers" in await told(room, MALLORY, "scale holisticos-api scaled")
    assert "no tier 'scale'. Did you mean scaled?" in await told(room, ADA, "scale holisticos-api scale")
    assert "is configured as mvp already" in await told(room, ADA, "scale holisticos-api mvp")
    assert "To which tier?" in await told(room, ADA, "scale scaled")


async def test_what_was_shown_too_long_ago_or_is_no_more_so_begins_nothing(room):
    await told(room, ADA, "scale holisticos-api scaled")
    (old,) = room.slack.ephemerals
    room.rig.sim.clock.advance(601)
    assert "more than ten minutes ago" in await room.answer(await room.press(ADA, Verb.SCALE, old))
    await told(room, ADA, "scale holisticos-api scaled")
    new = room.slack.ephemerals[-1]
    dashboard(room.rig.sim.world, room.rig.service, room.rig.sim.clock.now(), plan="pro")
    assert "meanwhile" in await room.answer(await room.press(ADA, Verb.SCALE, new))
    await room.rig.run(minutes=1)
    assert await room.rig.changes() == []


async def test_complaints_count_distinct_people_of_the_channel_and_send_it_up(room):
    assert "What is it about?" in await told(room, MALLORY, "complaint")
    for _ in range(3):
        assert "Noted for holisticos-api" in await told(room, MALLORY, "complaint the checkout is slow <!channel>")
    await room.rig.run(minutes=2)
    assert room.rig.writes == [], "one person is one, however often"
    assert "No service" in await told(room, "U0FAR", "complaint slow here", "dev")
    await told(room, "U0ONE", "complaint holisticos-api: it hangs")
    noted = await told(room, "U0TWO", "complaint me too")
    assert "Its policy acts on complaints >= 3 within 24h, counting each of you once." in noted
    await room.rig.run(minutes=3)
    assert room.rig.running[0] == "standard"
    words = [one for one in await room.rig.store.observations(room.rig.service.id, 0) if isinstance(one, Told)]
    assert {one.who for one in words} == {MALLORY, "U0ONE", "U0TWO"}
    assert words[0].note == "mallory: the checkout is slow <!channel>"


async def test_a_user_group_names_approvers_and_one_that_can_not_be_read_lets_nobody_in(tmp_path, slack):
    slack.groups["S0OPS"] = [ADA]
    async with slack_room(tmp_path, slack, GROUP) as room:
        await room.rig.run(minutes=1)
        assert "paused" in await told(room, ADA, "pause")
        assert "Only approvers" in await told(room, MALLORY, "resume")
    slack.scopes.discard("usergroups:read")
    (tmp_path / "b").mkdir()
    async with slack_room(tmp_path / "b", slack, GROUP) as room:
        await room.rig.run(minutes=1)
        refused = await told(room, ADA, "pause")
        assert "can't tell whether you are an approver" in refused
        assert "usergroups:read" in refused


async def test_a_policy_without_approvers_says_how_to_become_one(tmp_path, slack):
    async with slack_room(tmp_path, slack, POLICY) as room:
        await room.rig.run(minutes=1)
        assert "approval: {approvers: [U0ADA]}" in await told(room, ADA, "pause")


async def test_a_wrong_word_names_the_nearest(room):
    assert "There is no command 'stauts'. Did you mean `status`?" in await told(room, ADA, "stauts")
    assert "There is no service 'holistic'" in await told(room, ADA, "why holistic")


async def test_a_word_of_the_buttons_or_of_the_shell_is_told_where_it_belongs(room):
    assert "There is no command 'approve'. The question itself has a button" in await told(room, ADA, "approve")
    assert "Here it is `why`." in await told(room, ADA, "explain holisticos-api")
    assert "for a shell" in await told(room, ADA, "undo")


async def test_go_live_is_one_press_of_an_approver_and_takes_its_button_away(tmp_path, slack):
    async with slack_room(tmp_path, slack, ACTING.replace("mode: act", "mode: observe")) as room:
        rig = room.rig
        await rig.run(minutes=1)
        digest = await gather_digest(rig.managed, rig.store, 0, rig.clock.now(), rig.clock.now())
        told_to = delivery(digest_message(replace(digest, offers_live=True)), thread=None, channel="#ops")
        await rig.told.deliver(told_to)
        posted = slack.messages[-1]
        assert "Only approvers" in await room.answer(await room.press(MALLORY, Verb.GO_LIVE, posted))
        assert room.buttons(slack.now(posted)) == ["autoscaler.go_live"]
        assert "is live: from its next poll on" in await room.answer(await room.press(ADA, Verb.GO_LIVE, posted))
        assert room.buttons(slack.now(posted)) == []
        rig.load = BUSY
        await rig.run(minutes=5)
        assert rig.running[0] == "standard"
        assert any("holisticos-api goes live" in one for one in room.thread)


async def test_a_group_that_can_not_be_read_is_not_asked_for_again_with_each_service(slack):
    groups = SlackGroups(SecretStr(slack.token), base_url=slack.base_url)
    for _ in range(100):
        with pytest.raises(RefusedError, match="no_such_subteam"):
            await groups.members("S0NOSUCH")
    assert slack.calls == ["usergroups.users.list"]


async def test_in_dry_run_nothing_is_promised_that_nobody_does(tmp_path, slack):
    async with slack_room(tmp_path, slack, ACTING.replace("mode: act", "mode: observe"), dry_run=True) as room:
        await room.rig.run(minutes=1)
        assert "I am in dry run, and change nothing" in await told(room, ADA, "scale holisticos-api scaled")
        digest = await gather_digest(room.rig.managed, room.rig.store, 0, room.rig.clock.now(), room.rig.clock.now())
        await room.rig.told.deliver(delivery(digest_message(replace(digest, offers_live=True)), thread=None))
        said = await room.answer(await room.press(ADA, Verb.GO_LIVE, slack.messages[-1]))
        assert "I am in dry run, and change nothing" in said
        assert await room.rig.store.gone_live(room.rig.managed.service_id) is None
        assert await room.rig.changes() == []
