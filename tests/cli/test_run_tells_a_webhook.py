"""`run` with a webhook instead of Slack, as a real process: the story arrives signed, and the log says where messages go."""

import asyncio
import json
import signal

import pytest

from tests.support.cli import autoscaler, starting
from tests.support.fake_slack import fake_slack
from tests.support.webhook_receiver import SECRET, verified, webhook_receiver


async def told_in(place, env, enough):
    """Run the worker until that holds; its log, line by line, and its standard output."""
    lines: list[str] = []
    async with starting("run", "-p", place.policies, "--log-format", "json", **(place.env | env)) as worker:
        async with asyncio.timeout(30):
            async for raw in worker.stderr:
                lines.append(raw.decode())
                if enough(lines):
                    break
        worker.send_signal(signal.SIGTERM)
        out, err = await asyncio.wait_for(worker.communicate(), 20)
    return [json.loads(line)["message"] for line in (*lines, *err.decode().splitlines())], out.decode()


async def test_the_decision_the_progress_and_the_outcome_arrive_signed_and_nothing_is_printed(place):
    place.use_much_memory()
    async with webhook_receiver() as receiver:
        env = {"WEBHOOK_URL": f"{receiver.url}?key=QUERYtoken", "WEBHOOK_SECRET": SECRET}
        messages, out = await told_in(place, env, lambda _: len(receiver.got) >= 4)
    told = [verified(got) for got in receiver.got]
    assert told[0]["message"]["title"] == "Scaling up holisticos-api: mvp → scaled"
    assert told[-1]["message"]["title"].startswith("Done")
    assert len({one["thread"] for one in told}) == 1
    assert len({one["id"] for one in told}) == len(told)
    assert [one for one in messages if f"messages: the webhook at {receiver.origin}" in one]
    assert out == ""
    assert not [one for one in messages if "token" in one or SECRET[6:] in one]


async def test_with_a_slack_token_slack_wins_and_the_log_says_so(place):
    async with fake_slack() as slack, webhook_receiver() as receiver:
        env = {
            "SLACK_BOT_TOKEN": slack.token,
            "SLACK_API_URL": slack.base_url,
            "SLACK_CHANNEL": "#ops",
            "WEBHOOK_URL": receiver.url,
            "WEBHOOK_SECRET": SECRET,
        }
        place.use_much_memory()
        messages, _ = await told_in(place, env, lambda _: slack.messages)
    assert [one for one in messages if "; messages: Slack" in one]
    assert receiver.got == []


async def test_with_neither_the_log_says_that_messages_appear_here(place):
    messages, _ = await told_in(place, {}, lambda lines: any("messages: this terminal" in line for line in lines))
    assert messages


@pytest.mark.parametrize(
    ("env", "fix"),
    (
        ({"WEBHOOK_URL": "https://hooks.example.com/VERYSECRET"}, "WEBHOOK_SECRET is not"),
        ({"WEBHOOK_URL": "https://hooks.example.com/x", "WEBHOOK_SECRET": "VERYSECRET"}, "WEBHOOK_SECRET is no whsec_"),
        ({"WEBHOOK_URL": "http://hooks.example.com/VERYSECRET", "WEBHOOK_SECRET": SECRET}, "WEBHOOK_URL begins with"),
        ({"WEBHOOK_URL": "VERYSECRET", "WEBHOOK_SECRET": SECRET}, "WEBHOOK_URL is no https:// address"),
    ),
)
async def test_half_a_webhook_ends_it_at_once_with_what_to_do_and_no_database_is_made(place, env, fix):
    ended = await autoscaler("run", "-p", place.policies, **(place.env | env))
    assert ended.code == 2, ended.err
    assert fix in ended.err
    assert ended.err.count("\n") == 1
    assert "VERYSECRET" not in ended.err
    assert not (place.folder / "bot.db").exists()
