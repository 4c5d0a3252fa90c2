"""`autoscaler status`: the fleet in one table, once or live."""

import asyncio
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from autoscaler.adapters.clock import SystemClock
from autoscaler.bootstrap import opened_store
from autoscaler.cli.options import JsonOption
from autoscaler.cli.output import drawn, out, print_json
from autoscaler.core.change import OPEN, Change, State
from autoscaler.core.durations import MINUTE, SECOND, format_duration, parse_duration
from autoscaler.core.facts import Pause
from autoscaler.core.guards import Verdict
from autoscaler.errors import ExitCode, UsageError
from autoscaler.ports import Heartbeat, Store
from autoscaler.report import pauses, tables
from autoscaler.report.answers import waits
from autoscaler.report.explain import explain
from autoscaler.report.explain_json import document
from autoscaler.settings import load_settings

SILENT_AFTER = MINUTE
"""A worker gives a sign of life every five seconds; a cron job's passes are further apart, and then this is true as well."""
WIDE = 120
"""Columns from which on every service is one line."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """All that one look at the store shows."""

    at: int
    verdicts: tuple[Verdict, ...]
    plans: dict[str, str]
    beats: tuple[Heartbeat, ...]
    changes: tuple[Change, ...]
    pauses: tuple[tuple[str, Pause], ...] = ()
    """Those in force, with the service's name."""
    asked: tuple[Change, ...] = ()
    """About which somebody has yet to say yes or no."""

    @property
    def silence(self) -> int | None:
        """How long ago a worker last gave a sign of life, ms; None: never."""
        return self.at - self.beats[0].at if self.beats else None


def status(
    *,
    as_json: JsonOption = False,
    alive: Annotated[
        str | None,
        typer.Option(
            help="Exit 1 unless a worker gave a sign of life within this time, such as 60s: for health checks."
        ),
    ] = None,
    watch: Annotated[
        bool,
        typer.Option("--watch", "-w", help="Keep showing it, until Ctrl-C. Without a terminal it is printed once."),
    ] = False,
    every: Annotated[str, typer.Option(help="How often --watch looks, such as 2s.")] = "2s",
) -> None:
    """Show every service: its tier, what it needs now, what the bot decided and why, and what comes next.

    Reads the worker's database (DATABASE_URL); asks neither Render nor the apps.
    """
    within, pause = _duration("--alive", alive) if alive else None, _duration("--every", every)
    if watch and out.is_terminal and not as_json:
        asyncio.run(_watch(pause))
        return
    fleet = asyncio.run(_look())
    if as_json:
        print_json(_document(fleet))
    else:
        out.print(_screen(fleet, out))
    if within is not None and (fleet.silence is None or fleet.silence > within):
        raise typer.Exit(ExitCode.FAILED)


def _duration(option: str, text: str) -> int:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


async def _watch(pause: int) -> None:
    """Until it is interrupted; each picture is drawn over the last one in one write."""
    async with opened_store(load_settings(), read_only=True) as store:
        with Live(_screen(await _fleet(store), out), console=out, auto_refresh=False) as live:
            while True:
                await asyncio.sleep(pause / SECOND)
                live.update(_screen(await _fleet(store), out), refresh=True)


async def _look() -> Fleet:
    async with opened_store(load_settings(), read_only=True) as store:
        return await _fleet(store)


async def _fleet(store: Store) -> Fleet:
    verdicts = await store.last_verdicts()
    seen = {verdict.service_id: await store.tier_changes(verdict.service_id) for verdict in verdicts}
    now = SystemClock().now()
    paused = [(verdict.service, await store.paused(verdict.service_id)) for verdict in verdicts]
    return Fleet(
        at=now,
        verdicts=tuple(verdicts),
        plans={service_id: changes[-1].plan for service_id, changes in seen.items() if changes},
        beats=tuple(await store.heartbeats()),
        changes=tuple(await store.changes(states=sorted(OPEN))),
        asked=tuple(await store.changes(states=(State.PROPOSED,))),
        pauses=tuple((name, one) for name, one in paused if one and (one.until is None or now < one.until)),
    )


def _screen(fleet: Fleet, console: Console) -> RenderableType:
    table = tables.fleet(fleet.verdicts, fleet.plans, fleet.at)
    shown = table if console.width >= WIDE else tables.stacked(table)
    under_way = (
        Text(f"Under way: {change.service}: {change.origin.tier} → {change.target.tier}, {change.state} ({change.id})")
        for change in fleet.changes
    )
    asked = (
        Text(waits(change, fleet.at, f"`autoscaler approve {change.id}`, or `reject`."), style="bold yellow")
        for change in fleet.asked
    )
    paused = (Text(pauses.sentence(name, pause, fleet.at), style="bold yellow") for name, pause in fleet.pauses)
    return Group(
        drawn(shown, empty="No service has been looked at yet: start `autoscaler run`."),
        *under_way,
        *asked,
        *paused,
        _worker(fleet),
    )


def _worker(fleet: Fleet) -> Text:
    age = fleet.silence
    if age is None:
        return Text("No worker has run on this database yet: start `autoscaler run`.", style="bold yellow")
    mode = ", in dry run" if fleet.beats[0].dry_run else ""
    if age > SILENT_AFTER:
        silent = f"No worker is running: the last sign of life is {format_duration(age)} old{mode}."
        return Text(f"{silent} Start `autoscaler run`.", style="bold yellow")
    return Text(f"Worker: last sign of life {format_duration(age)} ago{mode}.", style="dim")


def _document(fleet: Fleet) -> dict[str, object]:
    return {
        "workers": [
            {"name": beat.worker, "age_seconds": (fleet.at - beat.at) / SECOND, "dry_run": beat.dry_run}
            for beat in fleet.beats
        ],
        "services": [document(explain(one, plan=fleet.plans.get(one.service_id))) for one in fleet.verdicts],
        "open_changes": [
            {"id": change.id, "service": change.service, "state": change.state} for change in fleet.changes
        ],
        "asked": [
            {"id": one.id, "service": one.service, "from": one.origin.tier, "to": one.target.tier, "reason": one.reason}
            for one in fleet.asked
        ],
        "pauses": [pauses.document(name, pause) for name, pause in fleet.pauses],
    }
