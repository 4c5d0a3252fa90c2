"""A worker dies between a click and what it leads to, or between a post and its record: one change, one thread, nothing lost."""

import asyncio

import pytest

from autoscaler.core.change import State
from autoscaler.engine import outbox
from autoscaler.errors import UnavailableError
from autoscaler.report.messages import Verb
from tests.support.rig import BUSY
from tests.support.slack_room import ADA, ASKING, slack_room


class Killed(BaseException):
    """The end of a process: nothing catches it."""


@pytest.fixture
async def room(tmp_path, slack):
    async with slack_room(tmp_path, slack) as made:
        yield made


def dies(obj, name, *, after):
    """At its next call `obj.name` kills whoever calls it, before or after it has done its work."""
    real = getattr(obj, name)

    async def deadly(*args, **kwargs):
        setattr(obj, name, real)
        if after:
            await real(*args, **kwargs)
        raise Killed

    setattr(obj, name, deadly)


async def lived_through(room, minutes):
    """Time passes; whoever dies is followed by another one."""
    for _ in range(round(minutes * 6)):
        try:
            await room.rig.run(seconds=10)
        except Killed:
            await room.rig.restart()


@pytest.mark.parametrize("after", (False, True))
async def test_between_click_and_act(room, after):
    await room.until_asked()
    change = room.rig.managed.proposal
    await room.press(ADA, Verb.APPROVE)
    dies(room.rig.store, "record", after=after)
    await lived_through(room, 6)
    (done,) = await room.rig.changes()
    assert (done.id, done.state, len(done.attempts)) == (change.id, State.WATCHING, 1)
    assert len({posted.thread_ts for posted in room.slack.messages}) == 2


async def test_a_click_whose_worker_dies_before_it_is_written_down_is_not_acknowledged_and_comes_again(room):
    await room.until_asked()
    room.slack.timeout = 0.2
    (ears,) = room.tasks
    ears.cancel()
    await asyncio.gather(ears, return_exceptions=True)
    lost = await room.press(ADA, Verb.APPROVE)
    assert not lost.acked
    assert await room.rig.store.answers(room.rig.managed.proposal.id) == []
    room.listen()
    await room.slack.connected()
    assert (await room.slack.redeliver(lost)).acked
    await room.rig.run(minutes=5)
    assert [one.state for one in await room.rig.changes()] == [State.WATCHING]


@pytest.mark.parametrize("knows_again", (True, False))
async def test_between_post_and_record_there_is_one_thread_whether_or_not_slack_knows_the_message_again(
    room, knows_again
):
    room.slack.knows_again = knows_again
    dies_once = room.rig.told.deliver

    async def deliver(delivery):
        room.rig.told.deliver = dies_once
        await dies_once(delivery)
        raise Killed

    room.rig.told.deliver = deliver
    room.rig.load = BUSY
    await lived_through(room, 5)
    firsts = [posted for posted in room.slack.messages if posted.thread_ts is None]
    assert len(firsts) == (1 if knows_again else 2)
    await room.answer(await room.press(ADA, Verb.APPROVE, firsts[0]))  # a lost one works as the other does
    await room.rig.run(minutes=5)
    (change,) = await room.rig.changes()
    assert change.state is State.WATCHING
    threads = {posted.thread_ts for posted in room.slack.messages} - {None}
    assert threads == {firsts[-1].ts}
    assert all(room.buttons(room.slack.now(one)) == [] for one in firsts)


async def test_slack_away_for_hours_delays_no_scaling_and_loses_nothing(tmp_path, slack):
    async with slack_room(tmp_path, slack, ASKING.replace("mode: ask", "mode: act")) as room:
        real = room.rig.told.deliver

        async def away(delivery):
            raise UnavailableError("Slack is away")

        room.rig.told.deliver = away
        room.rig.load = BUSY
        await room.rig.run(minutes=10)
        assert room.rig.running[0] == "standard"
        room.rig.sim.clock.advance(6 * 3600)
        await room.rig.run(minutes=1)
        assert slack.messages == []
        room.rig.told.deliver = real
        for _ in range(12):
            room.rig.sim.clock.advance(outbox.LONGEST_WAIT // 1000)
            await outbox.deliver(room.rig.store, room.rig.told, room.rig.clock)
        assert room.thread[0] == "✅ Done: holisticos-api runs on standard (scaled)"
        assert room.thread[1:4] == [
            "🔧 Plan standard is set, and its env values; deploying.",
            "🔧 Live after 15s: holisticos-api runs on standard (scaled)",
            "✅ Done: holisticos-api runs on standard (scaled)",
        ]
