"""Messages arrive: in the right channel, in their thread, readable and without harm."""

from dataclasses import replace

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from autoscaler.core.change import State
from autoscaler.report import change_messages, messages
from tests.support.stories import NOW, change, delivery


async def test_a_change_is_one_thread_in_order(slack, notifier):
    begun = change()
    over = replace(begun, state=State.WATCHING, live_at=NOW + 190_000, outcome="standard is live and the app answers")
    reference = await notifier.deliver(delivery(change_messages.started(begun)))
    await notifier.deliver(delivery(change_messages.progress(begun, "Plan set to standard"), parent=reference))
    await notifier.deliver(delivery(change_messages.ended(over), parent=reference))

    first, *replies = slack.messages
    assert reference == f"C0OPS:{first.ts}"
    assert first.thread_ts is None
    assert [reply.thread_ts for reply in replies] == [first.ts, first.ts]
    assert [message.text.split(" · ")[0] for message in slack.messages] == [
        "🔧 Scaling up holisticos-api: mvp → scaled",
        "🔧 Plan set to standard",
        "✅ Done: holisticos-api runs on standard (scaled)",
    ]


async def test_a_reply_follows_its_thread_even_when_the_policy_names_another_channel_by_now(slack, notifier):
    reference = await notifier.deliver(delivery(change_messages.started(change())))
    await notifier.deliver(delivery(messages.notice("Later"), parent=reference, channel="#dev"))
    assert [message.channel for message in slack.messages] == ["C0OPS", "C0OPS"]


async def test_a_policy_without_a_channel_uses_the_default_one(slack, notifier):
    await notifier.deliver(delivery(messages.notice("Hello"), channel=None))
    await notifier.deliver(delivery(messages.notice("Hello"), channel="#dev"))
    assert [message.channel for message in slack.messages] == ["C0OPS", "C0DEV"]


async def test_the_first_message_as_slack_gets_it(slack, notifier):
    await notifier.deliver(delivery(change_messages.started(change())))
    (posted,) = slack.messages
    header, section, fields, context = posted.blocks
    assert header["text"]["text"] == "🔧 Scaling up holisticos-api: mvp → scaled"
    assert section["text"]["text"].splitlines() == [
        "avg_response_time 9.4s &gt; 8s for 1h",
        "Next: plan, env values, one deploy, then 15m of watching. I go back by myself if it fails.",
    ]
    assert [field["text"] for field in fields["fields"]] == [
        "*Plan*\nstarter → standard",
        "*Cost*\n$7/mo → $25/mo (+$18/mo)",
        "*Env (2)*\nMAX_CONCURRENT: 8 → 20\nDB_POOL_SIZE: 3 → 6",
    ]
    assert context["elements"][0]["text"] == "change chg_7f3a"


async def test_slack_is_told_to_make_nothing_of_names_in_a_message(slack, notifier):
    await notifier.deliver(delivery(messages.notice("<!channel> @here #ops https://evil.example")))
    (posted,) = slack.messages
    told = {key: posted.arguments[key] for key in ("parse", "link_names", "unfurl_links", "unfurl_media")}
    assert told == {"parse": "none", "link_names": False, "unfurl_links": False, "unfurl_media": False}
    assert posted.text.startswith("💬 &lt;!channel&gt; @here")


async def test_the_fake_answers_the_real_sdk(slack):
    client = AsyncWebClient(slack.token, base_url=slack.base_url, retry_handlers=[])
    assert (await client.auth_test())["bot_id"] == "B0BOT"
    assert (await client.conversations_info(channel="C0DEV"))["channel"]["name"] == "dev"
    ts = (await client.chat_postMessage(channel="#ops", text="one"))["ts"]
    await client.chat_update(channel="C0OPS", ts=ts, text="two")
    assert [message.text for message in slack.messages] == ["two"]


@pytest.mark.parametrize(
    ("wrong", "code"),
    (
        ({"blocks": [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}]}, "invalid_blocks"),
        ({"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": ""}}]}, "invalid_blocks"),
        ({"thread_ts": "1.000001"}, "thread_not_found"),
        ({"channel": "#nowhere"}, "channel_not_found"),
        ({"text": ""}, "no_text"),
        ({"token": "xoxb-other"}, "invalid_auth"),
    ),
)
async def test_the_fake_refuses_what_slack_refuses(slack, wrong, code):
    client = AsyncWebClient(slack.token, base_url=slack.base_url, retry_handlers=[])
    with pytest.raises(SlackApiError) as caught:
        await client.api_call("chat.postMessage", json={"channel": "#ops", "text": "x", **wrong})
    assert caught.value.response["error"] == code
    assert slack.messages == []
