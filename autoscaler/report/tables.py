"""What the commands print as tables: headers and rows of plain strings; the CLI draws them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autoscaler.core.change import Change, Direction, Rung
from autoscaler.core.durations import MINUTE, format_duration
from autoscaler.core.evaluate import Ask, Role
from autoscaler.core.guards import Verdict
from autoscaler.core.why import Why
from autoscaler.report.sentences import WORDS, closest, reason_sentence, seen_phrase
from autoscaler.report.text import one_line
from autoscaler.report.units import bar, format_plan, format_relative, format_time, monthly, monthly_step

OUTDATED = 15 * MINUTE
"""A verdict older than that says nothing about now: whoever made it has stopped, also where a cron job makes them."""
NOTHING = "-"
"""What stands where there is nothing to say: an empty cell looks like a mistake."""


@dataclass(frozen=True, slots=True)
class Table:
    """Every row is as long as `headers`."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def fleet(verdicts: Sequence[Verdict], plans: Mapping[str, str], now: int) -> Table:
    """`status`: one row a service. `plans` maps a service's id to the plan that it runs on, where known."""
    rows = tuple(
        (
            one_line(verdict.service),
            one_line(verdict.tier or NOTHING),
            one_line(plans.get(verdict.service_id, NOTHING)),
            NOTHING if verdict.monthly_now is None else monthly(verdict.monthly_now),
            _now(verdict, now),
            _verdict(verdict),
            format_relative(verdict.since, now),
            _next(verdict, now),
        )
        for verdict in verdicts
    )
    return Table(("Service", "Tier", "Plan", "Cost", "Now", "Verdict", "Since", "Next"), rows)


def stacked(table: Table) -> Table:
    """The fleet for a narrow terminal: three columns, each with what belongs together below one another."""
    rows = tuple(
        (f"{service}\n{tier} ({plan})\n{cost}", f"{verdict}\n{now}\nbegan {since}", following)
        for service, tier, plan, cost, now, verdict, since, following in table.rows
    )
    return Table(("Service", "Verdict", "Next"), rows)


def _now(verdict: Verdict, now: int) -> str:
    if now - verdict.at > OUTDATED:
        return f"not looked at for {format_duration(now - verdict.at)}"
    if verdict.blind:
        return f"no reading: {one_line(verdict.blind)}"
    nearest = verdict.reasons[0] if verdict.reasons else closest(verdict)
    return seen_phrase(nearest) if nearest else NOTHING


def _verdict(verdict: Verdict) -> str:
    if verdict.ask is Ask.HOLD:
        return WORDS[verdict.why].short
    asked = f"{verdict.ask} to {one_line(verdict.target)}" if verdict.target else str(verdict.ask)
    return asked if verdict.goes else f"{asked}, held: {WORDS[verdict.why].short}"


def _next(verdict: Verdict, now: int) -> str:
    """When something can happen at the earliest; for what nobody asks for yet, when its rules could."""
    if verdict.goes:
        return "now"
    if verdict.ask is Ask.HOLD:
        return _building(verdict, now)
    if verdict.not_before is not None:
        return format_relative(max(verdict.not_before, now), now)
    reasons = {blocker.why for blocker in verdict.blockers}
    if Why.MODE_OBSERVE in reasons:
        return "only observing"
    return "needs a person" if any(why.needs_a_person for why in reasons) else "when that ends"


def _building(verdict: Verdict, now: int) -> str:
    nearest = closest(verdict)
    if nearest is None or nearest.held <= 0:
        return NOTHING
    if nearest.not_before is None:
        return bar(nearest.held)
    way = "down" if nearest.role is Role.DOWN else "up"
    return f"{way} {format_relative(max(nearest.not_before, now), now)}"


_NO_HOLD = frozenset({Why.GO, Why.CHANGE_OPEN})
"""While a change is under way its own rules still ask for it: that is the change itself, and no hold."""


def is_held(verdict: Verdict) -> bool:
    """Whether something was asked for, and a guard stood in its way."""
    return verdict.ask is not Ask.HOLD and verdict.why not in _NO_HOLD


