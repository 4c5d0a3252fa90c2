"""What can be wrong with a policy that is sound field by field. Pure: a policy in, problems out.

Errors would make the bot flap, stand still or contradict itself (design, Deciding 8); warnings are doubts.
"""

from collections.abc import Iterator
from itertools import pairwise

from autoscaler.core.conditions import Condition
from autoscaler.core.durations import SECOND, format_duration
from autoscaler.core.findings import (
    Path,
    Problem,
    Severity,
    all_conditions,
    error,
    located,
    memory_text,
    serving,
    warning,
)
from autoscaler.core.guard_doubts import doubts_of_guards
from autoscaler.core.hysteresis import Clash, clash
from autoscaler.core.policy import AtLeast, Policy, Tier
from autoscaler.core.rule_doubts import doubts_of_rules
from autoscaler.core.samples import why_unknown
from autoscaler.core.sources import misuses


def problems(policy: Policy) -> list[Problem]:
    """Everything that does not fit together, in the order of the checks; what is only doubtful, if nothing is wrong."""
    checks = (_metrics, _unknown, _ladder, _names, _env, _references, _ends, _pairs, _times, _silence)
    found = [problem for check in checks for problem in check(policy)]
    if any(problem.severity is Severity.ERROR for problem in found):
        return found
    return [*found, *doubts_of_rules(policy), *doubts_of_guards(policy)]


def _metrics(policy: Policy) -> Iterator[Problem]:
    for one in misuses(policy.metrics):
        path: Path = ("metrics", one.name) if one.key is None else ("metrics", one.name, one.key)
        yield error("metrics", path, one.message, ("metrics", one.related) if one.related else None)


def _unknown(policy: Policy) -> Iterator[Problem]:
    """Without an endpoint there is only what Render measures itself, and what people tell."""
    if policy.service.health is not None:
        return
    for path, condition in all_conditions(policy):
        if why := why_unknown(condition.metric.name, condition.metric.kind):
            yield error("no_endpoint", path, f"without 'service: health:' nothing tells {condition.metric.name}: {why}")
    for name, given in policy.metrics.items():
        if given.path is not None:
            yield error(
                "no_endpoint", ("metrics", name), f"there is no 'service: health:' in which '{name}' could stand"
            )


def _ladder(policy: Policy) -> Iterator[Problem]:
    for rank, (lower, tier) in enumerate(pairwise(policy.tiers), 1):
        if not _is_larger(tier, lower):
            message = (
                f"tier '{tier.name}' ({_size(tier)}) is not larger than '{lower.name}' ({_size(lower)}) below it: "
                "list the tiers from the smallest to the largest"
            )
            yield error("ladder", ("tiers", rank, "plan"), message, ("tiers", rank - 1, "plan"))


def _is_larger(tier: Tier, lower: Tier) -> bool:
    """More CPU or memory and not less of either, by the instance or in all."""
    each = (tier.size.cpu - lower.size.cpu, tier.size.memory - lower.size.memory)
    whole = (
        tier.size.cpu * tier.instances - lower.size.cpu * lower.instances,
        tier.size.memory * tier.instances - lower.size.memory * lower.instances,
    )
    return min(*each, *whole) >= 0 and max(*each, *whole) > 0


def _size(tier: Tier) -> str:
    each = f"{tier.plan}, {tier.size.cpu:g} CPU, {memory_text(tier.size.memory)}"
    return each if tier.instances == 1 else f"{tier.instances} x {each}"


def _names(policy: Policy) -> Iterator[Problem]:
    for section, names in (
        ("tiers", [tier.name for tier in policy.tiers]),
        ("alerts", [alert.name for alert in policy.alerts]),
    ):
        for index, name in enumerate(names):
            first = names.index(name)
            if first != index:
                message = f"the name '{name}' is taken already: give each of the {section} its own"
                yield error("duplicate_name", (section, index, "name"), message, (section, first, "name"))


def _env(policy: Policy) -> Iterator[Problem]:
    """Going down must undo what going up has set, so every tier names the same variables."""
    owners: dict[str, int] = {}
    for rank, tier in enumerate(policy.tiers):
        for key in tier.env:
            owners.setdefault(key, rank)
    for rank, tier in enumerate(policy.tiers):
        missing = [key for key in owners if key not in tier.env]
        if missing:
            owner = owners[missing[0]]
            message = f"tier '{tier.name}' does not set {', '.join(missing)}: every tier names the same variables"
            yield error("env_keys", ("tiers", rank, "env"), message, ("tiers", owner, "env", missing[0]))


