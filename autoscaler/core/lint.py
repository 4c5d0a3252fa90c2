"""What can be wrong with a policy that is sound field by field. Pure: a policy in, problems out.

Errors would make the bot flap, stand still or contradict itself (design, Deciding 8); warnings are doubts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from autoscaler.core.conditions import Condition
from autoscaler.core.durations import SECOND, format_duration
from autoscaler.core.hysteresis import Clash, absolute, clash
from autoscaler.core.policy import AtLeast, Mode, Policy, Rules, Tier
from autoscaler.core.sources import misuses, own_unused

Path = tuple[str | int, ...]
"""A place in the file: keys and list indexes from the top."""


class Severity(StrEnum):
    """Whether the policy may run all the same."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding. `related` is the other place, where two of them do not fit each other."""

    path: Path
    message: str
    severity: Severity
    code: str
    related: Path | None = None


Located = tuple[Path, Condition]
"""A condition and where it stands."""


def problems(policy: Policy) -> list[Problem]:
    """Everything that does not fit together, errors and warnings, in the order of the checks."""
    structure = (_metrics, _ladder, _names, _env, _references, _ends, _pairs)
    sense = (_times, _windows, _ways, _money, _consent, _memory, _silence)
    return [problem for check in (*structure, *sense) for problem in check(policy)]


def _error(code: str, path: Path, message: str, related: Path | None = None) -> Problem:
    return Problem(path, message, Severity.ERROR, code, related)


def _warning(code: str, path: Path, message: str, related: Path | None = None) -> Problem:
    return Problem(path, message, Severity.WARNING, code, related)


def _metrics(policy: Policy) -> Iterator[Problem]:
    for one in misuses(policy.metrics):
        path: Path = ("metrics", one.name) if one.key is None else ("metrics", one.name, one.key)
        yield _error("metrics", path, one.message, ("metrics", one.related) if one.related else None)
    used = frozenset(condition.metric.name for condition in policy.conditions())
    for name in own_unused(policy.metrics, used):
        message = f"no condition speaks of '{name}': use it, or take it out"
        yield _warning("unused_metric", ("metrics", name), message)


def _ladder(policy: Policy) -> Iterator[Problem]:
    for rank, (lower, tier) in enumerate(pairwise(policy.tiers), 1):
        if not _is_larger(tier, lower):
            message = (
                f"tier '{tier.name}' ({_size(tier)}) is not larger than '{lower.name}' ({_size(lower)}) below it: "
                "list the tiers from the smallest to the largest"
            )
            yield _error("ladder", ("tiers", rank, "plan"), message, ("tiers", rank - 1, "plan"))


def _is_larger(tier: Tier, lower: Tier) -> bool:
    """More CPU or memory and not less of either, by the instance or in all."""
    each = (tier.size.cpu - lower.size.cpu, tier.size.memory - lower.size.memory)
    whole = (
        tier.size.cpu * tier.instances - lower.size.cpu * lower.instances,
        tier.size.memory * tier.instances - lower.size.memory * lower.instances,
    )
    return min(*each, *whole) >= 0 and max(*each, *whole) > 0


def _size(tier: Tier) -> str:
    each = f"{tier.plan}, {tier.size.cpu:g} CPU, {_memory_text(tier.size.memory)}"
    return each if tier.instances == 1 else f"{tier.instances} x {each}"


def _memory_text(size: float) -> str:
    return f"{size / 1024**3:g} GB" if size >= 1024**3 else f"{size / 1024**2:.0f} MB"


def _names(policy: Policy) -> Iterator[Problem]:
    for section, names in (
        ("tiers", [tier.name for tier in policy.tiers]),
        ("alerts", [alert.name for alert in policy.alerts]),
    ):
        for index, name in enumerate(names):
            first = names.index(name)
            if first != index:
                message = f"the name '{name}' is taken already: give each of the {section} its own"
                yield _error("duplicate_name", (section, index, "name"), message, (section, first, "name"))


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
            yield _error("env_keys", ("tiers", rank, "env"), message, ("tiers", owner, "env", missing[0]))


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
            yield _error("unknown_tier", path, f"no tier is called '{name}': use one of {names}")


def _ends(policy: Policy) -> Iterator[Problem]:
    if policy.tiers[0].scale_down:
        message = f"nothing lies below '{policy.tiers[0].name}', the smallest tier: move these rules to the tier that may come down"
        yield _error("end_of_ladder", ("tiers", 0, "scale_down"), message)
    if policy.tiers[-1].scale_up:
        message = f"nothing lies above '{policy.tiers[-1].name}', the largest tier: move these rules to the tier that may go up"
        yield _error("end_of_ladder", ("tiers", len(policy.tiers) - 1, "scale_up"), message)


def _pairs(policy: Policy) -> Iterator[Problem]:
    """Hysteresis: between going up from a tier and coming down to it there must be room."""
    told: set[tuple[Path, Path]] = set()
    for rank, (lower, tier) in enumerate(pairwise(policy.tiers), 1):
        for up_path, up in _rules(policy, rank - 1, "scale_up"):
            for down_path, down in _rules(policy, rank, "scale_down"):
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
            return _error("overlap", down_path, f"{both}: both can hold at once, and it would flap", up_path)
        case Clash.THIN:
            return _warning("thin_band", down_path, f"{both}: the band between is thin, keep 30% of room", up_path)
        case Clash.OTHER_PLAN:
            message = f"{both}: a share of the larger plan can be more than that of the smaller; only the fit check stands between"
            return _warning("other_plan", down_path, message, up_path)


