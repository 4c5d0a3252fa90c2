"""`autoscaler doctor`: everything that a newcomer gets wrong, each with its fix."""

import asyncio
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import typer
from rich.text import Text

from autoscaler.bootstrap import examining
from autoscaler.cli.options import POLICIES, JsonOption, PoliciesOption
from autoscaler.cli.output import err, out, print_json
from autoscaler.engine.doctor.examination import examine
from autoscaler.engine.doctor.finding import Finding, State
from autoscaler.errors import ExitCode
from autoscaler.report.text import one_line
from autoscaler.settings import load_settings

PATIENCE = 5.0
"""Seconds that whoever is asked may take."""
MOST_ALIKE = 5
"""So many lines of one check are shown when all is well; of a fleet nobody reads more."""
_STATE = 9
_COLOURS = {State.OK: "green", State.WARNING: "bold yellow", State.WRONG: "bold red", State.SKIPPED: "dim"}


def doctor(policies: PoliciesOption = POLICIES, *, as_json: JsonOption = False) -> None:
    """Look at everything that has to be right, and say of each thing that is not how to fix it. Changes nothing.

    Policies, the Render key and what it opens, the services, their health endpoints, the database, the clock, and Slack: tokens,
    scopes, channels, buttons, approvers. Posts no message, makes no table. Exits 1 when something is wrong; warnings exit 0.
    """
    with err.status("Looking …"):
        findings = asyncio.run(_examine(policies))
    counts = Counter(one.state for one in findings)
    if as_json:
        print_json(_document(findings, counts))
    else:
        for lines in _drawn(findings, out.width):
            out.print(lines, soft_wrap=True)
        out.print(Text(f"\n{_wrapped('', _summary(counts), 0, out.width)}"), soft_wrap=True)
    if counts[State.WRONG]:
        raise typer.Exit(ExitCode.FAILED)


async def _examine(policies: Path) -> list[Finding]:
    async with examining(load_settings(), PATIENCE) as outside:
        return await examine(policies, outside)


def _drawn(findings: Sequence[Finding], width: int) -> Iterator[Text]:
    """How it is, what was looked at, what was found; the fix below it. Wrapped between words: addresses and commands stay whole."""
    column = max(len(one.check) for one in findings)
    for one in _folded(findings):
        about = f"{one_line(one.about)}: " if one.about else ""
        head = f"{one.state:<{_STATE}}{one.check:<{column}}  "
        lines = Text(_wrapped(head, f"{about}{one_line(one.text)}", len(head), width))
        lines.stylize(_COLOURS[one.state], 0, len(one.state))
        lines.stylize("bold", len(head), len(head) + len(about))
        yield lines
        if one.fix:
            yield Text(_wrapped(" " * _STATE + "→ ", one_line(one.fix), _STATE + 2, width), style="cyan")


def _wrapped(head: str, text: str, indent: int, width: int) -> str:
    return textwrap.fill(
        text,
        max(width, indent + 20),
        initial_indent=head,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _folded(findings: Sequence[Finding]) -> Iterator[Finding]:
    """Of very many alike that are well, the first few, and how many more there are."""
    fine = Counter(one.check for one in findings if one.state is State.OK)
    shown = Counter[str]()
    for one in findings:
        if one.state is not State.OK or fine[one.check] <= MOST_ALIKE:
            yield one
            continue
        shown[one.check] += 1
        if shown[one.check] < MOST_ALIKE:
            yield one
        elif shown[one.check] == MOST_ALIKE:
            yield Finding(one.check, State.OK, f"and {fine[one.check] - MOST_ALIKE + 1} more")


def _summary(counts: Counter[State]) -> str:
    warnings = counts[State.WARNING]
    doubts = f", {warnings} warning{'' if warnings == 1 else 's'}" if warnings else ""
    if counts[State.WRONG]:
        return f"{counts[State.WRONG]} wrong{doubts}. Nothing was changed. Follow the arrows, then run it again."
    return f"Nothing is wrong{doubts}. Nothing was changed." if doubts else "All is well. Nothing was changed."


def _document(findings: Sequence[Finding], counts: Counter[State]) -> dict[str, object]:
    return {
        "ok": not counts[State.WRONG],
        "counts": {str(state): counts[state] for state in State},
        "findings": [
            {"check": one.check, "about": one.about, "state": str(one.state), "text": one.text, "fix": one.fix}
            for one in findings
        ],
    }
