"""`autoscaler status`: the fleet in one table."""

import asyncio
from typing import Annotated

import typer

from autoscaler.adapters.clock import SystemClock
from autoscaler.bootstrap import opened_store
from autoscaler.cli.options import JsonOption
from autoscaler.cli.output import err, out, print_json, print_table
from autoscaler.core.change import OPEN
from autoscaler.core.durations import MINUTE, format_duration, parse_duration
from autoscaler.errors import ExitCode, UsageError
from autoscaler.ports import Store
from autoscaler.report import tables
from autoscaler.report.sentences import log_fields
from autoscaler.settings import load_settings

SILENT_AFTER = MINUTE
"""A worker gives a sign of life every five seconds; a cron job's passes are further apart, and then this is true as well."""


def status(
    *,
    as_json: JsonOption = False,
    alive: Annotated[
        str | None,
        typer.Option(
            help="Exit 1 unless a worker gave a sign of life within this time, such as 60s: for health checks."
        ),
    ] = None,
) -> None:
    """Show every service: its tier, what it needs now, what the bot decided and why, and what comes next.

    Reads the worker's database (DATABASE_URL); asks neither Render nor the apps.
    """
    try:
        within = parse_duration(alive) if alive else None
    except ValueError as error:
        raise UsageError(f"--alive: {error}") from None
    if not asyncio.run(_status(as_json=as_json, within=within)):
        raise typer.Exit(ExitCode.FAILED)


async def _status(*, as_json: bool, within: int | None) -> bool:
    """Print it; whether a worker lives, as far as that was asked."""
    now = SystemClock().now()
    async with opened_store(load_settings(), read_only=True) as store:
        verdicts = await store.last_verdicts()
        beats = await store.heartbeats()
        changes = await store.changes(states=sorted(OPEN))
        plans = await _plans(store, [verdict.service_id for verdict in verdicts])
    age = now - beats[0].at if beats else None
    is_alive = age is not None and (within is None or age <= within)
    if as_json:
        document = {
            "workers": [
                {"name": beat.worker, "age_seconds": (now - beat.at) / 1000, "dry_run": beat.dry_run} for beat in beats
            ],
            "services": [log_fields(verdict) | {"plan": plans.get(verdict.service_id)} for verdict in verdicts],
            "open_changes": [{"id": change.id, "service": change.service, "state": change.state} for change in changes],
        }
        print_json(document)
    else:
        print_table(
            tables.fleet(verdicts, plans, now), empty="No service has been looked at yet: start `autoscaler run`."
        )
        for change in changes:
            out.print(
                f"Under way: {change.service}: {change.origin.tier} → {change.target.tier}, {change.state} ({change.id})",
                markup=False,
            )
        _print_worker(age, dry_run=bool(beats and beats[0].dry_run))
    return within is None or is_alive


async def _plans(store: Store, service_ids: list[str]) -> dict[str, str]:
    seen = {service_id: await store.tier_changes(service_id) for service_id in service_ids}
    return {service_id: changes[-1].plan for service_id, changes in seen.items() if changes}


def _print_worker(age: int | None, *, dry_run: bool) -> None:
    if age is None:
        err.print("No worker has run on this database yet: start `autoscaler run`.", markup=False)
        return
    mode = ", in dry run" if dry_run else ""
    if age > SILENT_AFTER:
        text = (
            f"No worker is running: the last sign of life is {format_duration(age)} old{mode}. Start `autoscaler run`."
        )
        out.print(text, style="bold yellow", markup=False)
    else:
        out.print(f"Worker: last sign of life {format_duration(age)} ago{mode}.", markup=False)
