"""What the commands print as tables: headers and rows of plain strings; the CLI draws them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autoscaler.core.change import Change, Direction, Rung
from autoscaler.core.durations import format_duration
from autoscaler.core.evaluate import Ask
from autoscaler.core.guards import Verdict, Why
from autoscaler.report.sentences import WORDS, closest, condition_phrase, held_phrase, reason_sentence, seen_phrase
from autoscaler.report.text import one_line
from autoscaler.report.units import bar, format_plan, format_relative, format_time, monthly, monthly_step

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
            _now(verdict),
            _verdict(verdict),
            format_relative(verdict.since, now),
            _next(verdict, now),
        )
        for verdict in verdicts
    )
    return Table(("Service", "Tier", "Plan", "Cost", "Now", "Verdict", "Since", "Next"), rows)


def _now(verdict: Verdict) -> str:
    if verdict.blind:
        return f"no reading: {one_line(verdict.blind)}"
    nearest = closest(verdict)
    return seen_phrase(nearest) if nearest else NOTHING


def _verdict(verdict: Verdict) -> str:
    if verdict.ask is Ask.HOLD:
        return WORDS[verdict.why].short
    asked = f"{verdict.ask} to {one_line(verdict.target)}" if verdict.target else str(verdict.ask)
    return asked if verdict.goes else f"{asked}, held: {WORDS[verdict.why].short}"


def _next(verdict: Verdict, now: int) -> str:
    if verdict.goes:
        return "now"
    if verdict.ask is not Ask.HOLD:
        if verdict.not_before is None:
            if Why.MODE_OBSERVE in {one.why for one in verdict.blockers}:
                return "only observing"
            return "needs a person" if any(one.why.needs_a_person for one in verdict.blockers) else "when that ends"
        return format_relative(max(verdict.not_before, now), now)
    nearest = closest(verdict)
    return bar(nearest.held) if nearest and nearest.held > 0 else NOTHING


def history(changes: Sequence[Change], holds: Sequence[Verdict], now: int) -> Table:
    """`history`: changes, and verdicts that asked for one and were held, the newest first."""
    rows = [(change.created_at, _change_row(change, now)) for change in changes]
    rows += [
        (verdict.since, _hold_row(verdict, now))
        for verdict in holds
        if verdict.ask is not Ask.HOLD and verdict.why is not Why.GO
    ]
    rows.sort(key=lambda row: row[0], reverse=True)
    headers = ("Started", "Service", "From → to", "State", "Cost", "Took", "Who", "Reason")
    return Table(headers, tuple(row for _, row in rows))


def _change_row(change: Change, now: int) -> tuple[str, ...]:
    arrow = "▲" if change.direction is Direction.UP else "▼"
    return (
        format_time(change.created_at, now),
        one_line(change.service),
        one_line(f"{arrow} {_rung(change.origin)} → {_rung(change.target)}"),
        "walking back" if change.walking_back and change.state.is_open else str(change.state),
        monthly_step(change.origin.monthly, change.target.monthly),
        _took(change, now),
        one_line(change.requested_by) + (" (emergency)" if change.emergency else ""),
        one_line(change.reason),
    )


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
        "policy",
        reason_sentence(verdict) or NOTHING,
    )


def rules(verdict: Verdict) -> Table:
    """How far each condition is, in the order of the file."""
    rows = tuple(
        (
            str(progress.role),
            condition_phrase(progress),
            "yes" if progress.holds else "no",
            bar(progress.held),
            held_phrase(progress),
            f"{int(progress.covered * 100)}%",
            one_line(progress.lacking or NOTHING),
        )
        for progress in verdict.progress
    )
    return Table(("Asks for", "Rule", "Holds", "Held", "", "Seen", "Lacking"), rows)
