"""Which conditions hold is kept current sample by sample: always what a look finds, never on missing data, with bounded memory."""

import gc
import random
from collections import deque

from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.core.conditions import Condition
from autoscaler.core.durations import DAY, HOUR, MINUTE
from autoscaler.core.keys import down_key, up_key
from autoscaler.core.metrics import Kind
from autoscaler.core.observations import Miss, Reading
from autoscaler.core.policy import DownRules, Policy
from autoscaler.core.pools import BUCKETS
from autoscaler.core.state import State
from tests.support.evidence import EVERY, MB, START, Load, Play, a_policy, a_reading
from tests.support.lives import Life, every_form, judged
from tests.support.oracle import lost


def _holds(play: Play, text: str) -> bool:
    """As it is kept; a look must find the same."""
    key = next(key for key in play.state.keys if key.text == text)
    kept = bool(play.state.holding >> play.state.keys.index(key) & 1)
    assert play.state.standing(key, play.state.newest).holds == kept
    return kept


@given(seed=st.integers(0, 10**9))
@settings(max_examples=20, deadline=None)
def test_what_is_kept_is_what_a_look_finds_after_every_observation(seed):
    chance = random.Random(seed)
    state = State(every_form(chance), EVERY)
    conditions = judged(state.policy)
    for observation in Life(chance).observations(120):
        state.fold(observation)
        for key, condition in conditions:
            standing, bit = state.standing(key, state.newest), 1 << state.keys.index(key)
            assert standing.holds == bool(state.holding & bit), (condition.text, observation)
            if key.upward and condition.metric.kind in {Kind.GAUGE, Kind.RATIO}:
                past = standing.value is not None and condition.op.holds(standing.value, condition.bound)
                assert past == bool(state.past & bit), (condition.text, observation)


def test_a_value_from_timeouts_needs_requests_as_soon_as_the_app_tells_of_them():
    """An app that never answered is slow by its timeouts alone; once it answers, three requests are evidence and none are not."""
    play = Play(a_policy("avg_response_time > 4s", more="evidence: {min_requests: 3}"))
    play.on("mvp")
    play.miss(Miss.TIMED_OUT, 10_000)
    assert _holds(play, "avg_response_time > 4s")
    play.fold(a_reading(play.now + EVERY, Load()))
    assert not _holds(play, "avg_response_time > 4s")


def test_a_report_without_its_counters_is_left_out_of_every_window():
    """Also of the one that is longer than the rate window."""
    down = "cache_hit_ratio > 50% for 20m"
    play = Play(a_policy(down=down))
    play.on("scaled")
    for poll in range(80):
        hits = {"cache_hits": 6.0, "cache_lookups": 10.0}
        if poll == 60:
            hits = {"cache_hits": 400.0}
        play.fold(Reading(START + poll * EVERY, {}, {"seconds": 30.0} | hits))
        assert _holds(play, down) == (poll >= 40)
    play.fold(Reading(START + 80 * EVERY, {}, {"cache_hits": 0.0, "cache_lookups": 60.0}))
    assert _holds(play, down)
    play.fold(Reading(START + 81 * EVERY, {}, {"cache_hits": 0.0, "cache_lookups": 60.0}))
    assert not _holds(play, down)


SMALL = "memory_usage < 500MB for 20m, concurrent_requests < 60 for 40m, avg_response_time < 30s for 30m"


def _tells(condition: Condition, reading: Reading) -> bool:
    metric = condition.metric
    counted = metric.over in reading.increases and metric.under in reading.increases
    return metric.name in reading.gauges or (counted and not reading.stalled)


def test_nothing_that_lets_a_tier_come_down_holds_on_missing_data():
    """At most one poll in ten that its window expects has told nothing of it (one may always be lost), and never for half an hour."""
    policy = a_policy("complaints >= 90 within 24h", SMALL, more="evidence: {warm_up: 2m}")
    conditions = _down(policy).conditions
    held = 0
    for seed in range(20):
        life = Life(random.Random(seed), losses=(0.0, 0.02, 0.1)[seed % 3])
        state, told = State(policy, EVERY), {condition.text: [0] for condition in conditions}
        for observation in life.observations(300):
            state.fold(observation)
            for condition in conditions:
                clock = state.memory_clock if condition.metric.name == "memory_usage" else state.clock
                now, times = clock.unmasked(state.newest), told[condition.text]
                if (
                    isinstance(observation, Reading)
                    and not clock.is_masked(state.newest)
                    and _tells(condition, observation)
                ):
                    times.append(now)
                key = down_key(condition, policy, policy.tiers[1])
                if state.holding >> state.keys.index(key) & 1:
                    held += 1
                    assert lost(times, now, condition.held, EVERY) <= max(1, condition.held // EVERY // 10)
                    assert now - times[-1] <= 30 * MINUTE
    assert held > 1000


def _kept(state: State) -> int:
    """How many times and buckets the windows of a state remember."""
    found, todo, count = set(), [state._of_load, state._of_memory, state._watches], 0
    while todo:
        one = todo.pop()
        if id(one) in found or isinstance(one, type):
            continue
        found.add(id(one))
        count += len(one) if isinstance(one, deque) else 0
        if type(one).__module__.startswith(("autoscaler.core", "collections")) or isinstance(one, dict | list | tuple):
            todo += gc.get_referents(one)
    return count


def test_a_window_of_a_month_remembers_as_little_as_one_of_an_hour():
    """Of usual samples nothing but the sums of pooled windows, in buckets; of unusual ones their times, as far as they can matter."""
    sizes = {}
    for window, length in (("1h", HOUR), ("30d", 30 * DAY)):
        up = f"memory_usage > 400MB for {window}, error_rate > 5% for {window}, concurrent_requests > 10 for {window}"
        down = f"avg_response_time < 3s for {window}, concurrent_requests < 5 for {window}"
        state = State(a_policy(up, down), EVERY)
        for poll in range(length // EVERY + 200):
            if poll % 5000 != 40:
                state.fold(a_reading(START + poll * EVERY, Load(requests=2, concurrency=poll % 4, memory=150 * MB)))
        key = down_key(_down(state.policy).conditions[1], state.policy, state.policy.tiers[1])
        assert state.standing(key, state.newest).holds
        sizes[window] = _kept(state)
    pools = 4  # of rates and of whole windows, up and down
    assert sizes["30d"] < sizes["1h"] + pools * (BUCKETS + 2)


def _down(policy: Policy) -> DownRules:
    rules = policy.tiers[1].scale_down
    assert rules is not None
    return rules


def test_the_bits_are_those_of_the_keys():
    play = Play(a_policy("memory_usage > 400MB for 2m, concurrent_requests > 3"))
    play.on("mvp")
    play.polls(minutes=10, memory=450 * MB)
    (first, second, *_) = play.policy.tiers[0].scale_up.conditions
    assert play.state.holding == 1 << play.state.keys.index(up_key(first))
    play.poll(memory=450 * MB, concurrency=4)
    assert play.state.holding == sum(1 << play.state.keys.index(up_key(one)) for one in (first, second))
