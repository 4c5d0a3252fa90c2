"""The whole bot with its control room in a fake Slack: real slack-sdk, real Socket Mode, the rig's fake time for all else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from autoscaler.adapters.slack.groups import SlackGroups
from autoscaler.adapters.slack.listener import SlackListener
from autoscaler.adapters.slack.notifier import SlackNotifier
from autoscaler.adapters.store import SqlStore, open_store
from autoscaler.engine.room.control import ControlRoom
from autoscaler.engine.room.desk import Desk
from autoscaler.engine.tick import Ticker
from autoscaler.engine.unrecorded import Unrecorded
from autoscaler.report.messages import Verb
from tests.support.fake_slack import FakeSlack
from tests.support.fake_slack_workspace import Posted
from tests.support.rig import BUSY, POLICY, Rig, running_rig

ADA, GRACE, MALLORY = "U0ADA", "U0GRACE", "U0MALLORY"
ASKING = POLICY.replace("mode: act", "mode: ask").replace(
    "verify:", f"approval: {{approvers: [{ADA}, {GRACE}]}}\nverify:"
)


@dataclass
class SlackRoom:
    rig: Rig
    slack: FakeSlack
    tasks: list[asyncio.Task[None]]
    stores: list[SqlStore]

    def listen(self) -> None:
        """One more worker's ears, with its own hold of the database."""
        rig, slack = self.rig, self.slack
        store = open_store(rig.url)
        self.stores.append(store)
        groups = SlackGroups(SecretStr(slack.token), base_url=slack.base_url)
        ticker = Ticker(Unrecorded(store), rig.app, rig.clock, dry_run=True)
        desk = Desk(store, rig.render, ticker, rig.clock, groups, lambda: [rig.managed.file], {}, None, rig.dry_run)
        tokens = SecretStr(slack.app_token), SecretStr(slack.token)
        listener = SlackListener(*tokens, ControlRoom(desk), base_url=slack.base_url)
        self.tasks.append(asyncio.create_task(listener.run()))

    async def until_asked(self, load: Any = BUSY) -> Posted:
        """Until the question is in the channel."""
        self.rig.load = load
        for _ in range(60):
            await self.rig.run(seconds=10)
            if self.rig.managed.proposal is not None:
                return self.slack.messages[-1]
        raise AssertionError("nobody was asked")

    async def press(self, who: str, verb: Verb, posted: Any = None, choice: str | None = None) -> Any:
        """A button of the first message, unless another one is named."""
        value = f"{choice} {self.rig.managed.proposal.id}" if choice else None
        return await self.slack.click(who, posted or self.slack.messages[0], f"autoscaler.{verb}", value=value)

    async def answer(self, outcome: Any) -> str:
        """What the person is told of it, seen by them alone."""
        reply = await outcome.reply()
        if "response_type" not in reply:  # that only took the buttons from the message
            reply = await outcome.reply(2)
        assert reply["response_type"] == "ephemeral"
        return reply["text"]

    @property
    def head(self) -> Posted:
        """The first message as it is now."""
        return self.slack.now(self.slack.messages[0])

    def buttons(self, posted: Posted | None = None) -> list[str]:
        blocks = (posted or self.head).blocks
        return [one["action_id"] for block in blocks if block["type"] == "actions" for one in block["elements"]]

    @property
    def thread(self) -> list[str]:
        """The first lines of all messages, the first one's as it is now."""
        return [posted.text.split(" · ")[0] for posted in self.slack.messages]


@asynccontextmanager
async def slack_room(
    tmp_path: Path, slack: FakeSlack, policy: str = ASKING, *, dry_run: bool = False
) -> AsyncIterator[SlackRoom]:
    """A rig whose messages go to Slack, and which hears what is pressed there."""
    async with running_rig(tmp_path, policy=policy, dry_run=dry_run) as rig:
        notifier = SlackNotifier(SecretStr(slack.token), None, base_url=slack.base_url, buttons=True)
        rig.told = notifier
        slack.people |= {ADA: "ada", GRACE: "grace", MALLORY: "mallory"}
        room = SlackRoom(rig, slack, [], [])
        room.listen()
        await slack.connected()
        try:
            yield room
        finally:
            for task in room.tasks:
                task.cancel()
            await asyncio.gather(*room.tasks, return_exceptions=True)
            for store in room.stores:
                await store.close()
            await notifier.aclose()
