"""Live = replay = backtest: the same samples in the same order give the same verdicts."""

from autoscaler.adapters.recordings import read_lines, read_store, write_lines
from autoscaler.core.backtest import backtest
from autoscaler.core.durations import MINUTE, SECOND
from autoscaler.core.evaluate import Ask, decide
from autoscaler.core.metrics import BUILT_IN
from autoscaler.core.observations import Miss, Missed
from autoscaler.core.recording import Span
from autoscaler.core.rehearsal import Terms
from autoscaler.core.why import Why
from autoscaler.engine.managed import load
from tests.support.rig import BUSY, CALM, EVERY, POLICY, SERVICE, running_rig

PATIENT = POLICY.replace("warm_up: 20s", "warm_up: 25s").replace("watch: 10m", "watch: 1m")
"""So that no mask ends at the very millisecond of a poll, and complaints do not return a downgrade, which no backtest does."""


async def a_day_in_short(rig):
    """Up because it is slow, a miss, down when it is calm again, and complaints of an app that started three times in an hour."""
    await rig.run(minutes=3)
    rig.load = BUSY
    await rig.run(minutes=6)
    rig.load = CALM
    rig.app.fails = Missed(0, Miss.REFUSED, "connection refused")
    await rig.run(seconds=EVERY)
    rig.app.fails = None
    await rig.run(minutes=12)
    rig.app.signals = {"complaints": 1}
    await rig.run(minutes=1)
    rig.app.signals = {"complaints": 5}
    await rig.run(minutes=2)


def spoken(verdicts):
    """Each verdict when it differs from the one before: when, on which rung, what, why."""
    kept = []
    for one in verdicts:
        if not kept or kept[-1][1:] != one.key:
            kept.append((one.at, *one.key))
    return kept


async def live_terms(rig):
    """What a rehearsal assumes, as it was live: how long it took until the worker noted that the new plan runs."""
    tiers = [tier.at for tier in await rig.store.tier_changes(SERVICE)]
    begun = [change.created_at for change in await rig.changes()]
    took = {min(at for at in tiers if at > begin) - begin for begin in begun}
    assert len(took) == 1, "each deploy of this story takes as long as the others"
    # a pass looks first and the reconciler then: what it notes at the time of a poll, the next poll sees
    return Terms("mvp", EVERY * SECOND, deploy=took.pop() + 1)


async def test_the_engine_and_a_backtest_of_its_store_give_the_same_verdicts_poll_by_poll(tmp_path):
    async with running_rig(tmp_path, policy=PATIENT) as rig:
        await a_day_in_short(rig)
        changes = await rig.changes()
        assert [change.direction for change in changes] == [Ask.UP, Ask.DOWN]
        recording = await read_store(rig.store, "the store", rig.managed.policy, Span())
        played = backtest("rig.yaml", rig.managed.policy, recording, await live_terms(rig))
        live = [one.verdict for one in rig.passes]
        assert spoken(played.verdicts) == spoken(live)
        assert {Why.GO, Why.STEADY, Why.CHANGE_OPEN, Why.DEPLOY_LOOP} <= {one.why for one in live}
        assert [change.at for change in played.changes] == [change.created_at for change in changes]
        assert all(change.live_at for change in played.changes), "the bot's own tier changes overtake nothing"


async def test_what_is_exported_and_read_again_gives_the_same_verdicts(tmp_path):
    async with running_rig(tmp_path, policy=PATIENT) as rig:
        await rig.run(minutes=1)
        rig.load = BUSY
        await rig.run(minutes=4)
        policy = rig.managed.policy
        recording = await read_store(rig.store, "the store", policy, Span())
        count = write_lines(tmp_path / "recording.jsonl", recording.observations)
        again = read_lines(tmp_path / "recording.jsonl", BUILT_IN, Span())
        assert count == len(recording.observations)
        assert again.observations == recording.observations
        assert again.every == recording.every == EVERY * SECOND


async def test_a_replay_of_the_store_decides_what_the_engine_decides(tmp_path):
    async with running_rig(tmp_path, policy=PATIENT) as rig:
        await rig.run(minutes=1)
        rig.load = BUSY
        await rig.run(minutes=4)
        now = rig.clock.now()
        again = await load(rig.managed.file, rig.managed.seen, rig.store, now)
        assert decide(again.state, now) == decide(rig.managed.state, now)
        later = now + 10 * MINUTE
        assert decide(again.state, later) == decide(rig.managed.state, later)
