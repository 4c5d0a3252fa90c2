"""A change by hand looks at Render before it is written down, which may take longer than Slack waits for a press."""

import asyncio

from autoscaler.adapters.slack import listener
from autoscaler.report.messages import Verb
from tests.support.rig import POLICY
from tests.support.slack_room import ADA, slack_room

APPROVED = POLICY.replace("verify:", f"approval: {{approvers: [{ADA}]}}\nverify:")


async def test_it_is_acknowledged_in_time_and_done_once_render_has_answered(tmp_path, slack, monkeypatch):
    monkeypatch.setattr(listener, "ACKNOWLEDGE", 0.05)
    async with slack_room(tmp_path, slack, APPROVED) as room:
        await room.rig.run(seconds=20)
        await (await slack.command(ADA, "scale holisticos-api scaled")).reply()
        find, answers = room.rig.render.find_service, asyncio.Event()

        async def slow(**which):
            await answers.wait()
            return await find(**which)

        monkeypatch.setattr(room.rig.render, "find_service", slow)
        outcome = await slack.click(ADA, slack.ephemerals[-1], f"autoscaler.{Verb.SCALE}")
        assert outcome.acked
        answers.set()
        assert "Noted: holisticos-api goes to scaled." in (await outcome.reply())["text"]
        (change,) = await room.rig.changes()
        assert change.target.tier == "scaled"
