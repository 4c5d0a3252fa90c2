"""What `explain` says from the store alone is what the running worker decides."""

import pytest

from autoscaler.core.evaluate import Role, decide
from autoscaler.core.why import Why
from autoscaler.engine.explaining import explained, remembered
from autoscaler.policyfile import load_text
from tests.support.rig import BUSY, CALM, POLICY, SERVICE, running_rig

HELD = POLICY.replace("mode: act", "mode: ask")


@pytest.mark.parametrize(("load", "why"), ((CALM, Why.STEADY), (BUSY, Why.MODE_ASK)))
async def test_the_state_rebuilt_from_the_store_gives_the_worker_s_own_verdict(tmp_path, load, why):
    async with running_rig(tmp_path, policy=HELD) as rig:
        rig.load = load
        await rig.run(minutes=6)
        (last,) = await rig.store.last_verdicts()
        managed = await remembered(load_text(HELD, "rig.yaml"), last, rig.store, last.at)
        verdict = await rig.ticker.verdict(managed, decide(managed.state, last.at))
        assert verdict == last
        assert verdict.why is why
        explanation = await explained(rig.ticker, managed, verdict, rig.store)
        assert explanation.polled_at == last.at
        assert explanation.plan == "starter"
        assert {way.role for way in explanation.ways} == {Role.UP, Role.EMERGENCY}
        slow = explanation.ways[-1].rules[0]
        assert slow.trend.values[-1] == pytest.approx(slow.value, rel=0.01)


async def test_explaining_writes_nothing_and_moves_nothing(tmp_path):
    async with running_rig(tmp_path) as rig:
        await rig.run(minutes=3)
        (last,) = await rig.store.last_verdicts()
        observations = await rig.store.observations(SERVICE, 0)
        newest = rig.managed.state.newest
        await explained(rig.ticker, rig.managed, last, rig.store)
        assert await rig.store.observations(SERVICE, 0) == observations
        assert await rig.store.verdicts() == [last, *(await rig.store.verdicts())[1:]]
        assert rig.managed.state.newest == newest
        assert rig.writes == []
