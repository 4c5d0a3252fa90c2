"""Whatever is seen: never down on missing data, inside a cooldown, over the budget, or off the ladder, but by the named exceptions."""

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.core.durations import HOUR, MINUTE
from autoscaler.core.evaluate import Ask
from autoscaler.core.money import spend
from autoscaler.core.observations import Miss, Missed, Signal, TierChanged
from autoscaler.core.policy import Policy
from autoscaler.core.rehearsal import Rehearsal, RehearsedChange, Terms
from autoscaler.policyfile import load_text
from tests.support.evidence import MB, START, Load, a_reading

EVERY = MINUTE
DOWN_WINDOW = 30 * MINUTE
POLICY = load_text(
    """\
version: 1
mode: act
service: {id: srv-abc123, health: {url: "https://app.example.com/h", every: 1m, timeout: 10s}}
tiers:
  - {name: mvp, plan: starter, env: {MAX_CONCURRENT: 8}}
  - {name: scaled, plan: standard, env: {MAX_CONCURRENT: 20}}
  - {name: large, plan: pro, env: {MAX_CONCURRENT: 40}}
scale_up: {any: [memory_usage > 400MB for 10m, avg_response_time > 8s for 10m, complaints >= 3 within 1h]}
scale_down: {all: [memory_usage < 250MB for 30m, avg_response_time < 3s for 20m]}
emergency: {any: [memory_percent > 95% for 3m, oom_kills >= 2 within 10m]}
schedules: [{during: "mon-sun 10:00-11:00 UTC", at_least: scaled}]
guards: {cooldown: {up: 10m, down: 25m}, max_changes: 8 per day, budget: {monthly: 7.4}, respect: 1h}
verify: {soak: 2m, watch: 10m}
evidence: {fit_window: 30m, warm_up: 3m, failed_within: 3h, min_requests: 5, rate_window: 5m}
""",
    "never.yaml",
).policy


class Story:
    """A service under whatever weather the seed brings, played with its policy."""

    def __init__(self, policy: Policy, seed: int, polls: int) -> None:
        self.policy = policy
        self.rehearsal = Rehearsal(policy, Terms("mvp", EVERY))
        self.polls: list[tuple[int, bool]] = []
        """When, and whether it gave a reading."""
        self.foreign: list[int] = []
        chance = random.Random(seed)
        weather, until = self._weather(chance), 0
        process = 0
        for poll in range(polls):
            at = START + poll * EVERY
            if poll >= until:
                weather, until = self._weather(chance), poll + chance.randrange(3, 90)
                process += chance.random() < 0.2
            self._poll(chance, at, weather, process)
            self.rehearsal.look(at)

    @staticmethod
    def _weather(chance: random.Random) -> dict[str, float]:
        return {
            "memory": chance.choice((100, 150, 220, 300, 450, 505)) * MB,
            "seconds": chance.choice((0.2, 2.0, 5.0, 12.0)),
            "requests": chance.choice((0, 3, 30)),
            "missing": chance.choice((0.0, 0.0, 0.05, 0.5, 1.0)),
        }

    def _poll(self, chance: random.Random, at: int, weather: dict[str, float], process: int) -> None:
        rehearsal = self.rehearsal
        seen = chance.random() >= weather["missing"]
        self.polls.append((at, seen))
        if seen:
            load = Load(requests=weather["requests"], seconds=weather["seconds"], memory=weather["memory"])
            more = {"instance": f"i{process}", "started_at": START - HOUR if not process else None}
            rehearsal.observe(a_reading(at, load, every=EVERY, **more))
        else:
            rehearsal.observe(Missed(at, chance.choice(list(Miss)), "", 10_000))
        if chance.random() < 0.004:
            rehearsal.observe(Signal(at, chance.choice(("oom_kills", "complaints"))))
        if chance.random() < 0.001:
            tier = chance.choice([tier for tier in self.policy.tiers if tier.name != rehearsal.tier])
            self.foreign.append(at)
            rehearsal.observe(TierChanged(at, tier.name, tier.plan, tier.instances))

    @property
    def changes(self) -> tuple[RehearsedChange, ...]:
        return self.rehearsal.changes


STORIES = st.builds(Story, st.just(POLICY), st.integers(0, 10**9), st.just(900))


def _ordinary(change: RehearsedChange) -> bool:
    return change.counts


@given(story=STORIES)
@settings(max_examples=8, deadline=None)
def test_none_of_it(story):
    ranks = {tier.name: rank for rank, tier in enumerate(POLICY.tiers)}
    for change in story.changes:
        _fits_the_ladder(ranks, change)
        if change.ask is Ask.DOWN and _ordinary(change):
            _rests_on_what_was_seen(story, change)
            assert not any(change.at - HOUR < at <= change.at for at in story.foreign)
        if change.ask is Ask.UP:
            _keeps_the_budget(story, ranks, change)
    for before, change in pairwise(story.changes):
        cooldown = POLICY.guards.cooldown.up if change.ask is Ask.UP else POLICY.guards.cooldown.down
        assert change.at >= before.ended_at + (cooldown if _ordinary(change) else 0)


def _fits_the_ladder(ranks: dict[str, int], change: RehearsedChange) -> None:
    assert ranks[change.target] - ranks[change.origin] == (1 if change.ask is Ask.UP else -1)


def _rests_on_what_was_seen(story: Story, change: RehearsedChange) -> None:
    """Nine polls in ten of its window were answered, but for the very last one, and one of the last four."""
    length = DOWN_WINDOW * max(reason.patience for reason in change.reasons)  # longer after a down that failed
    window = [seen for at, seen in story.polls if change.at - length <= at <= change.at]
    assert len(window) == length // EVERY + 1
    assert window[:-1].count(False) <= len(window) * 0.1
    assert any(window[-4:])


def _keeps_the_budget(story: Story, ranks: dict[str, int], change: RehearsedChange) -> None:
    if change.emergency:
        assert ranks[change.target] - ranks[change.origin] == 1
        return
    tenancy = [one for one in story.rehearsal.tenancy if one.at <= change.at]
    target = POLICY.tiers[ranks[change.target]]
    budget = POLICY.guards.budget
    assert budget is not None
    assert spend(POLICY, tenancy, change.at).with_target(target.monthly) <= budget.monthly


def test_the_stories_are_eventful_enough_to_prove_something():
    stories = [
        Story(POLICY.model_copy(update={"guards": POLICY.guards.model_copy(update={"budget": None})}), seed, 900)
        for seed in range(12)
    ]
    changes = [change for story in stories for change in story.changes]
    assert {(change.ask, change.emergency) for change in changes} >= {
        (Ask.UP, True),
        (Ask.UP, False),
        (Ask.DOWN, False),
    }
    assert len(changes) > 6


@pytest.mark.parametrize("seed", range(3))
def test_the_same_observations_give_the_same_changes(seed):
    assert Story(POLICY, seed, 600).changes == Story(POLICY, seed, 600).changes
