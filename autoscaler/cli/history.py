"""`autoscaler history`: what was changed, what was held, and why."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table as RichTable
from rich.text import Text

from autoscaler.adapters.clock import SystemClock
from autoscaler.bootstrap import opened_store
from autoscaler.cli.options import JsonOption
from autoscaler.cli.output import out, print_json, print_table
from autoscaler.core.change import Change
from autoscaler.core.durations import parse_duration
from autoscaler.core.guards import Verdict
from autoscaler.engine.room.known import choose, known_services
from autoscaler.errors import UsageError
from autoscaler.ports import Store
from autoscaler.report import tables
from autoscaler.report.explain import explain
from autoscaler.report.explain_json import document
from autoscaler.report.tables import Table, is_held
from autoscaler.settings import load_settings

MOST = 10_000
"""Rows read of each kind, whatever is then shown of them."""


@dataclass(frozen=True, slots=True)
class Past:
    """What happened in the time asked for, newest first. Times in ms UTC."""

    at: int
    changes: tuple[Change, ...]
    holds: tuple[Verdict, ...]


def history(
    service: Annotated[str | None, typer.Argument(help="Only this service, by name or id.")] = None,
    since: Annotated[
        str | None,
        typer.Option(help="From then on: how long ago (7d, 12h), or a UTC time (2026-10-01, 2026-10-01T14:00)."),
    ] = None,
    until: Annotated[str | None, typer.Option(help="Up to then, written as --since is.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="How many changes, and how many holds, at most.")] = 30,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show changes with who wanted them and how they ended, and what was held back, by which reason and for how long.

    Reads the worker's database (DATABASE_URL).
    """
    now = SystemClock().now()
    begin, end = _moment("--since", since, now, 0), _moment("--until", until, now, now)
    asyncio.run(_history(service, (begin, end), limit, as_json=as_json))


def _moment(option: str, text: str | None, now: int, absent: int) -> int:
    """A point in time, ms UTC."""
    if text is None:
        return absent
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            return now - parse_duration(text)
        except ValueError:
            raise UsageError(
                f"{option}: '{text}' is no time: write how long ago, such as 7d or 12h, or a UTC time such as 2026-10-01T14:00."
            ) from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


async def _history(service: str | None, span: tuple[int, int], limit: int, *, as_json: bool) -> None:
    async with opened_store(load_settings(), read_only=True) as store:
        past = await _past(store, await _service_id(store, service), span)
        shown = past.changes[:limit]
        if as_json:
            groups = tables.held(past.holds)
            print_json(
                {
                    "changes": [await _change(store, one) for one in shown],
                    "holds": [_hold(one) for one in past.holds[:limit]],
                    "holds_by_reason": [_group(group) for group in groups],
                }
            )
            return
    _print(tables.history(shown, past.holds[:limit], past.at))
    if past.holds:
        out.print()
        print_table(tables.holds_by_reason(tables.held(past.holds), past.at), empty="")


async def _past(store: Store, service_id: str | None, span: tuple[int, int]) -> Past:
    """A hold belongs to the time if any of it does."""
    begin, end = span
    changes = await store.changes(service_id, limit=MOST)
    verdicts = await store.verdicts(service_id, limit=MOST)
    return Past(
        SystemClock().now(),
        tuple(change for change in changes if begin <= change.created_at <= end),
        tuple(one for one in verdicts if is_held(one) and one.at >= begin and one.since <= end),
    )


def _print(table: Table) -> None:
    """An entry is some lines and not a row: a reason of forty words would make a column of syllables."""
    if not table.rows:
        out.print("Nothing was changed or held in that time.", markup=False)
    entries = RichTable.grid(padding=(0, 2))
    entries.add_column(no_wrap=True)
    entries.add_column(overflow="fold")
    for started, service, step, state, cost, took, who, reason, outcome in table.rows:
        how_long = [f"for {took}"] if who == tables.NOTHING else [f"took {took}", f"approved: {who}"]
        facts = [state, cost, *how_long]
        entry = Text.assemble((f"{service}  {step}", "bold"), f"\n{', '.join(facts)}\n", (f"why: {reason}\n", "dim"))
        if outcome != tables.NOTHING:
            entry.append(f"outcome: {outcome}\n", style="dim")
        entries.add_row(started, entry)
    out.print(entries)


async def _service_id(store: Store, word: str | None) -> str | None:
    if word is None:
        return None
    chosen = choose(known_services(await store.last_verdicts(), ()), word)
    return chosen.verdict.service_id if chosen.verdict else None


async def _change(store: Store, change: Change) -> dict[str, object]:
    return {
        "id": change.id,
        "service_id": change.service_id,
        "service": change.service,
        "direction": change.direction,
        "from": {"tier": change.origin.tier, "plan": change.origin.plan, "monthly": change.origin.monthly},
        "to": {"tier": change.target.tier, "plan": change.target.plan, "monthly": change.target.monthly},
        "state": change.state,
        "emergency": change.emergency,
        "reason": change.reason,
        "outcome": change.outcome,
        "requested_by": change.requested_by,
        "report": [{"what": what, "change": text} for what, text in change.report],
        "created_at": change.created_at,
        "live_at": change.live_at,
        "ended_at": change.ended_at,
        "journal": [
            {
                "number": entry.number,
                "at": entry.at,
                "step": entry.step,
                "outcome": entry.outcome,
                "ended_at": entry.ended_at,
            }
            for entry in await store.journal(change.id)
        ],
    }


def _hold(verdict: Verdict) -> dict[str, object]:
    return document(explain(verdict)) | {"last_seen": verdict.at}


def _group(group: tables.Held) -> dict[str, object]:
    return {
        "service": group.service,
        "why": str(group.why),
        "times": group.times,
        "total_ms": group.total,
        "longest_ms": group.longest,
        "last_seen": group.last,
    }
