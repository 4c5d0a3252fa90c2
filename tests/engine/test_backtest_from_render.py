"""Render's own metrics as history: a policy is tried on a service where nothing of ours has ever run."""

import pytest

from autoscaler.core.durations import HOUR, MINUTE
from autoscaler.core.evaluate import Ask
from autoscaler.core.observations import Reading, Signal
from autoscaler.core.recording import Span
from autoscaler.engine.backtest import rehearse, render_recording
from autoscaler.errors import UsageError
from autoscaler.policyfile import load_text
from render_client.sim.controls import oom_kill
from render_client.sim.load import set_load
from render_client.sim.state import Load
from tests.support.rig import SERVICE, running_rig

MB = 1024**2
POLICY = f"""
version: 1
mode: observe
service: {{id: {SERVICE}}}
tiers:
  - {{name: small, plan: starter, scale_up: {{any: [memory_percent > 80% for 30m, cpu_percent > 80% for 30m]}}}}
  - {{name: large, plan: standard, scale_down: {{all: [cpu_percent < 20% for 1h, memory_usage < 200MB for 1h]}}}}
"""


async def hours(rig, memory, count):
    """So long with that much memory in use."""
    set_load(rig.service, Load(rig.sim.clock.now(), rate=5, memory=memory * MB))
    rig.sim.clock.advance(count * 3600)


async def history(rig, length, policy=POLICY):
    """Its policy, and the last `length` ms of Render's metrics."""
    now = rig.clock.now()
    found = load_text(policy, "p.yaml").policy
    return found, await render_recording(rig.render, found, Span(now - length), now)


async def test_each_minute_is_a_reading_and_the_policy_is_played_from_the_plan_that_ran(tmp_path):
    async with running_rig(tmp_path) as rig:
        await hours(rig, 200, 1)
        await hours(rig, 450, 2)
        policy, recording = await history(rig, 3 * HOUR)
        assert recording.where == "Render's metrics of holisticos-api"
        assert (recording.every, recording.tier) == (MINUTE, "small")
        assert recording.polls == pytest.approx(180, abs=2)
        last = [one for one in recording.observations if isinstance(one, Reading)][-1]
        assert (last.gauges["memory_usage"], last.increases["requests"]) == (450 * MB, 300.0)
        done = rehearse("p.yaml", policy, recording)
        (change,) = done.changes
        assert (change.ask, change.target) == (Ask.UP, "large")
        assert [reason.condition for reason in change.reasons] == ["memory_percent > 80% for 30m"]


async def test_instances_that_ran_out_of_memory_are_signals_of_their_time(tmp_path):
    async with running_rig(tmp_path) as rig:
        await hours(rig, 200, 1)
        killed = rig.clock.now()
        oom_kill(rig.sim.world, rig.service, killed)
        await hours(rig, 200, 1)
        _, recording = await history(rig, 2 * HOUR)
        names = [one.name for one in recording.observations if isinstance(one, Signal)]
        assert names == ["server_failed", "oom_kills"]
        (kill,) = [one for one in recording.observations if isinstance(one, Signal) and one.name == "oom_kills"]
        assert kill.at == pytest.approx(killed, abs=MINUTE)


async def test_a_service_without_metrics_is_told_so(tmp_path):
    async with running_rig(tmp_path, world={"metrics_lag": 7200}) as rig:
        await hours(rig, 200, 1)
        with pytest.raises(UsageError, match="Render has no metrics of holisticos-api in that time"):
            await history(rig, HOUR)
