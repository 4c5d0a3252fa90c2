"""What the demo shows: a story that scrolls, and below it, live, how far each rule's window is."""

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from autoscaler.core.change import Change, JournalEntry
from autoscaler.core.durations import format_duration
from autoscaler.core.metrics import find_metric
from autoscaler.core.policy import Tier
from autoscaler.core.values import format_value
from autoscaler.report.units import bar, monthly, monthly_step

if TYPE_CHECKING:
    from autoscaler.cli.demo.processes import Stage

INDENT = "   "
PLAIN_EVERY = 3.0
"""Seconds between progress lines where there is no terminal to redraw."""


class Screen:
    """Prints to standard output; redraws only on a terminal."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._began = time.monotonic()
        self._live: Live | None = None
        self._printed = 0.0
        self._acts = 0
        self._problems: list[str] = []

    @property
    def message_width(self) -> int:
        """Columns that a message has here."""
        return self._console.width - len(INDENT)

    def opening(self, scene: "Stage") -> None:
        """Who plays."""
        small, large = scene.policy.tiers
        self.act("A local Render", f"runs the sample app at {scene.app_url} on {small.plan}.")
        for tier in (small, large):
            env = ", ".join(f"{name}={value}" for name, value in list(tier.env.items())[1:3])
            self._aside(f"{tier.name:<7} {tier.plan:<9} {monthly(tier.monthly):>7}   {env} …")
        where = (
            "Slack" if scene.environment.get("SLACK_BOT_TOKEN") else "this terminal, since there is no SLACK_BOT_TOKEN"
        )
        self._aside(f"The bot asks {scene.health} every second. Its messages go to {where}.")

    def act(self, title: str, text: str) -> None:
        """The next part of the story."""
        self._acts += 1
        self._console.print()
        self._say(Text.assemble((f"{self._acts}. {title}: ", "bold"), text))

    def note(self, text: str) -> None:
        """Small print."""
        self._say(Text(text, style="dim"))

    @contextmanager
    def live(self) -> Iterator[None]:
        """Redraw the rules' progress below the story while this lasts."""
        if not sys.stdout.isatty():
            yield
            return
        with Live(console=self._console, refresh_per_second=4, transient=True) as live:
            self._live = live
            try:
                yield
            finally:
                self._live = None

    def message(self, line: str) -> None:
        """One line of what the bot tells the team."""
        self._console.print(Text.from_ansi(INDENT + line))

    def typed(self, command: str) -> None:
        """What somebody types."""
        self._console.print(Text.assemble(INDENT, ("$ ", "dim"), (command, "bold")))

    def logged(self, line: str) -> None:
        """One log line of the worker: a pass moves the bars, a warning is shown."""
        try:
            fields = json.loads(line)
        except ValueError:
            self._problems.append(line)
            return
        if "conditions" in fields:
            self._progress(fields)
        elif fields.get("level") in {"warning", "error"}:
            self._say(Text(f"worker: {fields.get('message')}", style="yellow"))

    def confirmed(self, tier: Tier, count: int) -> None:
        """The app itself says what it runs with."""
        text = f"The app itself confirms: {tier.plan}, and all {count} env values of {tier.name}."
        self._say(Text.assemble(("✔ ", "bold green"), text))

    def failed(self, reason: str) -> None:
        """Why the demo did not hold."""
        self._console.print()
        for line in self._problems[-15:]:
            self._aside(f"worker: {line}")
        self._console.print(Text.assemble(("✘ The demo failed: ", "bold red"), reason))

    def summary(
        self, changes: Sequence[Change], journals: Mapping[str, Sequence[JournalEntry]], memory: int | None
    ) -> None:
        """Each decision with its reason, what was changed, what it costs, and what the bot itself took."""
        self.act("What happened", f"{len(changes)} changes in {self._elapsed():.0f} s.")
        for change in changes:
            live = format_duration((change.live_at or change.created_at) - change.created_at)
            writes = [entry.step for entry in journals[change.id] if "→" not in entry.step]
            table = Table.grid(padding=(0, 2))
            table.add_row("   why", change.reason)
            table.add_row("   done", f"{len(writes)} calls: {writes[0]}, … {writes[-1]}; live after {live}")
            table.add_row("   cost", monthly_step(change.origin.monthly, change.target.monthly))
            table.add_row("   result", change.outcome)
            self._console.print(Text(f"   {change.origin.tier} → {change.target.tier}", style="bold"))
            self._console.print(table)
        if memory is not None:
            self._aside(f"The worker's peak memory: {memory / 1024**2:.0f} MB.")
        self._console.print(Text.assemble(("✔ ", "bold green"), "The app's own health endpoint confirmed every step."))

    def _progress(self, fields: Mapping[str, Any]) -> None:
        if self._live is not None:
            self._live.update(self._bars(fields))
        elif fields["why"] != "change_open" and time.monotonic() - self._printed >= PLAIN_EVERY:
            self._printed = time.monotonic()
            self._say(Text(str(fields["sentence"]), style="dim"))

    def _bars(self, fields: Mapping[str, Any]) -> Group:
        table = Table.grid(padding=(0, 2))
        for rule in fields["conditions"]:
            metric = find_metric(rule["condition"].partition(" ")[0])
            value = "-" if rule["value"] is None or metric is None else format_value(metric, rule["value"])
            style = "bold yellow" if rule["holds"] else ""
            table.add_row(
                f"   {rule['role']}",
                rule["condition"],
                Text(value, justify="right"),
                Text(bar(rule["held"], 12), style=style),
                Text(rule["lacking"] or "", style="dim"),
            )
        title = Text.assemble(self._clock(), (f"on {fields['tier'] or '?'}: ", "bold"), fields["why"].replace("_", " "))
        return Group(Text(), title, table)

    def _say(self, text: Text) -> None:
        """One line of the story; what does not fit goes on below it, clear of the clock."""
        self._row(self._clock(), text)

    def _aside(self, text: str) -> None:
        """Small print without a time."""
        self._row(Text(INDENT), Text(text, style="dim"))

    def _row(self, margin: Text, text: Text) -> None:
        row = Table.grid()
        row.add_column(no_wrap=True)
        row.add_column()
        row.add_row(margin, text)
        self._console.print(row)

    def _clock(self) -> Text:
        return Text(f"{self._elapsed():4.0f}s ", style="cyan")

    def _elapsed(self) -> float:
        return time.monotonic() - self._began
