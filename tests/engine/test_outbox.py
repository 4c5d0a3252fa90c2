"""Messages go out at least once, in order within a thread, and never in the way of scaling."""

from autoscaler.engine.outbox import deliver
from autoscaler.errors import RefusedError, UnavailableError
from tests.support.rig import BUSY, running_rig


class Away:
    """ports.Notifier that fails as long as it is told to."""

    def __init__(self, error):
        self.error = error
        self.asked = 0
        self.seen = []

    async def deliver(self, delivery):
        self.asked += 1
        if self.error is not None:
            raise self.error
        self.seen.append(delivery.event.id)
        return "ref"


async def test_messages_that_nobody_takes_delay_no_change_and_come_later_in_order(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.told = away = Away(UnavailableError("Slack does not answer"))
        rig.load = BUSY
        await rig.run(minutes=6)
        assert rig.running[0] == "standard"
        assert away.seen == []
        away.error = None
        rig.sim.clock.advance(900)
        while await deliver(rig.store, away, rig.clock):
            rig.sim.clock.advance(1)
        assert [one.partition(":")[2] for one in away.seen] == ["started", "deploying", "soaking6", "watching7"]


async def test_a_wait_that_slack_asks_for_is_honoured(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.told = away = Away(UnavailableError("slow down", retry_after=120))
        rig.load = BUSY
        await rig.run(minutes=2, seconds=30)
        asked = away.asked
        assert asked >= 1
        await rig.run(minutes=1, seconds=40)
        assert away.asked == asked
        await rig.run(minutes=1)
        assert away.asked > asked


async def test_a_message_that_is_refused_waits_for_somebody_to_put_that_right_and_is_dropped_after_a_day(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.told = away = Away(RefusedError("the bot is not in that channel"))
        rig.load = BUSY
        await rig.run(minutes=6)
        assert rig.running[0] == "standard"
        asked = away.asked
        rig.sim.clock.advance(600)
        await deliver(rig.store, away, rig.clock)
        assert away.asked == asked + 1
        for _ in range(5):  # of a thread only the first is asked about, so each is given up in its turn
            rig.sim.clock.advance(24 * 3600)
            await deliver(rig.store, away, rig.clock)
        asked = away.asked
        rig.sim.clock.advance(24 * 3600)
        await deliver(rig.store, away, rig.clock)
        assert away.asked == asked
