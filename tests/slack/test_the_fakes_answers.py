"""The fake Slack's rules for what an app says back: response URLs, ephemeral messages, modals and files."""

import pytest
from slack_sdk.webhook.async_client import AsyncWebhookClient

from tests.support.slack_app import ASK, MODAL, NOTE, REASON, refused

# response_url --------------------------------------------------------------------------------------------------------


@pytest.fixture
async def pressed(slack, app, asked):
    return await slack.click("U0ADA", asked, "yes")


@pytest.fixture
def respond(pressed):
    return AsyncWebhookClient(pressed.envelope["payload"]["response_url"], retry_handlers=[]).send


def error(response):
    return response.status_code, response.body


async def test_a_reply_is_for_the_one_who_pressed_unless_it_says_otherwise(slack, pressed, respond):
    await respond(text="only you")
    await respond(text="all of you", response_type="in_channel")
    assert [(one.user, one.channel, one.text) for one in slack.ephemerals] == [("U0ADA", "C0OPS", "only you")]
    assert slack.messages[-1].text == "all of you"
    assert await pressed.reply(2) == {"text": "all of you", "response_type": "in_channel"}
    assert len(pressed.replies) == 2


async def test_a_reply_may_replace_or_delete_what_was_pressed(slack, asked, respond):
    await respond(text="Done", replace_original=True)
    assert [(one.ts, one.text, one.blocks) for one in slack.messages] == [(asked.ts, "Done", [])]
    await respond(delete_original=True)
    assert slack.messages == []
    assert (await respond(text="x", replace_original=True)).status_code == 400


async def test_a_response_url_works_five_times(slack, respond):
    for number in range(5):
        assert (await respond(text=str(number))).status_code == 200
    assert error(await respond(text="5")) == (404, '{"ok": false, "error": "used_url"}')


async def test_a_response_url_works_for_thirty_minutes(slack, respond):
    slack.expire_responses()
    assert error(await respond(text="x")) == (404, '{"ok": false, "error": "expired_url"}')


async def test_a_response_url_that_slack_did_not_give_is_none(slack):
    made_up = AsyncWebhookClient(slack.base_url.replace("/api/", "/response/xyz"))
    assert error(await made_up.send(text="x")) == (404, '{"ok": false, "error": "invalid_url"}')


async def test_a_reply_is_checked_and_a_wrong_one_does_not_count(slack, pressed, respond):
    assert (await respond(text="x", blocks=[{"type": "actions", "elements": []}])).status_code == 400
    assert (await respond()).status_code == 400
    assert pressed.replies == []
    assert slack.ephemerals == []


# Ephemeral messages --------------------------------------------------------------------------------------------------


async def test_an_ephemeral_message_can_be_pressed_by_its_reader_and_replaced(slack, web, app):
    await web.chat_postEphemeral(channel="#ops", user="U0ADA", text="Sure?", blocks=ASK)
    (seen,) = slack.ephemerals
    outcome = await slack.click("U0ADA", seen, "yes")
    payload = outcome.envelope["payload"]
    assert payload["container"]["is_ephemeral"] is True
    assert "message" not in payload
    await AsyncWebhookClient(payload["response_url"]).send(text="Good", replace_original=True)
    assert [(one.text, one.blocks) for one in slack.ephemerals] == [("Good", [])]
    with pytest.raises(AssertionError, match="somebody else's"):
        await slack.click("U0BOB", seen, "yes")


async def test_an_ephemeral_message_is_for_who_is_there_and_in_a_thread_that_is(slack, web, asked):
    post = web.chat_postEphemeral
    assert await refused(post(channel="#ops", user="U0NONE", text="x")) == "user_not_in_channel"
    assert await refused(post(channel="#elsewhere", user="U0ADA", text="x")) == "not_in_channel"
    assert await refused(post(channel="#ops", user="U0ADA", text="x", thread_ts="1.0")) == "thread_not_found"
    await post(channel="#ops", user="U0ADA", text="x", thread_ts=asked.ts)
    assert slack.ephemerals[0].thread_ts == asked.ts


