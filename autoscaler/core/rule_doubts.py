"""Rules that are sound and yet hardly meant so: they can never hold, always hold, say nothing new, or rest on too little."""

from collections.abc import Iterator
from itertools import combinations, permutations
from math import floor

from autoscaler.core.conditions import Condition
from autoscaler.core.durations import DAY, format_duration
from autoscaler.core.findings import (
    Located,
    Path,
    Problem,
    all_conditions,
    all_rules,
    located,
    memory_text,
    serving,
    warning,
)
from autoscaler.core.hysteresis import absolute
from autoscaler.core.metrics import METRICS, Kind
from autoscaler.core.policy import Policy, Tier
from autoscaler.core.sources import own_unused

READINGS_KEPT = 30 * DAY
"""How long the store keeps readings: a longer window would be empty after every restart."""
_MOST = {
    "error_rate": 100,
    "cache_hit_ratio": 100,
    "memory_percent": 100,
    "cpu_percent": 100,
    "stalled": 1,
    "unreachable": 1,
}
"""What a metric can be at most, in its base unit."""
_QUEUE_PER_PLACE = 8
"""How many requests may wait for each that runs, as `app_core` has it."""


def doubts_of_rules(policy: Policy) -> Iterator[Problem]:
    """The warnings about conditions, check by check."""
    for check in (_unused, _windows, _range, _room, _shares, _percentiles, _shadowed, _contradictions, _direction):
        yield from check(policy)


def _unused(policy: Policy) -> Iterator[Problem]:
    used = frozenset(condition.metric.name for condition in policy.conditions())
    for name in own_unused(policy.metrics, used):
        message = f"no condition speaks of '{name}': use it, or take it out"
        yield warning("unused_metric", ("metrics", name), message)


def _windows(policy: Policy) -> Iterator[Problem]:
    every = policy.every
    for path, condition in all_conditions(policy):
        window = max(condition.held, condition.over)
        if 0 < window < 3 * every:
            message = f"'{condition.text}' looks at fewer than three polls (every {format_duration(every)}): one odd reading decides"
            yield warning("short_window", path, message)
        if window > READINGS_KEPT:
            kept = format_duration(READINGS_KEPT)
            message = f"'{condition.text}' looks back further than readings are kept ({kept}): after a restart it could not hold"
            yield warning("long_window", path, message)
    if policy.evidence.fit_window > READINGS_KEPT:
        message = f"readings are kept {format_duration(READINGS_KEPT)}: peaks before that are not known after a restart"
        yield warning("long_window", ("evidence", "fit_window"), message)


def _range(policy: Policy) -> Iterator[Problem]:
    """Bounds at or beyond what the metric can ever be."""
    for path, condition in all_conditions(policy):
        if "memory" in condition.metric.name and condition.op.is_upward and path[0] != "alerts":
            continue  # by the plans that it serves, see `_room`
        never, always = _never_always(condition, _most(policy, condition))
        if never:
            yield warning("never_holds", path, f"'{condition.text}' can never hold: {_limit(policy, condition)}")
        elif always:
            yield warning("always_holds", path, f"'{condition.text}' always holds: {_limit(policy, condition)}")


def _most(policy: Policy, condition: Condition) -> float:
    metric = condition.metric
    if metric.name == "poll_timeouts":
        return condition.within // policy.every + 1
    if metric.name in policy.metrics:
        return float("inf")  # the app's own number may be anything
    if metric.name == "memory_usage":
        return max(tier.size.memory for tier in policy.tiers)
    return _MOST.get(metric.name, float("inf"))


def _never_always(condition: Condition, most: float) -> tuple[bool, bool]:
    bound = condition.bound
    match condition.op.value:
        case ">":
            return bound >= most, False
        case ">=":
            return bound > most, False
        case "<":
            return bound <= 0, bound > most
        case _:
            return False, bound >= most


def _limit(policy: Policy, condition: Condition) -> str:
    if condition.bound <= 0:
        return f"{condition.metric.name} is never negative"
    if condition.metric.name == "poll_timeouts":
        return f"there are {_most(policy, condition):g} polls at most in that time"
    if condition.metric.name == "memory_usage":
        return f"the largest plan has {memory_text(_most(policy, condition))}"
    unit = "%" if _MOST[condition.metric.name] == 100 else ""
    return f"{condition.metric.name} is {_MOST[condition.metric.name]}{unit} at most"


