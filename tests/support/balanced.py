"""Several instances of an app behind one address, polled as the worker polls: the balancer gives each poll to one of them.

fleet, (a, b) = Fleet(), two(memory=95.0)
fleet.polls(in_turn(a, b), 35)
assert fleet.holding() == {"memory_percent"}
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import cycle
from typing import Any

from autoscaler.core.durations import DAY, MINUTE
from autoscaler.core.evaluate import Ask, Decision, Progress, decide
from autoscaler.core.guards import judge
from autoscaler.core.observations import Observation, Reading, TierChanged
from autoscaler.core.policy import Policy
from autoscaler.core.readings import read, signals
from autoscaler.core.state import State
from autoscaler.core.why import Why
from autoscaler.policyfile import load_text
from tests.support.evidence import EVERY, MB, START, facts

POLICY = """\
version: 1
mode: act
service: {id: srv-abc123, health: {url: "https://app.example.com/h", every: 30s}}
tiers:
  - {name: one, plan: standard}
  - {name: two, plan: standard, instances: 2}
  - {name: three, plan: standard, instances: 3}
scale_up:
  any:
    - avg_response_time > 1s for 10m
    - concurrent_requests > 10 for 10m
    - memory_percent > 85% for 10m
    - error_rate > 5% for 10m
    - cache_hit_ratio < 20% for 10m
    - request_rate > 9/s for 10m
scale_down: {all: [avg_response_time < 500ms for 30m, concurrent_requests < 5 for 30m]}
evidence: {fit_window: 30m}
"""
HOT = {"memory": 95.0, "concurrency": 20.0}


def policy(text: str = POLICY) -> Policy:
    return load_text(text, "wide.yaml").policy


@dataclass
class Instance:
    """One process: what it has counted since it began, and what it shows."""

    name: str
    began: int = START - DAY
    rate: float = 2.0
    """Requests a second."""
    seconds: float = 0.1
    failing: float = 0.0
    memory: float = 20.0
    """Per cent."""
    concurrency: float = 1.0
    cpu: float = 0.2
    """Cores."""
    more: dict[str, Any] = field(default_factory=dict)
    tells: tuple[str, ...] = ("id", "started_at")

    def body(self, at: int) -> dict[str, Any]:
        lived = (at - self.began) / 1000
        requests = self.rate * lived
        identity = {"id": self.name, "started_at": datetime.fromtimestamp(self.began / 1000, UTC).isoformat()}
        return {
            "timestamp": datetime.fromtimestamp(at / 1000, UTC).isoformat(),
            "current_metrics": {},
            "instance": {key: identity[key] for key in self.tells},
            "counters": {
                "requests_total": requests,
                "errors_total": requests * self.failing,
                "response_seconds_total": requests * self.seconds,
                "cpu_seconds_total": self.cpu * lived,
            },
            "concurrency": {"running": 0, "queued": 0, "peak": {"1m": self.concurrency}},
            "resources": {
                "memory_used_bytes": self.memory / 100 * 2048 * MB,
                "memory_limit_bytes": 2048 * MB,
                "cpu_limit_cores": 1,
            },
        } | self.more


@dataclass
class Fleet:
    """Polled as the worker does it; keeps all that it saw."""

    policy: Policy = field(default_factory=policy)
    tier: str = "two"
    at: int = START
    seen: list[Observation] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = State(self.policy, EVERY)
        self.on(self.tier)

    def on(self, tier: str, instances: int | None = None) -> None:
        rung = self.policy.tier(tier)
        assert rung is not None
        self.fold(TierChanged(self.at, tier, rung.plan, instances or rung.instances))

    def fold(self, observation: Observation) -> None:
        self.seen.append(observation)
        self.state.fold(observation)

    def poll(self, instance: Instance) -> Reading:
        """The balancer gives the next poll to this one."""
        self.at += EVERY
        state = self.state
        seen = read(
            instance.body(self.at), self.at, state.reading, EVERY, self.policy.vocabulary, instances=state.instances
        )
        assert isinstance(seen, Reading), seen
        for one in (seen, *signals(seen)):
            self.fold(one)
        return seen

    def polls(self, turns: Iterator[Instance], minutes: float) -> list[Reading]:
        return [self.poll(next(turns)) for _ in range(round(minutes * MINUTE / EVERY))]

    @property
    def decision(self) -> Decision:
        return decide(self.state, self.at)

    def progress(self, text: str) -> Progress:
        return next(one for one in self.decision.progress if one.condition.startswith(text))

    def holding(self) -> set[str]:
        return {one.metric for one in self.decision.progress if one.holds and one.role == "up"}

    def why_down(self, **known: Any) -> list[str]:
        """What keeps the down that is asked for, of what was not heard."""
        verdict = judge(self.policy, self.decision, facts(**known))
        assert verdict.ask is Ask.DOWN
        return [blocker.detail for blocker in verdict.blockers if blocker.why is Why.INSTANCES_UNSEEN]


def in_turn(*instances: Instance) -> Iterator[Instance]:
    return cycle(instances)


def by_chance(*instances: Instance, seed: int = 1) -> Iterator[Instance]:
    chance = random.Random(seed)
    while True:
        yield chance.choice(instances)


def two(**all_of_them: Any) -> tuple[Instance, Instance]:
    return Instance("a", **all_of_them), Instance("b", START - 2 * DAY, **all_of_them)