def history(changes: Sequence[Change], holds: Sequence[Verdict], now: int) -> Table:
    """`history`: changes, and verdicts that asked for one and were held, the newest first."""
    rows = [(change.created_at, _change_row(change, now)) for change in changes]
    rows += [(verdict.since, _hold_row(verdict, now)) for verdict in holds if is_held(verdict)]
    rows.sort(key=lambda row: row[0], reverse=True)
    headers = ("Started", "Service", "From → to", "State", "Cost", "Took", "Who", "Reason", "Outcome")
    return Table(headers, tuple(row for _, row in rows))


@dataclass(frozen=True, slots=True)
class Held:
    """All holds of one service for one deciding reason. Times in ms UTC."""

    service: str
    why: Why
    times: int
    total: int
    """How long they lasted together, ms."""
    longest: int
    last: int
    """When the latest of them was last seen."""


def held(holds: Sequence[Verdict]) -> tuple[Held, ...]:
    """What held changes back, by its deciding reason; what took longest first."""
    groups: dict[tuple[str, Why], list[Verdict]] = {}
    for verdict in holds:
        groups.setdefault((verdict.service, verdict.why), []).append(verdict)
    found = [
        Held(
            service=service,
            why=why,
            times=len(group),
            total=sum(one.at - one.since for one in group),
            longest=max(one.at - one.since for one in group),
            last=max(one.at for one in group),
        )
        for (service, why), group in groups.items()
    ]
    return tuple(sorted(found, key=lambda one: one.total, reverse=True))


def holds_by_reason(groups: Sequence[Held], now: int) -> Table:
    """`history`: how often and how long each reason held something back."""
    rows = tuple(
        (
            one_line(group.service),
            WORDS[group.why].short,
            str(group.times),
            format_duration(group.total),
            format_duration(group.longest),
            format_time(group.last, now),
        )
        for group in groups
    )
    return Table(("Service", "Held by", "Times", "In all", "Longest", "Last"), rows)


def _change_row(change: Change, now: int) -> tuple[str, ...]:
    arrow = "▲" if change.direction is Direction.UP else "▼"
    return (
        format_time(change.created_at, now),
        one_line(change.service),
        one_line(f"{arrow} {_rung(change.origin)} → {_rung(change.target)}"),
        "walking back" if change.walking_back and change.state.is_open else str(change.state),
        monthly_step(change.origin.monthly, change.target.monthly),
        _took(change, now),
        _consent(change),
        one_line(change.reason),
        one_line(change.outcome) or NOTHING,
    )


def _consent(change: Change) -> str:
    """Who wanted it: the policy by itself, or a person; where people were asked, who said yes."""
    urgent = " (emergency)" if change.emergency else ""
    if change.question is not None:
        return _agreed(change) + urgent
    if change.requested_by != "policy":
        return one_line(change.requested_by) + urgent
    return "automatic, an emergency" if change.emergency else "automatic"


def _agreed(change: Change) -> str:
    if change.was_only_asked:
        return "nobody" if change.state.is_final else "nobody yet"
    return one_line(change.question.agreed_by if change.question else "") or "nobody said no in time"


def _rung(rung: Rung) -> str:
    return f"{rung.tier} ({format_plan(rung.plan, rung.instances)})"


def _took(change: Change, now: int) -> str:
    """Until it was live: the watch afterwards is no waiting."""
    end = change.live_at or change.ended_at
    if end is not None:
        return format_duration(end - change.created_at)
    return f"{format_duration(now - change.created_at)} so far"


def _hold_row(verdict: Verdict, now: int) -> tuple[str, ...]:
    arrow = "▲" if verdict.ask is Ask.UP else "▼"
    costs = (verdict.monthly_now, verdict.monthly_then)
    return (
        format_time(verdict.since, now),
        one_line(verdict.service),
        one_line(f"{arrow} {verdict.tier or '?'} → {verdict.target or '?'}"),
        f"held: {WORDS[verdict.why].short}",
        NOTHING if costs[0] is None or costs[1] is None else monthly_step(costs[0], costs[1]),
        format_duration(verdict.at - verdict.since),
        NOTHING,
        reason_sentence(verdict) or NOTHING,
        NOTHING,
    )
