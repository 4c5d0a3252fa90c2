"""Which watch a condition has: state is kept by condition, not by its place in the file."""

from collections.abc import Iterator
from dataclasses import dataclass

from autoscaler.core.attribution import MEMORY
from autoscaler.core.conditions import Condition, quarter
from autoscaler.core.policy import Policy, Tier


@dataclass(frozen=True, slots=True)
class Key:
    """What makes two conditions share one watch."""

    text: str
    upward: bool
    ceiling: float | None = None
    patience: int = 1
    """How many times its own window it must hold: more than once where an earlier down failed."""
    is_of_memory: bool = False


def up_key(condition: Condition) -> Key:
    """The watch of a condition that is judged upwards: up rules, emergencies, alerts."""
    return Key(condition.text, upward=True, is_of_memory=condition.metric.name in MEMORY)


def down_key(condition: Condition, policy: Policy, tier: Tier, patience: int = 1) -> Key:
    """The watch of a down rule of `tier`: its ceiling is the lowest bound that sends the rung below up."""
    lower = policy.neighbour(tier.name, -1)
    rules = policy.up_rules(lower) if lower else None
    bounds = [
        rule.bound
        for rule in (rules.conditions if rules else ())
        if rule.metric == condition.metric and rule.op.is_upward
    ]
    return Key(
        condition.text,
        upward=False,
        ceiling=min(bounds, default=None),
        patience=patience,
        is_of_memory=condition.metric.name in MEMORY,
    )


def all_keys(policy: Policy, patience: int, shrunk: Tier | None) -> Iterator[tuple[Key, Condition]]:
    """Every watch, some more than once. `shrunk`: a tier whose way up is looked at by a quarter of its windows as well."""
    for tier in policy.tiers:
        for rules in (policy.up_rules(tier), policy.emergency):
            yield from ((up_key(condition), condition) for condition in (rules.conditions if rules else ()))
        down = policy.down_rules(tier)
        conditions = down.conditions if down else ()
        yield from ((down_key(condition, policy, tier, patience), condition) for condition in conditions)
    yield from ((up_key(alert.when), alert.when) for alert in policy.alerts)
    rules = policy.up_rules(shrunk) if shrunk else None
    for condition in rules.conditions if rules else ():
        yield up_key(quarter(condition)), quarter(condition)


def longest_down(policy: Policy) -> int:
    """How far back a way down looks at most, ms."""
    rules = (policy.down_rules(tier) for tier in policy.tiers)
    return max((condition.window for rule in rules if rule for condition in rule.conditions), default=0)
