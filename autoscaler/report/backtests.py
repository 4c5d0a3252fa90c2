"""What came of a backtest, as sentences, tables and one document for machines."""

from collections.abc import Sequence
from datetime import UTC, datetime

from autoscaler.core.backtest import Backtest, Difference
from autoscaler.core.durations import format_duration
from autoscaler.core.evaluate import Ask
from autoscaler.core.guards import Verdict
from autoscaler.core.rehearsal import RehearsedChange
from autoscaler.core.values import format_dollars
from autoscaler.report.log_lines import log_fields
from autoscaler.report.sentences import condition_phrase, verdict_sentence
from autoscaler.report.tables import NOTHING, Table
from autoscaler.report.text import one_line
from autoscaler.report.units import monthly_step

OPEN_LOOP = (
    "Open-loop: what was recorded stays as it was, whatever the policy would have done about it. It shows when the policy "
    "would have acted and what that would have cost, not what the app would have made of it."
)
OFF = "off the ladder"


def stamp(at: int) -> str:
    """`2014-02-24 07:25`, UTC: a recording may be of any year."""
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M}"


def headline(done: Backtest) -> str:
    """Which policy, which recording, from which rung."""
    recording = done.recording
    lost = f", {done.misses:,} of them without a reading" if done.misses else ""
    return (
        f"{one_line(done.name)} over {format_duration(done.length)} of {one_line(recording.where)}: "
        f"{recording.polls:,} polls {format_duration(done.terms.every)} apart{lost}, "
        f"{stamp(recording.begun)} to {stamp(recording.ended)} UTC, from {done.terms.tier} on"
    )


def remarks(done: Backtest) -> tuple[str, ...]:
    """What has to be known of the recording: rows that could not be read, rows put in order, and what was assumed."""
    recording = done.recording
    bad = [f"{recording.bad_rows:,} rows could not be read and were left out:"] if recording.bad_rows else []
    bad += [f"  line {row.line}: {one_line(row.what)}" for row in recording.first_bad]
    if recording.bad_rows > len(recording.first_bad):
        bad.append(f"  and {recording.bad_rows - len(recording.first_bad):,} more")
    asked = sum(bool(change.asked) for change in done.changes)
    consents = [f"What has to be asked is taken as answered yes at once: {_count(asked, 'change')}."] if asked else []
    untold = (
        [f"The recording tells nothing of {', '.join(done.untold)}: rules on them never hold."] if done.untold else []
    )
    return (*bad, *untold, *(one_line(note).capitalize() + "." for note in recording.notes), *consents)


def summary(done: Sequence[Backtest]) -> Table:
    """One column a policy."""
    rows = (
        ("Past a bound, had it stayed", *(_share(one.breach_before, one) for one in done)),
        ("Past a bound, with the policy", *(_share(one.breach_after, one) for one in done)),
        ("Changes", *(f"{len(one.changes)} ({one.changes_a_week:.1f} a week)" for one in done)),
        ("of which would be asked", *(str(sum(bool(change.asked) for change in one.changes)) for one in done)),
        ("Cost of that time", *(format_dollars(round(one.costs.policy, 2)) for one in done)),
        ("never scaling", *(f"{format_dollars(round(one.costs.never, 2))} ({one.terms.tier})" for one in done)),
        (
            "always large",
            *(f"{format_dollars(round(one.costs.largest, 2))} ({one.policy.tiers[-1].name})" for one in done),
        ),
    )
    return Table(("", *(one_line(one.name) for one in done)), rows)


def changes(done: Backtest) -> Table:
    """Each change on paper, the oldest first."""
    rows = tuple(
        (
            stamp(change.at),
            f"{'▲' if change.ask is Ask.UP else '▼'} {one_line(change.origin)} → {one_line(change.target)}"
            + (" (emergency)" if change.emergency else ""),
            monthly_step(change.monthly_before, change.monthly_after),
            ", ".join(why.replace("_", " ") for why in change.asked) or NOTHING,
            reason(change),
        )
        for change in done.changes
    )
    return Table(("Asked for", "From → to", "Cost", "Needs a yes", "Reason"), rows)


def reason(change: RehearsedChange) -> str:
    """Why it was made."""
    return "; ".join(condition_phrase(one) for one in change.reasons)


def verdicts(done: Backtest) -> Table:
    """Each verdict when it differs from the one before, the oldest first."""
    return Table(("Since (UTC)", "Verdict"), tuple((stamp(one.since), verdict_sentence(one)) for one in done.verdicts))


def differing(pair: tuple[Backtest, Backtest], found: Sequence[Difference]) -> Table:
    """When the two policies ran different rungs."""
    rows = tuple(
        (
            stamp(one.begun),
            format_duration(one.ended - one.begun),
            one_line(one.first or OFF),
            one_line(one.second or OFF),
        )
        for one in found
    )
    return Table(("From (UTC)", "For", *(one_line(one.name) for one in pair)), rows)


def document(done: Backtest) -> dict[str, object]:
    """All of it for machines. Times in ms UTC, money in USD."""
    recording, costs = done.recording, done.costs
    return {
        "policy": done.name,
        "open_loop": OPEN_LOOP,
        "recording": {
            "where": recording.where,
            "begun": recording.begun,
            "ended": recording.ended,
            "polls": recording.polls,
            "every": recording.every,
            "misses": done.misses,
            "bad_rows": recording.bad_rows,
            "first_bad_rows": [{"line": row.line, "what": row.what} for row in recording.first_bad],
            "notes": list(recording.notes),
        },
        "terms": {
            "tier": done.terms.tier,
            "every": done.terms.every,
            "deploy": done.terms.deploy,
            "consents": done.terms.consents,
        },
        "untold": list(done.untold),
        "verdicts": [_verdict(one) for one in done.verdicts],
        "changes": [_change(one) for one in done.changes],
        "tiers": [{"tier": stay.tier, "begun": stay.begun, "ended": stay.ended} for stay in done.stays],
        "conditions": {
            text: [{"begun": one.begun, "ended": one.ended} for one in intervals]
            for text, intervals in done.holding.items()
        },
        "breach": {"before": done.breach_before, "after": done.breach_after},
        "changes_a_week": round(done.changes_a_week, 3),
        "cost": {"policy": costs.policy, "never_scaling": costs.never, "always_large": costs.largest},
    }


def compared(pair: tuple[Backtest, Backtest], found: Sequence[Difference]) -> dict[str, object]:
    """Both documents, and when they differ."""
    return {
        "policies": [document(one) for one in pair],
        "differences": [{"begun": one.begun, "ended": one.ended, "tiers": [one.first, one.second]} for one in found],
    }


def _verdict(verdict: Verdict) -> dict[str, object]:
    return {"at": verdict.at} | log_fields(verdict)


def _change(change: RehearsedChange) -> dict[str, object]:
    return {
        "at": change.at,
        "live_at": change.live_at,
        "ended_at": change.ended_at,
        "from": change.origin,
        "to": change.target,
        "ask": str(change.ask),
        "emergency": change.emergency,
        "reason": reason(change),
        "asked": [str(why) for why in change.asked],
        "monthly_before": change.monthly_before,
        "monthly_after": change.monthly_after,
    }


def _share(length: int, done: Backtest) -> str:
    part = length / done.length * 100 if done.length else 0.0
    return f"{format_duration(length)} ({part:.1f}%)"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