# Messages ------------------------------------------------------------------------------------------------------------


async def test_a_reply_may_be_shown_in_the_channel_too(slack, web, asked):
    await web.chat_postMessage(channel="C0OPS", text="x", thread_ts=asked.ts, reply_broadcast=True)
    await web.chat_postMessage(channel="C0OPS", text="x", thread_ts=asked.ts)
    assert [one.broadcast for one in slack.messages] == [False, True, False]


async def test_only_the_bots_own_messages_can_be_updated_and_a_channel_goes_by_its_id(slack, web, asked):
    said = slack.say("U0BOB", "hello")
    assert await refused(web.chat_update(channel="C0OPS", ts=said.ts, text="x")) == "cant_update_message"
    assert await refused(web.chat_update(channel="C0OPS", ts="1.0", text="x")) == "message_not_found"
    assert await refused(web.chat_update(channel="#ops", ts=asked.ts, text="x")) == "channel_not_found"


async def test_a_group_has_its_members(slack, web):
    slack.groups["S1"] = ["U0EVE"]
    assert (await web.usergroups_users_list(usergroup="S1"))["users"] == ["U0EVE"]
    assert await refused(web.usergroups_users_list(usergroup="S2")) == "no_such_subteam"


async def test_a_fault_may_be_meant_for_one_method(slack, web):
    slack.refuse("fatal_error", method="chat.update")
    assert (await web.chat_postMessage(channel="#ops", text="x"))["ok"]
    assert await refused(web.chat_update(channel="C0OPS", ts="1.0", text="x")) == "fatal_error"


# Modals --------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def trigger(pressed):
    return pressed.envelope["payload"]["trigger_id"]


async def test_a_trigger_opens_one_modal_within_three_seconds(slack, web, app, asked, trigger):
    assert await refused(web.views_open(trigger_id="1.2.abc", view=MODAL)) == "invalid_trigger_id"
    await web.views_open(trigger_id=trigger, view=MODAL)
    assert await refused(web.views_open(trigger_id=trigger, view=MODAL)) == "exchanged_trigger_id"
    late = (await slack.command("U0ADA", "no")).envelope["payload"]["trigger_id"]
    slack.expire_triggers()
    assert await refused(web.views_open(trigger_id=late, view=MODAL)) == "expired_trigger_id"
    assert len(slack.views) == 1


async def test_a_modal_is_filled_in_sent_and_closed(slack, web, app, trigger):
    view = (await web.views_open(trigger_id=trigger, view={**MODAL, "private_metadata": "chg_1"}))["view"]
    outcome = await slack.submit("U0ADA", view, {"why": "not now"})
    assert outcome.acked
    payload = app.got[-1].payload
    assert (payload["type"], payload["view"]["private_metadata"]) == ("view_submission", "chg_1")
    assert payload["view"]["state"]["values"] == {
        "why": {"text": {"type": "plain_text_input", "value": "not now"}},
        "note": {"text": {"type": "plain_text_input", "value": None}},
    }
    assert app.got[-1].accepts_response_payload
    assert slack.views == []
    assert await refused(web.views_update(view_id=view["id"], view=MODAL)) == "not_found"


async def test_a_modal_stays_open_with_its_errors(slack, web, app, trigger):
    view = (await web.views_open(trigger_id=trigger, view=MODAL))["view"]
    app.answer = {"response_action": "errors", "errors": {"why": "too short"}}
    assert (await slack.submit("U0ADA", view, {"why": "x"})).ack == app.answer
    assert slack.views == [view]
    app.answer = {"response_action": "errors", "errors": {"elsewhere": "x"}}
    with pytest.raises(AssertionError, match="beside no input"):
        await slack.submit("U0ADA", view, {"why": "x"})


@pytest.mark.parametrize(
    ("user", "values", "why"),
    (
        ("U0ADA", {}, "why is empty"),
        ("U0ADA", {"why": "x" * 21}, "21 characters"),
        ("U0ADA", {"why": "x", "else": "y"}, "no such inputs"),
        ("U0BOB", {"why": "x"}, "somebody else's modal"),
    ),
)
async def test_slack_sends_no_modal_that_is_not_filled_in_right(slack, web, app, trigger, user, values, why):
    view = (await web.views_open(trigger_id=trigger, view=MODAL))["view"]
    with pytest.raises(AssertionError, match=why):
        await slack.submit(user, view, values)