def _rules(policy: Policy, rank: int, way: str) -> list[Located]:
    """The conditions that serve a rung this way, its own or the policy's."""
    tier = policy.tiers[rank]
    own = tier.scale_up if way == "scale_up" else tier.scale_down
    shared = policy.scale_up if way == "scale_up" else policy.scale_down
    return _located(own, ("tiers", rank, way)) if own else _located(shared, (way,))


def _located(rules: Rules | None, path: Path) -> list[Located]:
    if rules is None:
        return []
    word = "any" if rules.any is not None else "all"
    return [((*path, word, index), condition) for index, condition in enumerate(rules.conditions)]


def _all_conditions(policy: Policy) -> Iterator[Located]:
    for rank, tier in enumerate(policy.tiers):
        yield from _located(tier.scale_up, ("tiers", rank, "scale_up"))
        yield from _located(tier.scale_down, ("tiers", rank, "scale_down"))
    yield from _located(policy.scale_up, ("scale_up",))
    yield from _located(policy.scale_down, ("scale_down",))
    yield from _located(policy.emergency, ("emergency",))
    yield from ((("alerts", index, "when"), alert.when) for index, alert in enumerate(policy.alerts))


def _times(policy: Policy) -> Iterator[Problem]:
    health, verify, evidence = policy.service.health, policy.verify, policy.evidence
    every = format_duration(health.every)
    if health.every < SECOND:
        yield _error(
            "every",
            ("service", "health", "every"),
            f"every {every} would be a load of its own: poll once a second at most",
        )
    if health.timeout > health.every:
        message = f"a poll may take {format_duration(health.timeout)}, but the next one comes after {every}: shorten 'timeout'"
        yield _error("timeout", ("service", "health", "timeout"), message, ("service", "health", "every"))
    if verify.soak > verify.watch:
        message = f"the soak ({format_duration(verify.soak)}) is the first part of the watch ({format_duration(verify.watch)}): make it shorter"
        yield _error("soak", ("verify", "soak"), message, ("verify", "watch"))
    if evidence.rate_window is not None and evidence.rate_window < 2 * health.every:
        message = f"a rate needs two polls, and they come every {every}: lengthen 'rate_window'"
        yield _error("rate_window", ("evidence", "rate_window"), message, ("service", "health", "every"))
    if policy.guards.headroom >= 1:
        yield _error(
            "headroom", ("guards", "headroom"), "this leaves nothing of the smaller plan: no downgrade could ever fit"
        )


def _windows(policy: Policy) -> Iterator[Problem]:
    every = policy.service.health.every
    for path, condition in _all_conditions(policy):
        if 0 < max(condition.held, condition.over) < 3 * every:
            message = f"'{condition.text}' looks at fewer than three polls (every {format_duration(every)}): one odd reading decides"
            yield _warning("short_window", path, message)


def _ways(policy: Policy) -> Iterator[Problem]:
    for rank, tier in enumerate(policy.tiers[1:], 1):
        if policy.down_rules(tier) is None:
            message = f"no rule lets '{tier.name}' come down: it stays, and costs {tier.monthly:g} USD a month, until somebody changes it"
            yield _warning("no_way_down", ("tiers", rank), message)


def _money(policy: Policy) -> Iterator[Problem]:
    budget, top = policy.guards.budget, policy.tiers[-1]
    if budget and budget.monthly < top.monthly:
        message = f"a whole month on '{top.name}' costs {top.monthly:g} USD, more than this budget of {budget.monthly:g}: ups will be held"
        yield _warning("budget", ("guards", "budget", "monthly"), message)


def _consent(policy: Policy) -> Iterator[Problem]:
    if policy.approval.approvers:
        return
    nobody = "nobody is named who may say yes: list Slack ids under 'approvers'"
    required = [way for way in ("scale_up", "scale_down", "emergency") if getattr(policy.approval, way) == "required"]
    yield from (_warning("no_approvers", ("approval", way), nobody) for way in required)
    if policy.mode is Mode.ASK and not required:
        yield _warning("no_approvers", ("mode",), f"every change asks, and {nobody}")


def _memory(policy: Policy) -> Iterator[Problem]:
    """Rules upward that no reading can ever meet, by the place where they stand."""
    never: dict[Path, tuple[Condition, list[str]]] = {}
    for rank, tier in enumerate(policy.tiers[:-1]):
        for path, condition in (*_rules(policy, rank, "scale_up"), *_located(policy.emergency, ("emergency",))):
            resource, bound = absolute(condition, tier)
            if resource == "memory" and condition.op.is_upward and bound >= tier.size.memory:
                where = f"'{tier.name}' ({tier.plan}, {_memory_text(tier.size.memory)})"
                never.setdefault(path, (condition, []))[1].append(where)
    for path, (condition, tiers) in never.items():
        yield _warning("never_holds", path, f"'{condition.text}' can never hold on {' or '.join(tiers)}")


def _silence(policy: Policy) -> Iterator[Problem]:
    """An app that is away may need a restart, a rollback or its network; a larger plan is a guess that costs (Evidence 5)."""
    upward = [located for rank in range(len(policy.tiers)) for located in _rules(policy, rank, "scale_up")]
    for path, condition in dict([*upward, *_located(policy.emergency, ("emergency",))]).items():
        if condition.metric.name == "unreachable":
            message = f"'{condition.text}' says nothing about the plan: let an alert tell it, and scale on memory, CPU or time"
            yield _error("unreachable_alone", path, message)
