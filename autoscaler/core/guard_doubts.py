"""Guards, approvals and ladders that are sound and yet hardly meant so: nothing could ever go up, come down, or be agreed to."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from autoscaler.core.calendar import WeeklyHours
from autoscaler.core.durations import DAY, MINUTE, format_duration
from autoscaler.core.findings import Path, Problem, warning
from autoscaler.core.policy import AtLeast, Mode, Policy

_MONDAY = 4 * DAY
"""A Monday, 0:00 UTC: hours come back every week."""
_QUICK = 10 * MINUTE
"""Nobody is sure to read a message sooner."""
_SECRET = re.compile(
    r"(^|_)(SECRET|TOKEN|PASSWORD|PASSWD|API_?KEY|PRIVATE_KEY|CREDENTIALS?|DSN|DATABASE_URL)(_|$)", re.IGNORECASE
)
_SHARED = re.compile(r"(^|[^A-Z])(REDIS|VALKEY|KEY_?VALUE)", re.IGNORECASE)
"""In the name or the value of a variable: what a cache is shared by. `app_core` is given REDIS_URL (its README)."""
_HERE = re.compile(
    r"localhost|127(\.\d+){3}|\[?::1\]?|10(\.\d+){3}|192\.168(\.\d+){2}|[\w-]+|[\w.-]+\.(internal|local)", re.IGNORECASE
)
"""Hosts that are reached without leaving the machine or Render's private network."""


def doubts_of_guards(policy: Policy) -> Iterator[Problem]:
    """The warnings about all that is no condition, check by check."""
    for check in (_ways, _wide, _floors, _money, _pace, _hours, _consent, _secrets):
        yield from check(policy)


def _ways(policy: Policy) -> Iterator[Problem]:
    if len(policy.tiers) == 1:
        yield warning("one_tier", ("tiers",), "a ladder of one rung leads nowhere: add the next larger plan")
    for rank, tier in enumerate(policy.tiers[1:], 1):
        if policy.down_rules(tier) is None:
            message = f"no rule lets '{tier.name}' come down: it stays, and costs {tier.monthly:g} USD a month, until somebody changes it"
            yield warning("no_way_down", ("tiers", rank), message)
    floor = max((policy.rank(name) for _, name in _raised(policy)), default=0)
    for rank, tier in enumerate(policy.tiers[:-1]):
        if policy.up_rules(tier) is None and policy.emergency is None and rank >= floor:
            yield warning(
                "no_way_up", ("tiers", rank), f"nothing sends '{tier.name}' up, however busy it is: add 'scale_up'"
            )


def _wide(policy: Policy) -> Iterator[Problem]:
    """What each of several instances keeps in its own memory is not deduplicated: the seed's plan names Redis for it."""
    for rank, tier in enumerate(policy.tiers):
        if tier.instances > 1 and not any(_SHARED.search(word) for pair in tier.env.items() for word in pair):
            message = (
                f"{tier.instances} instances of '{tier.name}' each have a cache of their own, and do the same work twice: share one "
                "through Render Key Value (app_core: Deduplicator(backend=RedisBackend(…)) with REDIS_URL), and name that variable in 'env'"
            )
            yield warning("wide_cache", ("tiers", rank, "instances"), message)


def _raised(policy: Policy) -> Iterator[tuple[Path, str]]:
    """The floors that alerts and schedules ask for."""
    for index, alert in enumerate(policy.alerts):
        if isinstance(alert.do, AtLeast):
            yield ("alerts", index, "do", "at_least"), alert.do.at_least
    for index, schedule in enumerate(policy.schedules):
        yield ("schedules", index, "at_least"), schedule.at_least


def _floors(policy: Policy) -> Iterator[Problem]:
    lowest = policy.tiers[0].name
    for path, name in _raised(policy):
        if name == lowest:
            yield warning("idle_floor", path, f"'{name}' is the smallest tier: the service is never below it anyway")
    if policy.emergency and policy.emergency.to == lowest:
        message = f"'{lowest}' is the smallest tier: an emergency leads up, so this means the next tier"
        yield warning("idle_floor", ("emergency", "to"), message)


