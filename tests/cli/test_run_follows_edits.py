"""`run` as a real process: a policy that is saved while it runs is taken up long before the next poll."""

import asyncio
import json
import time

from tests.support.cli import starting
from tests.support.fake_slack import fake_slack


async def until_told(worker, words):
    """The seconds until the log says so."""
    began = time.monotonic()
    async with asyncio.timeout(20):
        async for raw in worker.stderr:
            if words in json.loads(raw)["message"]:
                return time.monotonic() - began
    raise AssertionError("the worker ended first")


async def test_a_saved_policy_is_taken_up_at_once_and_a_broken_one_is_told_in_slack_once(place):
    sound = place.policy.read_text().replace("every: 1s", "every: 1h")
    place.policy.write_text(sound)
    async with fake_slack() as slack:
        env = place.env | {"SLACK_BOT_TOKEN": slack.token, "SLACK_API_URL": slack.base_url, "SLACK_CHANNEL": "#ops"}
        async with starting("run", "-p", place.policies, "--log-format", "json", **env) as worker:
            await until_told(worker, "runs on starter")
            place.policy.write_text(sound.replace("mode: act", "mode: akt"))
            assert await until_told(worker, "the version from before stays in force") < 8
            place.policy.write_text(sound.replace("mode: act", "mode: observe"))
            assert await until_told(worker, "is in force: holisticos-api, mode observe") < 8
            place.policy.unlink()
            assert await until_told(worker, "I no longer look after holisticos-api") < 8
            place.policy.write_text(sound.replace("mode: act", "mode: akt"))
            await until_told(worker, "it is not in force")
            for _ in range(150):  # what nobody looks after any more is delivered once its lease was claimed for that
                if any("I no longer look after" in message.text for message in slack.messages):
                    break
                await asyncio.sleep(0.1)  # the worker is another process, in real time
    told = [message.text.split("\n")[0] for message in slack.messages]
    assert [text for text in told if "can't be used: the version from before" in text] == told[:1]
    assert "is good again" in told[1]
    assert any("I no longer look after holisticos-api" in text for text in told[2:])
