"""What a receiver gets: one signed JSON an event, the same again when it is sent again."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from autoscaler.adapters.webhook import WebhookNotifier, _webhook_id
from autoscaler.ports import EventKind
from autoscaler.report import change_messages, messages
from autoscaler.report.messages import Message, Tone
from tests.support.stories import MINUTE, NOW, change, delivery
from tests.support.webhook_receiver import PATH, SECRET, ForgedError, Got, verified, webhook_receiver

STARTED = delivery(change_messages.started(change()), id="chg_7f3a:started")


def test_the_check_takes_the_standards_own_example_and_no_other_byte():
    """Of the tests of the standard's Python library: without this, the check below could be wrong in the same way as what it checks."""
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    assert verified(Got("/", headers, b'{"test": 2432232314}')) == {"test": 2432232314}
    for forged in (Got("/", headers, b'{"test": 2432232315}'), Got("/", headers | {"webhook-id": "msg_q"}, b"{}")):
        with pytest.raises(ForgedError):
            verified(forged)


async def test_an_event_is_one_signed_post_with_all_that_slack_would_show(receiver, notifier, clock):
    clock.at = NOW + MINUTE + 999
    assert await notifier.deliver(STARTED) == "chg_7f3a:started"
    (got,) = receiver.got
    assert verified(got) == {
        "id": "chg_7f3a:started",
        "at": "2026-10-06T14:03:00.000+00:00",
        "at_ms": NOW,
        "kind": "notice",
        "service_id": "srv-1",
        "thread": "chg_7f3a",
        "channel": "#ops",
        "message": {
            "title": "Scaling up holisticos-api: mvp → scaled",
            "tone": "progress",
            "lines": list(STARTED.event.message.lines),
            "fields": [{"label": label, "value": value} for label, value in STARTED.event.message.fields],
            "context": "change chg_7f3a",
        },
    }
    assert got.path == PATH
    assert got.headers["content-type"] == "application/json"
    assert got.headers["webhook-timestamp"] == str(NOW // 1000 + 60), "seconds, of the attempt"
    assert got.headers["webhook-signature"].startswith("v1,")
    assert got.headers["user-agent"] == "render-autoscaler"


async def test_sent_again_it_has_the_same_id_and_body_and_the_time_of_the_new_attempt(receiver, notifier, clock):
    await notifier.deliver(STARTED)
    clock.at += 5 * MINUTE
    await notifier.deliver(STARTED)
    first, second = receiver.got
    assert verified(first) == verified(second)
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 300


async def test_what_only_edits_an_earlier_message_is_not_sent(receiver, notifier):
    assert await notifier.deliver(delivery(messages.notice("Hello"), kind=EventKind.HEAD)) is None
    assert receiver.got == []


@pytest.mark.parametrize("channel", (None, "#ops"))
async def test_a_policy_without_a_channel_has_none_and_is_told_all_the_same(receiver, notifier, channel):
    await notifier.deliver(delivery(messages.notice("Hello"), channel=channel, thread=None))
    assert verified(receiver.got[0])["channel"] == channel
    assert verified(receiver.got[0])["thread"] is None


async def test_the_query_and_the_user_of_the_address_reach_the_receiver(receiver, posting):
    notifier = posting(receiver.origin.replace("//", "//ada:p%40ss@") + PATH + "?key=QUERYtoken")
    await notifier.deliver(STARTED)
    assert receiver.got[0].path == PATH + "?key=QUERYtoken"
    assert receiver.got[0].headers["authorization"] == "Basic YWRhOnBAc3M="


async def test_a_receiver_on_this_machine_is_asked_directly_whatever_proxy_there_is(receiver, posting, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert await posting(receiver.url).deliver(STARTED)


async def test_another_secret_would_not_do(receiver, notifier):
    await notifier.deliver(STARTED)
    with pytest.raises(ForgedError):
        verified(receiver.got[0], "whsec_" + "A" * 32)


words = st.text(st.characters(exclude_categories=()), max_size=40) | st.sampled_from(["\x1b[2Jx", "\ud800", "\r\nx: y"])
anything = st.builds(
    Message,
    words,
    st.sampled_from(Tone),
    st.lists(words, max_size=3).map(tuple),
    st.lists(st.tuples(words, words), max_size=3).map(tuple),
    words,
)
HEADER_SAFE = set(string.ascii_letters + string.digits + "-_~%:/")


@given(anything, words, words)
async def test_any_message_is_valid_json_in_ascii_with_a_valid_signature(clock_of_property, message, name, channel):
    async with webhook_receiver() as receiver:
        notifier = WebhookNotifier(SecretStr(receiver.url), SecretStr(SECRET), clock_of_property)
        try:
            reference = await notifier.deliver(delivery(message, id=f"e{name}", channel=channel))
        finally:
            await notifier.aclose()
    (got,) = receiver.got
    document = verified(got)
    assert got.body.isascii()
    assert document["id"] == got.headers["webhook-id"] == reference
    assert set(reference) <= HEADER_SAFE, "the standard allows no full stop, and a header no line break"
    shown = document["message"]
    texts = [
        shown["title"],
        shown["context"],
        *shown["lines"],
        *(text for one in shown["fields"] for text in one.values()),
    ]
    assert not [one for text in texts for one in text if (ord(one) < 32 and one != "\n") or 0xD800 <= ord(one) < 0xE000]
    assert (len(shown["lines"]), len(shown["fields"])) == (len(message.lines), len(message.fields))


def test_two_ids_are_never_one_and_have_no_full_stop():
    ids = ["policy:broken:a.yaml:1", "policy:broken:a%2Eyaml:1", "policy:broken:a/yaml:1", "alert:ä b", "alert:a b"]
    names = {_webhook_id(delivery(messages.notice("x"), id=one).event) for one in ids}
    assert len(names) == len(ids)
    assert set("".join(names)) <= HEADER_SAFE
