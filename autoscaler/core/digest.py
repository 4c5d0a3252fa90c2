"""What a service went through in a day or a week: what was changed, what was held and why, what it cost. Times in ms UTC."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from autoscaler.core.change import Change
from autoscaler.core.durations import DAY
from autoscaler.core.evaluate import Ask
from autoscaler.core.guards import Verdict
from autoscaler.core.policy import Mode, Policy
from autoscaler.core.savings import Period
from autoscaler.core.why import Why

NINE = time(9)
UTC_ZONE = ZoneInfo("UTC")
OBSERVED = 7 * DAY
"""How long a policy has to have observed before it is offered to go live."""


@dataclass(frozen=True, slots=True)
class Held:
    """One thing that was asked for and did not happen."""

    ask: Ask
    target: str | None
    why: Why
    times: int
    """How often it began to be held for that."""
    length: int
    """For how long in all, ms."""


@dataclass(frozen=True, slots=True)
class WouldHave:
    """What a policy that only observes would have come to, had it acted."""

    changes: Sequence[tuple[int, str, str, str]]
    """When, from which tier, to which, and why."""
    costs: float
    """USD in that time."""
    never: float
    """USD, had it stayed as it was all along."""


@dataclass(frozen=True, slots=True)
class Digest:
    """All of it. Money in USD."""

    service: str
    service_id: str
    policy_file: str
    digest: str
    """Of the policy file."""
    mode: Mode
    begin: int
    end: int
    changes: Sequence[Change]
    """Those that began in that time, oldest first; also those that people were only asked about."""
    held: Sequence[Held]
    """The longest first."""
    spent: Period
    month: float
    """What this month comes to if nothing changes."""
    budget: float | None
    would_have: WouldHave | None = None
    offers_live: bool = False
    """Whether it has observed long enough to act."""


def begin_and_end(policy: Policy, now: int) -> tuple[int, int] | None:
    """The last whole day or week whose digest is due; None where the policy wants none.

    It is due at nine, in the zone of the hours in which people may be asked, else in UTC; a week's on Monday. A worker that was
    away then sends it when it is back.
    """
    if policy.notify.digest == "off":
        return None
    zone = policy.approval.ask.zone if policy.approval.ask else UTC_ZONE
    days = 1 if policy.notify.digest == "daily" else 7
    today = datetime.fromtimestamp(now / 1000, zone).date()
    last = today if days == 1 else today - timedelta(days=today.weekday())
    if _at_nine(last, zone) > now:
        last -= timedelta(days=days)
    return _at_nine(last - timedelta(days=days), zone), _at_nine(last, zone)


def _at_nine(day: date, zone: ZoneInfo) -> int:
    return round(datetime.combine(day, NINE, zone).timestamp() * 1000)


def held_within(verdicts: Sequence[Verdict], begin: int, end: int) -> tuple[Held, ...]:
    """What was held in [begin, end), by what and by the guard that decided; not by the very change that it asked for.

    `verdicts`: the newest first.
    """
    sums: dict[tuple[Ask, str | None, Why], tuple[int, int]] = {}
    for verdict in takewhile(lambda one: one.at >= begin, verdicts):
        length = min(verdict.at, end) - max(verdict.since, begin)
        if verdict.ask is Ask.HOLD or verdict.goes or verdict.why is Why.CHANGE_OPEN or length < 0:
            continue
        key = verdict.ask, verdict.target, verdict.why
        times, before = sums.get(key, (0, 0))
        sums[key] = times + 1, before + length
    held = (Held(*key, times, length) for key, (times, length) in sums.items())
    return tuple(sorted(held, key=lambda one: (-one.length, one.ask, one.why)))
