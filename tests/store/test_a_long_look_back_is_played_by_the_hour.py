"""`backtest --from-store --since`: what is kept by the hour is played by the hour, and so is all the rest with it."""

import pytest

from autoscaler.adapters.recordings import read_store
from autoscaler.core.durations import DAY, HOUR, MINUTE
from autoscaler.core.observations import TierChanged
from autoscaler.core.recording import Span
from autoscaler.engine.backtest import rehearse
from autoscaler.errors import UsageError
from autoscaler.policyfile import load_text
from tests.support.stored import SERVICE, a_pass, a_reading

GROWS_AT = 20 * DAY + 6 * HOUR
POLICY = load_text(
    f"""
version: 1
mode: act
service: {{id: {SERVICE}, health: {{url: "http://127.0.0.1:1/", every: 10m, timeout: 5s}}}}
tiers:
  - {{name: mvp, plan: starter, scale_up: {{any: [memory_usage > 400MB for 6h]}}}}
  - {{name: scaled, plan: standard, scale_down: {{all: [memory_usage < 200MB for 48h]}}}}
""",
    "policy.yaml",
).policy


async def history(store):
    """Forty days, a poll each ten minutes; the first ten are kept by the hour."""
    at = range(0, 40 * DAY, 10 * MINUTE)
    polls = (
        a_reading(one, gauges={"memory_usage": 450e6 if one >= GROWS_AT or DAY <= one < 2 * DAY else 250e6})
        for one in at
    )
    await store.record(a_pass(TierChanged(0, "mvp", "starter", 1), *polls))
    await store.prune(10 * DAY)


async def test_from_a_time_on_of_which_only_hours_are_left_all_is_played_by_the_hour(store):
    await history(store)
    recording = await read_store(store, "the store", POLICY, Span(since=0))
    assert (recording.polls, recording.every, recording.tier) == (40 * 24, HOUR, "mvp")
    assert any("by the hour" in note for note in recording.notes)
    assert [change.at // HOUR for change in rehearse("a", POLICY, recording).changes][:1] == [24 + 6]


@pytest.mark.parametrize("since", (None, 10 * DAY, 15 * DAY))
async def test_what_is_kept_in_full_is_played_in_full(store, since):
    await history(store)
    recording = await read_store(store, "the store", POLICY, Span(since=since))
    assert (recording.every, recording.notes) == (10 * MINUTE, ())
    assert recording.begun == max(since or 0, 10 * DAY)
    assert [change.at for change in rehearse("a", POLICY, recording).changes] == [GROWS_AT + 6 * HOUR]


async def test_where_only_hours_are_left_they_are_found_too_and_where_nothing_is_that_is_said(store):
    await history(store)
    await store.prune(41 * DAY)
    with pytest.raises(UsageError, match="holds nothing of"):
        await read_store(store, "the store", POLICY, Span())
    assert (await read_store(store, "the store", POLICY, Span(since=30 * DAY))).polls == 10 * 24
    with pytest.raises(UsageError, match="holds nothing of"):
        await read_store(store, "the store", POLICY, Span(since=50 * DAY))
