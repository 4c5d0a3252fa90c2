"""Who presses while the question ends takes its buttons away, and not its outcome."""

import asyncio

from autoscaler.adapters.slack.listener import SlackListener
from autoscaler.engine.outbox import deliver
from autoscaler.report.messages import Verb
from tests.support.rig import CALM
from tests.support.slack_room import ADA, slack_room


async def test_an_edit_of_the_old_question_that_arrives_after_its_outcome_does_not_stay(tmp_path, slack, monkeypatch):
    async with slack_room(tmp_path, slack) as room:
        await room.until_asked()
        told, answers = asyncio.Event(), SlackListener._respond

        async def slow(*answer):
            await told.wait()
            await answers(*answer)

        monkeypatch.setattr(SlackListener, "_respond", slow)
        room.rig.load = CALM
        while room.rig.managed.proposal is not None:
            room.rig.sim.clock.advance(10)
            await room.rig.ticker.tick(room.rig.managed)
        outcome = await room.press(ADA, Verb.APPROVE)
        await deliver(room.rig.store, room.rig.told, room.rig.clock)
        assert room.thread[0] == "💬 Withdrawn: nobody needs to answer about holisticos-api"
        told.set()
        await room.answer(outcome)
        await room.rig.run(seconds=10)
        assert room.thread[0] == "💬 Withdrawn: nobody needs to answer about holisticos-api"
        assert room.buttons() == []
