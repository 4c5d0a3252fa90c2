"""Values as people write them: 8.2s, 412 MB, 5.3%, $25/mo, 14:03 UTC, in 12m."""

from datetime import UTC, datetime

from autoscaler.core.durations import DAY, MINUTE, format_duration
from autoscaler.core.values import format_dollars


def monthly(amount: float) -> str:
    """`$25/mo`."""
    return f"{format_dollars(amount)}/mo"


def monthly_difference(before: float, after: float) -> str:
    """`+$18/mo`, `-$18/mo`, `same cost`."""
    difference = round(after - before, 2)
    if not difference:
        return "same cost"
    return f"+{monthly(difference)}" if difference > 0 else monthly(difference)


def monthly_step(before: float, after: float) -> str:
    """`$7/mo → $25/mo (+$18/mo)`."""
    if round(after - before, 2) == 0:
        return f"{monthly(before)}, unchanged"
    return f"{monthly(before)} → {monthly(after)} ({monthly_difference(before, after)})"


def format_plan(plan: str, instances: int) -> str:
    """`standard`, `standard x2`."""
    return plan if instances == 1 else f"{plan} x{instances}"


def format_time(at: int, now: int) -> str:
    """`14:03 UTC`; with its weekday on another day, with its date when more than six days off. Times in ms UTC."""
    moment, today = datetime.fromtimestamp(at / 1000, UTC), datetime.fromtimestamp(now / 1000, UTC)
    clock = f"{moment:%H:%M} UTC"
    if moment.date() == today.date():
        return clock
    if abs(at - now) < 6 * DAY:
        return f"{moment:%a} {clock}"
    year = "" if moment.year == today.year else f" {moment.year}"
    return f"{moment.day} {moment:%b}{year} {clock}"


def format_relative(at: int, now: int) -> str:
    """`in 12m`, `3h ago`, `now`: the largest unit that is not nothing."""
    distance = at - now
    if abs(distance) < 1000:
        return "now"
    largest = format_duration(_coarse(abs(distance))).split()[0]
    return f"in {largest}" if distance > 0 else f"{largest} ago"


def _coarse(distance: int) -> int:
    """Whole seconds, so that `2.4s ago` is no news."""
    return distance // 1000 * 1000 if distance < MINUTE else distance


def bar(share: float, width: int = 5, *, ascii_only: bool = False) -> str:
    """`▓▓▓░░ 60%`, or `###-- 60%`; `share` from 0 to 1. Full only when it is full."""
    part = min(max(share, 0.0), 1.0)
    done = int(part * width)
    full, empty = ("#", "-") if ascii_only else ("▓", "░")
    return f"{full * done}{empty * (width - done)} {int(part * 100)}%"


def format_moment(at: int, now: int, local: datetime) -> str:
    """`in 17m, 16:20 CEST (14:20 UTC)`; `local` is `at` on the reader's own clock. Only UTC where that is theirs."""
    when = "now" if at <= now else f"in {format_duration(at - now)}"
    universal = format_time(at, now)
    if not local.utcoffset():
        return f"{when}, {universal}"
    zone = local.tzname() or ""
    name = zone if zone.isascii() and 1 < len(zone) <= 5 else "your time"  # Windows spells them out
    day = "" if local.date() == datetime.fromtimestamp(now / 1000, local.tzinfo).date() else f"{local:%a} "
    return f"{when}, {day}{local:%H:%M} {name} ({universal})"
