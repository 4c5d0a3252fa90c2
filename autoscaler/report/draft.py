"""The first policy for a service, as text with comments: what `autoscaler init` writes."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from autoscaler.core.plans import PLANS, Plan, find_plan
from autoscaler.core.values import format_dollars

_MIB = 1024**2
_FULL = 80
"""Per cent of a plan's memory or CPU from which it is too small, as the seed's alert says."""
_EMPTY = 0.5
"""Of what fills the smaller plan: half of it is room enough to come down."""
_BY_CPU, _BY_MEMORY, _AS_IT_IS = "cpu", "memory", ""
_KNOWN: MappingProxyType[str, str] = MappingProxyType(
    {
        "MAX_CONCURRENT": _BY_CPU,
        "WEB_CONCURRENCY": _BY_CPU,
        "DB_POOL_SIZE": _BY_CPU,
        "DB_POOL_OVERFLOW": _BY_CPU,
        "ASYNC_WORKER_THREADS": _BY_CPU,
        "MAX_CACHE_ENTRIES": _BY_MEMORY,
        "MEMORY_WARNING_MB": _BY_MEMORY,
        "REQUEST_CACHE_TTL": _AS_IT_IS,
        "CLEANUP_INTERVAL": _AS_IT_IS,
    }
)
"""Env vars that suit a plan, by app_core's names and Render's own, and what of the plan they grow with."""
SIZED = tuple(_KNOWN)


@dataclass(frozen=True, slots=True)
class Found:
    """What Render and the app tell of a service that has no policy yet."""

    id: str
    name: str
    plan: str
    instances: int
    has_disk: bool
    health_url: str | None
    """Where its scaling endpoint answered; None: it has none, and Render's own metrics are all there is."""
    token: bool
    """Whether that endpoint asks for one."""
    env: Mapping[str, str]
    """Of the variables in `SIZED` those that are set."""


def draft(found: Found) -> str:
    """A whole policy in `mode: observe`, sound as it is; every number in it may be edited.

    Raises:
        ValueError: the plan is none of Render's that can be a rung; its text says so.
    """
    plan = find_plan(found.plan)
    if plan is None:
        raise ValueError(f"the plan '{found.plan}' can't be a rung of a ladder: move the service to a paid plan first")
    ladder = [rung for rung in (_below(plan), plan, _above(plan)) if rung is not None]
    lines = [*_head(found), *_service(found), *_tiers(found, plan, ladder), *_rules(found), *_guards(found, ladder)]
    return "\n".join(lines) + "\n"


def _above(plan: Plan) -> Plan | None:
    """The cheapest with more of both CPU and memory."""
    larger = [other for other in PLANS.values() if other.cpu > plan.cpu and other.memory > plan.memory]
    return min(larger, key=lambda other: other.price, default=None)


def _below(plan: Plan) -> Plan | None:
    """The dearest with less of both."""
    smaller = [other for other in PLANS.values() if other.cpu < plan.cpu and other.memory < plan.memory]
    return max(smaller, key=lambda other: other.price, default=None)


def _head(found: Found) -> list[str]:
    return [
        f"# A first policy for {found.name}, written by `autoscaler init`. It only observes. Read it from top to bottom, edit it, then",
        "#   autoscaler validate FILE     says what is wrong with it",
        "#   autoscaler backtest FILE     plays it through what was recorded",
        "version: 1",
        "mode: observe # says what it would do · ask: every change needs a yes · act: as `approval` says",
        "",
    ]


def _service(found: Found) -> list[str]:
    lines = ["service:", f"  id: {found.id}"]
    if found.health_url is None:
        return [*lines, "  # No health endpoint answered: Render's own metrics are judged. app_core shows more.", ""]
    lines += ["  health:", f"    url: {found.health_url}"]
    if found.token:
        lines.append("    token: {env: SCALING_HEALTH_TOKEN} # the name of the variable that holds it")
    return [*lines, "    every: 30s", ""]


def _tiers(found: Found, now: Plan, ladder: list[Plan]) -> list[str]:
    lines = ["# The ladder, smallest first; one rung at a time. Every tier names the same variables."]
    if found.has_disk:
        lines.append(
            "# The service has a disk: a change means a few minutes without it, so every one but an emergency asks."
        )
    lines.append("tiers:")
    for rank, plan in enumerate(ladder):
        each = "" if found.instances == 1 else f" each, {found.instances} of them"
        here = ", where it is now" if plan is now else ""
        size = f"{plan.cpu:g} CPU, {_memory(plan.memory)}, {format_dollars(plan.price)} a month{each}{here}"
        lines += [f"  - name: {plan.name}", f"    plan: {plan.name} # {size}"]
        if found.instances != 1:
            lines.append(f"    instances: {found.instances}")
        lines += _env(found, now, plan)
        if rank:
            lines += _way_down(found, ladder[rank - 1], plan)
    return [*lines, ""]


def _env(found: Found, now: Plan, plan: Plan) -> list[str]:
    if not found.env:
        return []
    guess = "" if plan is now else " # a guess from the plan's size"
    return ["    env:", *(f"      {name}: {_sized(name, found.env[name], now, plan)}{guess}" for name in found.env)]


def _sized(name: str, value: str, now: Plan, plan: Plan) -> str:
    """A number grown with what its plan has more of, 1 at least; anything else stays as it is."""
    grows_with = _KNOWN.get(name, _AS_IT_IS)
    if not grows_with or not value.isdecimal():
        return value if value.isalnum() else repr(value)
    return str(max(1, round(int(value) * getattr(plan, grows_with) / getattr(now, grows_with))))


def _way_down(found: Found, lower: Plan, plan: Plan) -> list[str]:
    memory = _EMPTY * _FULL / 100 * lower.memory / _MIB
    bound = f"{memory / 1024:.0f}GB" if memory >= 4096 else f"{memory:.0f}MB"
    cpu = int(_EMPTY * _FULL * lower.cpu / plan.cpu)
    lines = [
        "    scale_down:",
        "      all: # every one of these; missing data is never good news",
        f"        - memory_usage < {bound} for 48h # half of what would fill {lower.name}",
        f"        - cpu_percent < {cpu}% for 48h",
    ]
    if found.health_url is not None:
        lines += ["        - avg_response_time < 1s for 24h", "        - error_rate < 1% for 24h"]
    return lines


def _rules(found: Found) -> list[str]:
    lines = [
        "scale_up: # of every tier",
        "  any:",
        f"    - memory_percent > {_FULL}% for 30m",
        f"    - cpu_percent > {_FULL}% for 30m",
    ]
    if found.health_url is not None:
        lines += ["    - avg_response_time > 3s for 30m", "    - error_rate > 5% for 1h"]
    return [*lines, "", "emergency: # waits for no cooldown", "  any:", "    - oom_kills >= 2 within 10m", ""]


def _guards(found: Found, ladder: list[Plan]) -> list[str]:
    top = ladder[-1].price * found.instances
    return [
        "guards:",
        "  cooldown: {up: 30m, down: 6h} # least time from the end of the last change",
        "  max_changes: 4 per day",
        "  headroom: 25% # what a smaller plan must leave free at the highest use of the last 7 days",
        f"  budget: {{monthly: {top:g}}} # USD for this service: a whole month on {ladder[-1].name}",
    ]


def _memory(size: int) -> str:
    return f"{size // _MIB} MB" if size < 1024 * _MIB else f"{size // (1024 * _MIB)} GB"
