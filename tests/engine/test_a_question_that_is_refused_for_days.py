"""A question that Slack refuses is asked once somebody has put that right, however long it took: nothing else is asked meanwhile."""

from autoscaler.core.change import State
from autoscaler.engine import outbox
from autoscaler.errors import RefusedError
from tests.engine.test_asking import ASKING, states, until_asked
from tests.support.rig import CALM, running_rig

A_DAY = 15 * 60_000
"""For the outbox, here: the windows of the rules are as short."""


async def refuses(_):
    raise RefusedError("token revoked")


async def test_it_is_asked_after_the_time_in_which_other_messages_are_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(outbox, "GIVE_UP", A_DAY)
    async with running_rig(tmp_path, policy=ASKING) as rig:
        deliver, rig.told.deliver = rig.told.deliver, refuses
        change = await until_asked(rig)
        await rig.run(minutes=40)
        rig.told.deliver = deliver
        await rig.run(minutes=15)
        assert await states(rig) == [State.PROPOSED]
        assert rig.told.titles == ["holisticos-api: mvp → scaled?"]
        assert rig.managed.proposal.id == change.id
        assert rig.managed.proposal.question.asked_at is not None


async def test_one_that_nobody_needs_any_more_is_given_up_as_any_other_message(tmp_path, monkeypatch):
    monkeypatch.setattr(outbox, "GIVE_UP", A_DAY)
    async with running_rig(tmp_path, policy=ASKING) as rig:
        rig.told.deliver = refuses
        await until_asked(rig)
        rig.load = CALM
        await rig.run(minutes=60)
        assert await states(rig) == [State.SUPERSEDED]
        assert await rig.store.undelivered(rig.clock.now() + A_DAY) == []