async def test_a_modal_is_updated_as_long_as_nobody_else_did(slack, web, app, trigger):
    view = (await web.views_open(trigger_id=trigger, view=MODAL))["view"]
    new = {**MODAL, "blocks": [REASON]}
    await web.views_update(view_id=view["id"], hash=view["hash"], view=new)
    assert [len(one["blocks"]) for one in slack.views] == [1]
    assert await refused(web.views_update(view_id=view["id"], hash=view["hash"], view=new)) == "hash_conflict"
    wrong = {**MODAL, "blocks": [NOTE, NOTE]}
    assert await refused(web.views_update(view_id=view["id"], view=wrong)) == "invalid_arguments"


# Files ---------------------------------------------------------------------------------------------------------------


async def test_a_file_is_uploaded_into_a_thread(slack, web, asked):
    answer = await web.files_upload_v2(
        filename="report.png", content=b"\x89PNG", title="Report", channel="C0OPS", thread_ts=asked.ts
    )
    file = slack.files[answer["file"]["id"]]
    assert (file.name, file.title, file.data, file.completed) == ("report.png", "Report", b"\x89PNG", True)
    assert (slack.messages[-1].files, slack.messages[-1].thread_ts) == ((file.id,), asked.ts)
    assert slack.calls[-3:] == ["files.getUploadURLExternal", "upload", "files.completeUploadExternal"]


async def test_an_image_shows_a_file_only_when_that_is_complete(slack, web):
    asked = await web.files_getUploadURLExternal(filename="a.png", length=3)
    image = {"type": "image", "alt_text": "a", "slack_file": {"id": asked["file_id"]}}
    assert await refused(web.files_completeUploadExternal(files=[{"id": asked["file_id"]}])) == "file_not_found"
    assert await refused(web.chat_postMessage(channel="#ops", text="x", blocks=[image])) == "invalid_blocks"
    done = await web.files_upload_v2(filename="a.png", content=b"123")
    image["slack_file"] = {"id": done["file"]["id"]}
    await web.chat_postMessage(channel="#ops", text="x", blocks=[image])
    assert len(slack.messages) == 1, "without a channel the file was not shared by itself"


async def test_an_upload_is_completed_once_and_into_a_channel_by_its_id(slack, web):
    assert await refused(web.files_upload_v2(filename="a", content="x", channel="#ops")) == "channel_not_found"
    file = {"id": (await web.files_upload_v2(filename="a", content="x"))["file"]["id"]}
    assert await refused(web.files_completeUploadExternal(files=[file])) == "file_not_found"


# Lists ---------------------------------------------------------------------------------------------------------------


async def test_channels_come_page_by_page_and_each_kind_needs_its_scope(slack, web):
    slack.page_size = 2
    first = await web.conversations_list(limit=999)
    following = first["response_metadata"]["next_cursor"]
    rest = await web.conversations_list(limit=999, cursor=following)
    assert [one["name"] for one in (*first["channels"], *rest["channels"])] == ["ops", "dev", "elsewhere", "old"]
    assert rest["response_metadata"]["next_cursor"] == ""
    private = await web.conversations_list(types="private_channel")
    assert [one["name"] for one in private["channels"]] == ["secret"]
    slack.scopes.discard("groups:read")
    assert await refused(web.conversations_list(types="public_channel,private_channel")) == "missing_scope"
    assert await refused(web.conversations_list(limit=1000)) == "invalid_limit"


async def test_an_app_whose_socket_mode_is_off_gets_an_address_and_a_warning(slack, web):
    slack.socket_mode = False
    answer = await web.apps_connections_open(app_token=slack.app_token)
    assert answer["url"].startswith("ws://")
    assert answer["response_metadata"]["messages"] == ["[WARN] Socket Mode is not turned on."]
