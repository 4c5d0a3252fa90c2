"""In a closed loop, where a smaller plan is slower, it does not flap: the intervals between downs that fail grow."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.core.durations import DAY, HOUR, MINUTE
from autoscaler.core.evaluate import Ask
from autoscaler.core.policy import Policy
from autoscaler.core.rehearsal import Rehearsal, Terms
from autoscaler.policyfile import load_text
from tests.support.evidence import MB, START, Load, a_reading

EVERY = 15 * MINUTE
SERVICE_TIME = 0.5
"""Seconds that a request takes of an idle core."""
Demand = Callable[[int], float]
"""Requests a second at a time, ms."""


def _policy(window: int) -> Policy:
    text = f"""\
version: 1
mode: act
service: {{id: srv-abc123, health: {{url: "https://app.example.com/h", every: 15m, timeout: 10s}}}}
tiers:
  - {{name: small, plan: starter, scale_up: {{any: [avg_response_time > 8s for 2h]}}}}
  - {{name: big, plan: standard, scale_down: {{all: [avg_response_time < 3s for {window}h]}}}}
evidence: {{min_requests: 5, fit_window: 1d}}
"""
    return load_text(text, "loop.yaml").policy


def _response_time(rate: float, cores: float) -> float:
    """Of an app with one queue: it takes ever longer as its cores fill, up to what people bear."""
    used = rate * SERVICE_TIME / cores
    return min(20.0, SERVICE_TIME / cores / (1 - used)) if used < 1 else 20.0


def _played(policy: Policy, demand: Demand, days: int) -> Rehearsal:
    """The app is as fast as its plan lets it be. It tells no CPU, as the seed's endpoint: only experience can teach."""
    rehearsal = Rehearsal(policy, Terms("big", EVERY))
    for at in range(START, START + days * DAY, EVERY):
        tier = policy.tier(rehearsal.tier or "")
        assert tier is not None
        rate = demand(at)
        seconds = _response_time(rate, tier.size.cpu)
        load = Load(requests=rate * EVERY / 1000, seconds=seconds, memory=150 * MB)
        rehearsal.observe(a_reading(at, load, every=EVERY))
        if not rehearsal.is_settled(at):
            rehearsal.look(at)
    return rehearsal


def _failed_downs(rehearsal: Rehearsal) -> list[int]:
    changes = rehearsal.changes
    return [
        down.at
        for down, after in pairwise(changes)
        if down.ask is Ask.DOWN and after.ask is Ask.UP and after.at - down.at < 7 * DAY
    ]


BUSY, QUIET = 0.97, 0.05
"""Requests a second: one core bears the first well enough, half a core does not; both bear the second."""


def test_the_model_is_what_the_tests_want():
    assert _response_time(BUSY, 1.0) < 3
    assert _response_time(BUSY, 0.5) > 8
    assert _response_time(QUIET, 0.5) < 3


@given(window=st.integers(6, 30))
@settings(max_examples=5, deadline=None)
def test_under_constant_demand_each_failed_down_waits_twice_as_long_as_the_one_before(window):
    failed = _failed_downs(_played(_policy(window), lambda _: BUSY, 60))
    gaps = [later - earlier for earlier, later in pairwise(failed)]
    assert len(gaps) >= 3
    assert gaps[0] < gaps[1] < gaps[2]
    assert all(earlier <= later + 2 * EVERY for earlier, later in pairwise(gaps))
    assert gaps[2] >= 8 * window * HOUR
    assert gaps[1] >= 4 * window * HOUR
    assert gaps[0] >= 2 * window * HOUR


@given(window=st.integers(6, 36), busy=st.integers(4, 72), offset=st.integers(0, 167))
@settings(max_examples=8, deadline=None)
def test_under_weekly_demand_the_least_interval_between_failed_downs_doubles_up_to_eight_times(window, busy, offset):
    def demand(at: int) -> float:
        hour = (at - START) // HOUR + offset
        return BUSY if hour % 168 < busy else QUIET

    failed = _failed_downs(_played(_policy(window), demand, 70))
    least = [min(2 ** (number + 1), 8) * window * HOUR for number in range(len(failed))]
    assert all(later - earlier >= gap for (earlier, later), gap in zip(pairwise(failed), least, strict=False))


@pytest.mark.parametrize("window", (12,))
def test_when_demand_has_gone_for_good_it_comes_down_and_stays(window):
    """Nothing is held against an app for ever: the windows that failure has stretched hold at last, and a week heals."""
    played = _played(_policy(window), lambda at: BUSY if at < START + 20 * DAY else QUIET, 60)
    assert played.tier == "small"
    assert played.changes[-1].ask is Ask.DOWN
    assert played.changes[-1].at <= START + 20 * DAY + 8 * window * HOUR + DAY
