"""A restart forgets nothing: the state that a replay of the stored samples builds is the one that was kept."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.adapters.store.bodies import dump, load
from autoscaler.core.observations import Masked, Missed, Observation, Reading
from autoscaler.core.policy import Policy
from autoscaler.core.state import State
from tests.support.evidence import EVERY
from tests.support.lives import Life, every_form, judged


def _replayed(policy: Policy, seen: list[Observation]) -> State:
    """From what the store gives back."""
    state = State(policy, EVERY)
    for one in seen:
        state.fold(load(type(one), dump(one)))
    return state


def _told(state: State, now: int) -> list[object]:
    """All that a state can be asked."""
    policy = state.policy
    standings = [state.standing(key, now) for key, _ in judged(policy)]
    fits = [(state.peaks.misfits(tier, 0.25), state.peaks.note(tier)) for tier in policy.tiers]
    return [state.holding, state.past, state.newest, state.tier, state.reading, state.is_masked(now), standings, fits]


@given(seed=st.integers(0, 10**9))
@settings(max_examples=12, deadline=None)
def test_a_replay_of_the_stored_samples_is_the_state_that_was_kept(seed):
    """However often the one that was kept was asked meanwhile; and the other has not been asked once."""
    chance = random.Random(seed)
    policy = every_form(chance)
    kept, seen = State(policy, EVERY), []
    restarts = {chance.randrange(200) for _ in range(2)}
    for number, observation in enumerate(Life(chance).observations(200)):
        kept.fold(observation)
        seen.append(observation)
        if chance.random() < 0.2:
            _told(kept, kept.newest)
        if number in restarts:
            assert _told(_replayed(policy, seen), kept.newest) == _told(kept, kept.newest)
    later = kept.newest + chance.choice((5_000, 40_000, 600_000))
    assert _told(_replayed(policy, seen), later) == _told(kept, later)


@given(seed=st.integers(0, 10**9))
@settings(max_examples=10, deadline=None)
def test_the_same_samples_in_the_same_order_say_the_same_at_every_moment(seed):
    policy = every_form(random.Random(seed))
    seen = list(Life(random.Random(seed)).observations(150))
    first, second = State(policy, EVERY), State(policy, EVERY)
    for observation in seen:
        first.fold(observation)
        second.fold(observation)
        assert (first.holding, first.past) == (second.holding, second.past)
    assert _told(first, first.newest) == _told(second, second.newest)


@given(seed=st.integers(0, 10**9))
@settings(max_examples=15, deadline=None)
def test_samples_that_come_late_or_twice_say_nothing_new(seed):
    """Dated before the newest they are dropped; the very same one again is the same sample, whose counters have not risen."""
    chance = random.Random(seed)
    policy = every_form(chance)
    seen = [one for one in Life(chance).observations(150) if not hasattr(one, "who")]
    plain, disturbed = State(policy, EVERY), State(policy, EVERY)
    for place, observation in enumerate(seen):
        plain.fold(observation)
        disturbed.fold(observation)
        earlier = chance.choice(seen[: place + 1])
        if earlier.at < disturbed.newest and isinstance(earlier, Reading | Missed | Masked):
            disturbed.fold(earlier)
    assert _told(disturbed, plain.newest) == _told(plain, plain.newest)
