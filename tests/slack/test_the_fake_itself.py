"""The fake Slack is as strict as the real one, and the real slack-sdk gets on with it: tokens, Socket Mode, what people press."""

import json

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError

from tests.support.slack_app import App, refused

# Tokens and scopes ---------------------------------------------------------------------------------------------------


async def test_each_method_takes_its_own_kind_of_token_only(slack, web):
    assert await refused(web.apps_connections_open(app_token=slack.token)) == "not_allowed_token_type"
    assert await refused(web.auth_test(token=slack.app_token)) == "not_allowed_token_type"
    assert (await web.apps_connections_open(app_token=slack.app_token))["url"].startswith("ws://127.0.0.1:")


async def test_a_method_without_its_scope_says_which_one_it_needs(slack, web):
    slack.scopes -= {"chat:write", "groups:read"}
    with pytest.raises(SlackApiError) as caught:
        await web.chat_postMessage(channel="#ops", text="x")
    answer = caught.value.response
    assert (answer["error"], answer["needed"]) == ("missing_scope", "chat:write")
    assert answer["provided"] == "channels:read,commands,files:write,usergroups:read"
    assert answer.headers["x-oauth-scopes"] == answer["provided"]
    assert (await web.conversations_info(channel="C0OPS"))["channel"]["is_private"] is False
    assert await refused(web.conversations_info(channel="C0SEC")) == "missing_scope"
    slack.app_scopes.clear()
    assert await refused(web.apps_connections_open(app_token=slack.app_token)) == "missing_scope"


async def test_auth_test_tells_the_scopes_in_a_header(slack, web):
    answer = await web.auth_test()
    assert set(answer.headers["x-oauth-scopes"].split(",")) == slack.scopes


# Socket Mode ---------------------------------------------------------------------------------------------------------


async def test_a_ticket_opens_one_connection_and_hello_comes_first(slack, web):
    url = (await web.apps_connections_open(app_token=slack.app_token))["url"]
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        hello = await socket.receive_json()
        assert (hello["type"], hello["num_connections"], hello["connection_info"]) == ("hello", 1, {"app_id": "A0FAKE"})
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(url)


async def test_a_click_is_a_genuine_payload_and_is_acked(slack, app, asked):
    outcome = await slack.click("U0ADA", asked, "yes")
    assert outcome.acked
    (request,) = app.got
    payload = request.payload
    assert (request.type, request.accepts_response_payload) == ("interactive", False)
    assert (payload["type"], payload["channel"]) == ("block_actions", {"id": "C0OPS", "name": "ops"})
    assert payload["user"] == {"id": "U0ADA", "username": "ada", "name": "ada", "team_id": "T0FAKE"}
    assert payload["message"]["blocks"] == asked.blocks
    assert payload["container"]["message_ts"] == asked.ts
    (action,) = payload["actions"]
    assert (action["action_id"], action["block_id"], action["value"]) == ("yes", "asked", "chg_1")


async def test_an_option_is_picked_by_its_value(slack, app, asked):
    for action_id in ("plan", "more"):
        await slack.click("U0ADA", asked, action_id, value="standard")
    assert [one.payload["actions"][0]["selected_option"]["value"] for one in app.got] == ["standard", "standard"]
    with pytest.raises(AssertionError, match="no option"):
        await slack.click("U0ADA", asked, "plan", value="pro")


async def test_nobody_presses_a_button_that_is_gone(slack, web, app, asked):
    await web.chat_update(channel=asked.channel, ts=asked.ts, text="Done", blocks=[])
    with pytest.raises(AssertionError, match="nothing to press"):
        await slack.click("U0ADA", asked, "yes")


async def test_blocks_that_are_not_sent_along_stay(slack, web, asked):
    await web.chat_update(channel=asked.channel, ts=asked.ts, text="Still?")
    assert (slack.messages[-1].text, slack.messages[-1].blocks) == ("Still?", asked.blocks)


@pytest.mark.parametrize(("channel", "name"), (("ops", "ops"), ("secret", "privategroup"), ("D0ADA", "directmessage")))
async def test_a_command_says_where_it_was_typed(slack, app, channel, name):
    app.answer = {"text": "on it"}
    outcome = await slack.command("U0BOB", "status", channel)
    assert outcome.acked
    payload = app.got[0].payload
    assert (payload["command"], payload["text"], payload["channel_name"]) == ("/autoscaler", "status", name)
    assert [(one.user, one.text) for one in slack.ephemerals] == [("U0BOB", "on it")]


async def test_an_envelope_goes_to_one_connection_each_in_its_turn(slack, web, app, asked):
    other = App(slack, web)
    await other.client.connect()
    await slack.connected(2)
    for _ in range(4):
        await slack.click("U0ADA", asked, "yes")
    assert (len(app.got), len(other.got)) == (2, 2)
    await other.client.close()


async def test_what_is_not_acked_in_time_has_failed_and_may_come_again(slack, app, asked):
    slack.timeout, app.deaf = 0.05, True
    failed = await slack.click("U0ADA", asked, "yes")
    assert not failed.acked
    slack.timeout, app.deaf = 3.0, False
    assert (await slack.redeliver(failed)).acked
    first, second = app.got
    assert first.envelope_id == second.envelope_id
    assert (second.retry_attempt, second.retry_reason) == (1, "timeout")


async def test_an_envelope_can_be_played_again_byte_for_byte(slack, app, asked):
    outcome = await slack.click("U0ADA", asked, "yes")
    again = await slack.again(outcome)
    assert again.acked
    assert again.raw == outcome.raw


async def test_a_late_or_second_ack_is_a_stray_one(slack, app, asked):
    outcome = await slack.click("U0ADA", asked, "yes")
    await app.client.send_socket_mode_response({"envelope_id": outcome.envelope["envelope_id"]})
    assert await slack.until(lambda: slack.stray_acks) == [{"envelope_id": outcome.envelope["envelope_id"]}]


async def test_anything_may_be_sent_and_without_a_connection_nothing_arrives(slack, app):
    assert (await slack.send({"type": "shortcut", "user": {}})).acked
    await app.client.close()
    await slack.until(lambda: not slack._links)
    assert not (await slack.send({"type": "shortcut"})).acked


async def test_the_sdk_makes_a_new_connection_when_it_is_told_to(slack, app, asked):
    await slack.disconnect("refresh_requested")
    await slack.connected()
    assert (await slack.click("U0ADA", asked, "yes")).acked
    assert slack.calls.count("apps.connections.open") == 2


async def test_a_connection_that_does_not_leave_is_closed(slack, web):
    slack.grace = 0.05
    url = (await web.apps_connections_open(app_token=slack.app_token))["url"]
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        await slack.connected()
        await slack.disconnect("link_disabled")
        received = [await socket.receive() for _ in range(3)]
    assert [json.loads(one.data)["type"] for one in received[:2]] == ["hello", "disconnect"]
    assert received[2].type is aiohttp.WSMsgType.CLOSE


async def test_the_sdk_comes_back_after_connections_broke_off(slack, app, asked):
    await slack.drop()
    await slack.connected()
    assert (await slack.click("U0ADA", asked, "yes")).acked
