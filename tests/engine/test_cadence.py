"""`run --once` is called by a cron job: it expects polls as far apart as the last ones were, not as the policy says."""

from autoscaler.core.observations import Miss, Missed, Reading, Signal
from autoscaler.engine.managed import cadence, load
from tests.support.rig import BUSY, EVERY, running_rig

MINUTE = 60_000


def test_the_cadence_is_the_usual_gap_between_the_last_polls():
    polls = [Reading(minute * MINUTE, {}) for minute in (0, 5, 10, 15, 45, 50)]
    assert cadence(polls, 30_000) == 5 * MINUTE


def test_misses_are_polls_and_signals_are_none():
    seen = [
        Reading(0, {}),
        Missed(5 * MINUTE, Miss.REFUSED),
        Signal(6 * MINUTE, "complaints"),
        Reading(10 * MINUTE, {}),
    ]
    assert cadence(seen, 30_000) == 5 * MINUTE


def test_without_history_or_when_polls_came_faster_it_is_the_policys():
    assert cadence([], 30_000) == 30_000
    assert cadence([Reading(0, {}), Reading(1_000, {})], 30_000) == 30_000


async def test_a_window_fills_from_passes_that_a_cron_job_makes_every_five_minutes(tmp_path):
    async with running_rig(tmp_path, policy=PATIENT) as rig:
        rig.load = BUSY
        for _ in range(16):
            rig.sim.clock.advance(300)
            rig.managed = await load(
                rig.managed.file, rig.managed.seen, rig.store, rig.clock.now(), measured_cadence=True
            )
            rig.passes.append(await rig.ticker.tick(rig.managed))
        assert rig.managed.state.every == 300_000
        (change,) = await rig.changes()
        assert change.reason == "avg_response_time 3s > 1s for 1h"
        assert change.created_at - rig.passes[0].observation.at >= 60 * MINUTE


PATIENT = f"""
version: 1
mode: act
service:
  id: srv-cukr0123456789abcdef
  health: {{url: "http://127.0.0.1:1/api/health/scaling", every: {EVERY}s, timeout: 5s}}
tiers:
  - name: mvp
    plan: starter
    env: {{MAX_CONCURRENT: 8, DB_POOL_SIZE: 3}}
    scale_up: {{any: [avg_response_time > 1s for 1h]}}
  - name: scaled
    plan: standard
    env: {{MAX_CONCURRENT: 20, DB_POOL_SIZE: 6}}
"""