def _references(policy: Policy) -> Iterator[Problem]:
    named: list[tuple[Path, str]] = []
    if policy.emergency and policy.emergency.to:
        named.append((("emergency", "to"), policy.emergency.to))
    named += [
        (("alerts", index, "do", "at_least"), alert.do.at_least)
        for index, alert in enumerate(policy.alerts)
        if isinstance(alert.do, AtLeast)
    ]
    named += [(("schedules", index, "at_least"), schedule.at_least) for index, schedule in enumerate(policy.schedules)]
    for path, name in named:
        if policy.tier(name) is None:
            names = ", ".join(tier.name for tier in policy.tiers)
            yield error("unknown_tier", path, f"no tier is called '{name}': use one of {names}")


def _ends(policy: Policy) -> Iterator[Problem]:
    if policy.tiers[0].scale_down:
        message = f"nothing lies below '{policy.tiers[0].name}', the smallest tier: move these rules to the tier that may come down"
        yield error("end_of_ladder", ("tiers", 0, "scale_down"), message)
    if policy.tiers[-1].scale_up:
        message = f"nothing lies above '{policy.tiers[-1].name}', the largest tier: move these rules to the tier that may go up"
        yield error("end_of_ladder", ("tiers", len(policy.tiers) - 1, "scale_up"), message)


def _pairs(policy: Policy) -> Iterator[Problem]:
    """Hysteresis: between going up from a tier and coming down to it there must be room."""
    told: set[tuple[Path, Path]] = set()
    for rank, (lower, tier) in enumerate(pairwise(policy.tiers), 1):
        for up_path, up in serving(policy, rank - 1, "scale_up"):
            for down_path, down in serving(policy, rank, "scale_down"):
                found = clash(up, lower, down, tier)
                if found is None or (down_path, up_path) in told:
                    continue
                told.add((down_path, up_path))
                yield _pair(found, (lower, up_path, up), (tier, down_path, down))


def _pair(found: Clash, upward: tuple[Tier, Path, Condition], downward: tuple[Tier, Path, Condition]) -> Problem:
    (lower, up_path, up), (tier, down_path, down) = upward, downward
    both = f"'{down.text}' lets '{tier.name}' come down, and '{up.text}' sends '{lower.name}' up"
    match found:
        case Clash.OVERLAP:
            return error("overlap", down_path, f"{both}: both can hold at once, and it would flap", up_path)
        case Clash.THIN:
            return warning("thin_band", down_path, f"{both}: the band between is thin, keep 30% of room", up_path)
        case Clash.OTHER_PLAN:
            message = f"{both}: a share of the larger plan can be more than that of the smaller; only the fit check stands between"
            return warning("other_plan", down_path, message, up_path)


def _times(policy: Policy) -> Iterator[Problem]:
    health, verify, evidence = policy.service.health, policy.verify, policy.evidence
    every = format_duration(policy.every)
    if policy.every < SECOND:
        yield error(
            "every",
            ("service", "health", "every"),
            f"every {every} would be a load of its own: poll once a second at most",
        )
    if health is not None and health.timeout > health.every:
        message = f"a poll may take {format_duration(health.timeout)}, but the next one comes after {every}: shorten 'timeout'"
        yield error("timeout", ("service", "health", "timeout"), message, ("service", "health", "every"))
    if verify.soak > verify.watch:
        message = f"the soak ({format_duration(verify.soak)}) is the first part of the watch ({format_duration(verify.watch)}): make it shorter"
        yield error("soak", ("verify", "soak"), message, ("verify", "watch"))
    if evidence.rate_window is not None and evidence.rate_window < 2 * policy.every:
        message = f"a rate needs two polls, and they come every {every}: lengthen 'rate_window'"
        yield error("rate_window", ("evidence", "rate_window"), message, ("service", "health", "every"))
    if policy.guards.headroom >= 1:
        yield error(
            "headroom", ("guards", "headroom"), "this leaves nothing of the smaller plan: no downgrade could ever fit"
        )


def _silence(policy: Policy) -> Iterator[Problem]:
    """An app that is away may need a restart, a rollback or its network; a larger plan is a guess that costs (Evidence 5)."""
    upward = [located for rank in range(len(policy.tiers)) for located in serving(policy, rank, "scale_up")]
    for path, condition in dict([*upward, *located(policy.emergency, ("emergency",))]).items():
        if condition.metric.name == "unreachable":
            message = f"'{condition.text}' scales only after a CPU over 90%, a memory over 85% or an OOM kill: let an alert tell the rest"
            yield warning("unreachable_alone", path, message)
