"""`autoscaler history`: what was changed, what was held, and why."""

import asyncio
from typing import Annotated

import typer
from rich.table import Table as RichTable
from rich.text import Text

from autoscaler.adapters.clock import SystemClock
from autoscaler.bootstrap import opened_store
from autoscaler.cli.options import JsonOption
from autoscaler.cli.output import out, print_json
from autoscaler.core.change import Change
from autoscaler.core.evaluate import Ask
from autoscaler.core.guards import Verdict, Why
from autoscaler.errors import UsageError
from autoscaler.ports import Store
from autoscaler.report import tables
from autoscaler.report.sentences import log_fields
from autoscaler.report.tables import Table
from autoscaler.settings import load_settings

_NO_HOLD = frozenset({Why.GO, Why.CHANGE_OPEN})
"""While a change is under way its own rules still ask for it: that is the change itself, and no hold."""


def history(
    service: Annotated[str | None, typer.Argument(help="Only this service, by name or id.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many changes, and how many holds, at most.")] = 30,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show changes, newest first, and verdicts that asked for one and were held, each with its reason and its cost.

    Reads the worker's database (DATABASE_URL).
    """
    asyncio.run(_history(service, limit, as_json=as_json))


async def _history(service: str | None, limit: int, *, as_json: bool) -> None:
    async with opened_store(load_settings(), read_only=True) as store:
        service_id = await _service_id(store, service) if service else None
        changes = await store.changes(service_id, limit=limit)
        verdicts = await store.verdicts(service_id, limit=10_000)
        holds = [verdict for verdict in verdicts if verdict.ask is not Ask.HOLD and verdict.why not in _NO_HOLD][:limit]
        if as_json:
            print_json(
                {"changes": [await _change(store, one) for one in changes], "holds": [_hold(one) for one in holds]}
            )
            return
    _print(tables.history(changes, holds, SystemClock().now()))


def _print(table: Table) -> None:
    """An entry is three lines and not a row: a reason of forty words would make a column of syllables."""
    if not table.rows:
        out.print("Nothing has been changed or held yet.", markup=False)
    entries = RichTable.grid(padding=(0, 2))
    for started, service, step, state, cost, took, who, reason in table.rows:
        facts = f"{state}, {cost}, took {took}, by {who}"
        entries.add_row(started, Text.assemble((f"{service}  {step}", "bold"), f"\n{facts}\n", (reason, "dim")))
    out.print(entries)


async def _service_id(store: Store, word: str) -> str:
    known = {verdict.service_id: verdict.service for verdict in await store.last_verdicts()}
    for service_id, name in known.items():
        if word in {service_id, name}:
            return service_id
    names = ", ".join(sorted(known.values())) or "none yet"
    raise UsageError(f"'{word}' has not been looked at. Services known to this database: {names}.")


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
    return log_fields(verdict) | {"since": verdict.since, "last_seen": verdict.at}
