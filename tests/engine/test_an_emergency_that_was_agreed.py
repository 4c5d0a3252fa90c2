"""Where an emergency needs a yes, the yes counts at once, also over a slower change of ours that is under way."""

from dataclasses import replace

from autoscaler.core.change import State
from autoscaler.ports import EventKind
from render_client.sim import Durations
from tests.engine.test_asking import kinds, say, until_asked
from tests.support.rig import CALM, POLICY, SCALED_ENV, running_rig

BIG = """  - name: big
    plan: pro
    env: {MAX_CONCURRENT: 40, DB_POOL_SIZE: 12}
    scale_down: {all: [avg_response_time < 100ms for 5m]}
emergency:"""
RULES = "scale_down: {all: [avg_response_time < 500ms"
ASKED = (
    POLICY.replace("verify:", "approval: {emergency: required, approvers: [U024BE7LH]}\nverify:")
    .replace("emergency:", BIG, 1)
    .replace(RULES, "scale_up: {any: [avg_response_time > 1s for 2m]}\n    " + RULES)
)
FULL_THERE = replace(CALM, memory=2030 * 1024**2)


async def test_it_takes_the_place_of_a_downgrade_in_its_own_thread(tmp_path):
    slow = {"durations": Durations(update=900, drain=0)}
    service = {"plan": "standard", "env": SCALED_ENV}
    async with running_rig(tmp_path, policy=ASKED, service=service, world=slow) as rig:
        for _ in range(80):
            if not rig.writes:
                await rig.run(seconds=10)
        change = await until_asked(rig, FULL_THERE)
        assert rig.passes[-1].verdict.preempts
        await say(rig, change)
        await rig.run(seconds=20)
        down, urgent = await rig.changes()
        assert (down.state, urgent.id, urgent.question.agreed_by) == (State.SUPERSEDED, change.id, "ada")
        assert urgent.state.is_open
        assert rig.configured[0] == "pro"
        assert kinds(rig, urgent)[:2] == [EventKind.ASKED, EventKind.CHANGE_PROGRESS]
        assert rig.managed.proposal is None
