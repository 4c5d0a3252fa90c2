"""Slack refuses, stumbles or is away: the outbox learns whether to try again, people learn what to do, nobody learns the token."""

import asyncio
import logging
import socket
import traceback

import pytest
from pydantic import SecretStr

from autoscaler.adapters.slack.listener import SlackListener
from autoscaler.adapters.slack.notifier import SlackNotifier
from autoscaler.errors import RefusedError, UnavailableError
from autoscaler.report import messages
from tests.support.stories import delivery

HELLO = delivery(messages.notice("Hello"))


async def test_a_429_is_to_be_tried_again_after_the_time_slack_asked_for(slack, notifier):
    slack.rate_limit(7)
    with pytest.raises(UnavailableError, match="slow down") as caught:
        await notifier.deliver(HELLO)
    assert caught.value.retry_after == 7
    assert not caught.value.may_have_acted


async def test_a_429_with_a_senseless_time_has_none(slack, notifier):
    slack.answer_next(429, '{"ok": false, "error": "ratelimited"}', headers={"Retry-After": "soon"})
    with pytest.raises(UnavailableError) as caught:
        await notifier.deliver(HELLO)
    assert caught.value.retry_after is None


@pytest.mark.parametrize(
    ("status", "body", "content_type"),
    (
        (500, '{"ok": false, "error": "internal_error"}', "application/json"),
        (503, "<html>down</html>", "text/html"),
        (502, "bad gateway", "text/plain"),
        (500, "", "application/json"),
        (200, '{"ok": false, "error": "fatal_error"}', "application/json"),
        (200, "<html>log in to the hotel's network</html>", "text/html"),
        (200, "hello", "text/plain"),
        (200, "[1]", "application/json"),
        (200, "{nonsense", "application/json"),
        (200, '{"ok": true}', "application/json"),
        (404, "<html>nothing here</html>", "text/html"),
    ),
)
async def test_an_answer_that_is_not_slacks_or_says_trouble_is_to_be_tried_again(
    slack, notifier, status, body, content_type
):
    slack.answer_next(status, body, content_type=content_type)
    with pytest.raises(UnavailableError, match="Slack") as caught:
        await notifier.deliver(HELLO)
    assert caught.value.may_have_acted
    assert await notifier.deliver(HELLO)


async def test_a_slow_slack_is_given_up_after_the_timeout(slack):
    hasty = SlackNotifier(SecretStr(slack.token), "#ops", base_url=slack.base_url, timeout=0.05)
    slack.hang()
    with pytest.raises(UnavailableError, match=r"within 0\.05s; the message for #ops may have arrived") as caught:
        await hasty.deliver(HELLO)
    await hasty.aclose()
    assert caught.value.may_have_acted


async def test_a_connection_that_breaks_is_to_be_tried_again(slack, notifier):
    slack.reset()
    with pytest.raises(UnavailableError, match="broke off") as caught:
        await notifier.deliver(HELLO)
    assert caught.value.may_have_acted
    assert slack.calls == ["chat.postMessage"], "nothing is retried in here"


async def test_a_slack_that_can_not_be_reached_has_not_acted():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, never listening: nobody else gets the port, and it refuses
        away = SlackNotifier(SecretStr("xoxb-1"), "#ops", base_url=f"http://127.0.0.1:{taken.getsockname()[1]}/api/")
        with pytest.raises(UnavailableError, match="can't be reached") as caught:
            await away.deliver(HELLO)
        await away.aclose()
    assert not caught.value.may_have_acted


@pytest.mark.parametrize(
    ("code", "more", "fix"),
    (
        ("invalid_auth", {}, "Bot User OAuth Token"),
        ("token_revoked", {}, "SLACK_BOT_TOKEN"),
        ("account_inactive", {}, "install it again"),
        ("channel_not_found", {}, "/invite @"),
        ("not_in_channel", {}, "/invite @"),
        ("missing_scope", {"needed": "chat:write"}, "add the scope chat:write"),
        ("is_archived", {}, "unarchive it"),
        ("something_new", {}, "something_new"),
    ),
)
async def test_a_refusal_names_its_fix_and_is_final(slack, notifier, code, more, fix):
    slack.refuse(code, **more)
    with pytest.raises(RefusedError) as caught:
        await notifier.deliver(HELLO)
    assert fix in str(caught.value)
    assert "#ops" in str(caught.value)


@pytest.mark.parametrize(
    ("channel", "fix"), (("#nowhere", "no such channel"), ("#elsewhere", "/invite"), ("#old", "unarchive"))
)
async def test_a_channel_that_does_not_work_is_refused_with_what_to_do(notifier, channel, fix):
    with pytest.raises(RefusedError, match=fix):
        await notifier.deliver(delivery(messages.notice("Hello"), channel=channel))


async def test_no_channel_at_all_is_refused_before_slack_is_asked(slack):
    homeless = SlackNotifier(SecretStr(slack.token), None, base_url=slack.base_url)
    with pytest.raises(RefusedError, match="notify"):
        await homeless.deliver(delivery(messages.notice("Hello"), channel=None))
    assert slack.calls == []


async def test_the_token_is_in_no_log_no_error_and_no_traceback(slack, caplog):
    caplog.set_level(logging.DEBUG)
    notifier = SlackNotifier(SecretStr("xoxb-other-VERYSECRET"), "#ops", base_url=slack.base_url)
    shown = [repr(notifier), str(vars(notifier))]
    for fault in (
        lambda: None,
        slack.reset,
        lambda: slack.answer_next(500, "no"),
        lambda: slack.refuse("invalid_auth"),
    ):
        fault()
        with pytest.raises((RefusedError, UnavailableError)) as caught:
            await notifier.deliver(HELLO)
        assert caught.value.__context__ is None, "slack-sdk's frames hold the request's headers"
        with_locals = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        shown += [str(caught.value), repr(caught.value), "".join(with_locals.format())]
    await notifier.aclose()
    shown += [caplog.text, *(repr(record.args) for record in caplog.records)]
    assert caplog.records, "the SDK does log at DEBUG, so that this test can fail"
    assert not [text for text in shown if "VERYSECRET" in text]


async def test_a_closed_notifier_left_nothing_open_and_closes_twice(notifier):
    await notifier.deliver(HELLO)
    await notifier.aclose()
    await notifier.aclose()


async def test_while_slack_wants_to_be_left_alone_no_other_message_is_tried(slack, notifier):
    slack.rate_limit(7)
    for _ in range(20):
        with pytest.raises(UnavailableError, match="slow down") as caught:
            await notifier.deliver(HELLO)
        assert 6 < caught.value.retry_after <= 7
    assert slack.calls == ["chat.postMessage"]


async def test_a_wrong_app_token_is_answered_with_where_that_one_comes_from(slack, caplog):
    listener = SlackListener(SecretStr(slack.token), SecretStr(slack.token), None, base_url=slack.base_url)
    listening = asyncio.create_task(listener.run())
    await slack.until(lambda: "no buttons and no commands yet" in caplog.text)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    assert "into SLACK_APP_TOKEN and restart" in caplog.text
    assert "SLACK_BOT_TOKEN" not in caplog.text
