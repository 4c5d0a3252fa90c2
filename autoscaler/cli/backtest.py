"""`autoscaler backtest`: a policy against recorded history, on paper."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from autoscaler.adapters.recordings import read_lines, read_store, read_table, write_lines
from autoscaler.adapters.recordings.columns import EXAMPLE, parse_columns
from autoscaler.bootstrap import asking, opened_store
from autoscaler.cli.options import JsonOption
from autoscaler.cli.output import out, print_json, print_table
from autoscaler.core.backtest import Backtest, differences
from autoscaler.core.durations import parse_duration
from autoscaler.core.observations import EnvSeen, Overridden
from autoscaler.core.policy import Policy
from autoscaler.core.recording import Recording, Span
from autoscaler.engine.backtest import rehearse, render_recording
from autoscaler.errors import UsageError
from autoscaler.policyfile import load_file
from autoscaler.report import backtests
from autoscaler.report.page import page
from autoscaler.settings import load_settings

SHOWN = 40
"""Verdicts that a terminal is told; `--json` and `--html` have all."""

FromStore = Annotated[bool, typer.Option("--from-store", help="What the worker has recorded (DATABASE_URL).")]
FromRender = Annotated[
    str | None,
    typer.Option("--from-render", help="What Render itself measured for so long, such as 30d (RENDER_API_KEY)."),
]
Lines = Annotated[
    Path | None,
    typer.Option(
        "--jsonl",
        help="One JSON object a line: a report of the health endpoint as it comes, or an observation as --export writes it.",
    ),
]
TableFile = Annotated[Path | None, typer.Option("--csv", help="A table with a header line, and --columns.")]
ColumnMap = Annotated[
    str | None,
    typer.Option(
        "--columns",
        help=f"What the table's columns are, NAME=HEADER:UNIT: '{EXAMPLE}'. NAME is time, a metric, or a count of each row "
        "(requests, errors, response_seconds, cpu_seconds, cache_hits, cache_lookups; with :total a counter that only rises).",
    ),
]
Tier = Annotated[
    str | None, typer.Option("--tier", help="The rung to begin on; else the recorded one, or the smallest.")
]
Since = Annotated[
    str | None,
    typer.Option(
        "--since",
        help="From this time on, ISO 8601, UTC unless it has a zone. Beyond 30 days the store has one reading an hour.",
    ),
]
Until = Annotated[str | None, typer.Option("--until", help="Before this time.")]
Page = Annotated[Path | None, typer.Option("--html", help="Also write a page with charts into this file.")]
Export = Annotated[
    Path | None, typer.Option("--export", help="Also write the recording into this file, as --jsonl reads it.")
]
Compare = Annotated[
    tuple[Path, Path] | None, typer.Option("--compare", help="Two policies side by side, instead of POLICY.")
]


@dataclass(frozen=True, slots=True)
class Source:
    """Where the recording is."""

    store: bool
    render: int | None
    """How far back, ms."""
    lines: Path | None
    table: Path | None
    columns: str | None
    span: Span

    def check(self) -> None:
        """Raises UsageError unless there is exactly one."""
        named = sum((self.store, *(one is not None for one in (self.render, self.lines, self.table))))
        if named != 1:
            raise UsageError(
                "Say where the history is, once: --from-store (the worker's database), --from-render 30d, --jsonl FILE, or "
                f"--csv FILE --columns '{EXAMPLE}'."
            )
        if (self.table is None) != (self.columns is None):
            raise UsageError(f"--csv and --columns belong together: --csv FILE --columns '{EXAMPLE}'.")


def backtest(  # noqa: PLR0913 - each is an option of the command line
    policy: Annotated[Path | None, typer.Argument(help="The policy file.")] = None,
    *,
    from_store: FromStore = False,
    from_render: FromRender = None,
    jsonl: Lines = None,
    csv: TableFile = None,
    columns: ColumnMap = None,
    tier: Tier = None,
    since: Since = None,
    until: Until = None,
    html: Page = None,
    export: Export = None,
    compare: Compare = None,
    as_json: JsonOption = False,
) -> None:
    """Play recorded history to a policy: every verdict and change with its reason, time in breach, cost. Changes nothing.

    The engine is the live one. Open-loop: what was recorded stays as it was, whatever the policy would have done about it.
    Asks that need a yes are taken as answered at once, and counted.
    """
    if (policy is None) == (compare is None):
        raise UsageError("Name one policy file, or two after --compare.")
    files = [load_file(path) for path in (compare or (policy,)) if path is not None]
    source = Source(
        from_store, _length(from_render), jsonl, csv, columns, Span(_time(since, "--since"), _time(until, "--until"))
    )
    source.check()
    recording = asyncio.run(_recording(source, files[0].policy))
    if export is not None:
        told = (
            one for one in recording.observations if not isinstance(one, Overridden | EnvSeen)
        )  # values may be anybody's
        write_lines(export, told)
    done = [rehearse(file.path, file.policy, recording, tier=tier, curves=html is not None) for file in files]
    found = differences(done[0], done[1]) if compare else ()
    if html is not None:
        _write(html, page(done, found))
    if as_json:
        print_json(backtests.compared((done[0], done[1]), found) if compare else backtests.document(done[0]))
        return
    _print(done)
    if compare:
        out.print("\n[bold]Where they differ[/bold]")
        print_table(backtests.differing((done[0], done[1]), found), empty="They ran the same tiers all along.")
    for path in filter(None, (html, export)):
        out.print(f"\nWritten: {path}", markup=False)


async def _recording(source: Source, policy: Policy) -> Recording:
    if source.table is not None:
        return read_table(source.table, parse_columns(source.columns or "", policy.vocabulary), source.span)
    if source.lines is not None:
        return read_lines(source.lines, policy.vocabulary, source.span)
    if source.render is not None:
        async with asking(load_settings()) as parts:
            now = parts.clock.now()
            since = now - source.render if source.span.since is None else source.span.since
            return await render_recording(parts.render, policy, Span(since, source.span.until), now)
    async with opened_store(load_settings(), read_only=True) as store:
        return await read_store(store, store.address.where, policy, source.span)


def _length(text: str | None) -> int | None:
    try:
        return parse_duration(text) if text is not None else None
    except ValueError as problem:
        raise UsageError(f"--from-render: {problem}.") from None


def _time(text: str | None, option: str) -> int | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option}: '{text}' is no time: write it as 2026-06-01 or 2026-06-01T08:00Z.") from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} can't be written: {error.strerror}.") from None


def _print(done: Sequence[Backtest]) -> None:
    for one in done:
        out.print(f"[bold]{'Backtest'}[/bold] ", end="")
        out.print(backtests.headline(one), markup=False)
        for remark in backtests.remarks(one):
            out.print(remark, markup=False, style="dim")
    out.print(backtests.OPEN_LOOP, markup=False, style="yellow")
    out.print()
    print_table(backtests.summary(done), empty="")
    for one in done:
        name = f": {one.name}" if len(done) > 1 else ""
        out.print(f"\nChanges{name}", style="bold", markup=False)
        print_table(backtests.changes(one), empty="It would have changed nothing.")
        if len(done) == 1:
            _print_verdicts(one)


def _print_verdicts(done: Backtest) -> None:
    out.print("\n[bold]Verdicts[/bold]")
    table = backtests.verdicts(done)
    for since, sentence in table.rows[:SHOWN]:
        out.print(f"{since}  {sentence}", markup=False)
    if len(table.rows) > SHOWN:
        out.print(f"… and {len(table.rows) - SHOWN} more: --json and --html have them all.", markup=False)