def _money(policy: Policy) -> Iterator[Problem]:
    budget, top, bottom = policy.guards.budget, policy.tiers[-1], policy.tiers[0]
    if budget and budget.monthly < bottom.monthly:
        message = f"even '{bottom.name}' costs {bottom.monthly:g} USD a month: with {budget.monthly:g} no up is ever allowed, and nothing goes below it"
        yield warning("budget", ("guards", "budget", "monthly"), message)
    elif budget and budget.monthly < top.monthly:
        message = f"a whole month on '{top.name}' costs {top.monthly:g} USD, more than this budget of {budget.monthly:g}: ups will be held"
        yield warning("budget", ("guards", "budget", "monthly"), message)


def _pace(policy: Policy) -> Iterator[Problem]:
    most, every = policy.guards.max_changes, policy.every
    if most <= 1:
        what = (
            "nothing but an emergency would ever change the plan"
            if most == 0
            else "the day's last change is kept for an up, so nothing would ever come down"
        )
        yield warning("max_changes", ("guards", "max_changes"), f"with {most} per day {what}")
    if policy.verify.soak < 2 * every:
        message = (
            f"the soak sees fewer than two polls (every {format_duration(every)}): a new instance could not be heard"
        )
        yield warning("short_soak", ("verify", "soak"), message)


def _hours(policy: Policy) -> Iterator[Problem]:
    for way in ("scale_up", "scale_down"):
        hours: WeeklyHours | None = getattr(policy.guards.not_during, way)
        if hours is not None and hours.next_end(_MONDAY) is None:
            message = f"'{hours.text}' is the whole week: nothing could ever begin this way"
            yield warning("never_allowed", ("guards", "not_during", way), message)


def _consent(policy: Policy) -> Iterator[Problem]:
    approval = policy.approval
    required = [way for way in ("scale_up", "scale_down", "emergency") if getattr(approval, way) == "required"]
    if not approval.approvers:
        nobody = "nobody is named who may say yes: list Slack ids under 'approvers'"
        yield from (warning("no_approvers", ("approval", way), nobody) for way in required)
        if policy.mode is Mode.ASK and not required:
            yield warning("no_approvers", ("mode",), f"every change asks, and {nobody}")
    asked = {"scale_up", "scale_down"} if policy.mode is Mode.ASK else set(required)
    for way in sorted(asked - {"emergency"}):
        forbidden: WeeklyHours | None = getattr(policy.guards.not_during, way)
        if approval.ask and forbidden and not _can_follow(approval.ask, forbidden):
            message = f"a yes given in '{approval.ask.text}' would lapse: no allowed minute comes within 24h of it (see 'not_during')"
            yield warning("never_askable", ("approval", "ask"), message, ("guards", "not_during", way))
    if asked and approval.expires < _QUICK:
        message = f"who is asked has {format_duration(approval.expires)} to answer: hardly anybody is that quick"
        yield warning("short_expiry", ("approval", "expires"), message)


def _can_follow(ask: WeeklyHours, forbidden: WeeklyHours) -> bool:
    """Whether any yes can be followed: it is good until the first allowed minute, for 24 hours at most (design, Deciding 12)."""
    at = _MONDAY
    while at < _MONDAY + 8 * DAY:
        begin = ask.next_start(at)
        if begin is None:
            return False
        end = ask.next_end(begin) or begin + 7 * DAY
        allowed = forbidden.next_end(begin)
        if allowed is not None and allowed <= end + DAY:
            return True
        at = end
    return False


def _secrets(policy: Policy) -> Iterator[Problem]:
    for rank, tier in enumerate(policy.tiers):
        for name in tier.env:
            if _SECRET.search(name):
                message = (
                    f"{name} looks like a secret: it stands here in clear, and has nothing to do with the plan's size"
                )
                yield warning("secret", ("tiers", rank, "env", name), message)
    health = policy.service.health
    address = urlsplit(health.url if health else "")
    if health and health.token and address.scheme == "http" and not _HERE.fullmatch(address.hostname or ""):
        message = "the token would go over the wire in clear: write https://"
        yield warning("token_in_clear", ("service", "health", "url"), message)
