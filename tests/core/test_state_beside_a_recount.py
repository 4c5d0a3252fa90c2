"""What is folded, beside a plain recount of all that was seen: every form of condition, with gaps, masks, resets, tier changes, doubles."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.core.state import State
from tests.support.evidence import EVERY
from tests.support.lives import Life, every_form, judged
from tests.support.recount import Recount


@given(seed=st.integers(0, 10**9))
@settings(max_examples=20, deadline=None)
def test_what_holds_is_what_a_recount_finds(seed):
    chance = random.Random(seed)
    policy = every_form(chance)
    state, plain, conditions = State(policy, EVERY), Recount(policy, EVERY), judged(policy)
    for observation in Life(chance).observations(chance.choice((40, 150))):
        state.fold(observation)
        plain.fold(observation)
        for key, condition in chance.sample(conditions, 8):  # a recount of all of them would take a minute
            holds = bool(state.holding >> state.keys.index(key) & 1)
            assert plain.holds(key, condition) == holds, (condition.text, key.upward, observation)