def _room(policy: Policy) -> Iterator[Problem]:
    """Bounds beyond what the plans that they serve have, or let in."""
    never: dict[Path, tuple[Condition, list[str]]] = {}
    for rank, tier in enumerate(policy.tiers[:-1]):
        for path, condition in (*serving(policy, rank, "scale_up"), *located(policy.emergency, ("emergency",))):
            if reason := _beyond(condition, tier):
                never.setdefault(path, (condition, []))[1].append(f"'{tier.name}' ({reason})")
    for path, (condition, tiers) in never.items():
        yield warning("never_holds", path, f"'{condition.text}' can never hold on {' or '.join(tiers)}")
    for rank, tier in enumerate(policy.tiers[1:], 1):
        for path, condition in serving(policy, rank, "scale_down"):
            resource, bound = absolute(condition, tier)
            if resource == "memory" and not condition.op.is_upward and bound > tier.size.memory and path[0] == "tiers":
                plan = f"'{tier.name}' ({tier.plan}, {memory_text(tier.size.memory)})"
                yield warning("always_holds", path, f"'{condition.text}' always holds on {plan}")


def _beyond(condition: Condition, tier: Tier) -> str:
    """Why an upward condition can't hold on this rung; empty when it can."""
    if not condition.op.is_upward:
        return ""
    resource, bound = absolute(condition, tier)
    if resource == "memory" and bound >= tier.size.memory:
        return f"{tier.plan}, {memory_text(tier.size.memory)}"
    places = tier.env.get("MAX_CONCURRENT", "")
    if condition.metric.name == "concurrent_requests" and places.isdigit() and int(places):
        most = int(places) * (1 + _QUEUE_PER_PLACE) * tier.instances
        if bound >= most:
            return f"MAX_CONCURRENT {places} and eight waiting for each are {most}"
    return ""


def _shares(policy: Policy) -> Iterator[Problem]:
    every = policy.every
    for path, condition in all_conditions(policy):
        samples = max(1, condition.held // every)
        if condition.share < 1 and floor((1 - condition.share) * samples + 1e-9) == 0:
            message = f"'{condition.text}' has {samples} samples, of which {condition.share:.0%} are all: leave the share out, or lengthen the window"
            yield warning("idle_share", path, message)


def _percentiles(policy: Policy) -> Iterator[Problem]:
    every = policy.every
    for path, condition in all_conditions(policy):
        function = condition.function or ""
        if function.startswith("p") and (samples := condition.over // every) * (100 - int(function[1:])) < 100:
            message = f"of {samples} samples {function} is the largest: write max(…), or lengthen 'over'"
            yield warning("few_samples", path, message)


def _shadowed(policy: Policy) -> Iterator[Problem]:
    """Conditions that change nothing: another one of the same list holds whenever they do."""
    for path, rules in all_rules(policy):
        told: set[Path] = set()
        for (place, one), (other_place, other) in permutations(reversed(located(rules, path)), 2):
            spare = implies(one, other) if rules.any is not None else implies(other, one)
            if spare and not told.intersection({place, other_place}):
                told.add(place)
                word = "any" if rules.any is not None else "all"
                message = f"'{one.text}' changes nothing beside '{other.text}' under '{word}'"
                yield warning("redundant", place, message, other_place)


def implies(one: Condition, other: Condition) -> bool:
    """Whether `other` holds whenever `one` does."""
    if one.metric.name != other.metric.name:
        return False
    if (one.function, one.over, one.within) != (other.function, other.over, other.within):
        return False
    upward = one.op.is_upward
    if upward != other.op.is_upward or one.share < other.share:
        return False
    longer = one.held >= other.held > 0 and one.share == 1 and one.metric.kind is Kind.GAUGE
    if one.held != other.held and not longer:
        return False
    strict = one.op == other.op or one.op.value in {">", "<"}
    return (one.bound > other.bound if upward else one.bound < other.bound) or (one.bound == other.bound and strict)


def _contradictions(policy: Policy) -> Iterator[Problem]:
    for path, rules in all_rules(policy):
        if rules.all is None:
            continue
        for first, second in combinations(located(rules, path), 2):
            if _excludes(first, second):
                message = f"'{second[1].text}' and '{first[1].text}' can never hold together"
                yield warning("never_holds", second[0], message, first[0])


def _excludes(first: Located, second: Located) -> bool:
    one, other = first[1], second[1]
    if one.metric != other.metric or one.function or other.function or one.op.is_upward == other.op.is_upward:
        return False
    low, high = (one, other) if one.op.is_upward else (other, one)
    return low.bound >= high.bound


def _direction(policy: Policy) -> Iterator[Problem]:
    """Up on little, or down on much, of what grows with the load."""
    for path, rules in all_rules(policy):
        up = path[-1] != "scale_down"
        for place, condition in located(rules, path):
            metric = condition.metric
            if metric.less_is_worse or metric.name in policy.metrics or metric.name not in METRICS:
                continue
            if condition.op.is_upward != up:
                way = (
                    "send the service up when it has little to do" if up else "let it come down when it has much to do"
                )
                yield warning("wrong_way", place, f"'{condition.text}' would {way}: is the comparison turned round?")
