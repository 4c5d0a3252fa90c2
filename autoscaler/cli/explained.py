"""An explanation on the screen: what `explain` and `check` share. Reads the same with and without colours, from 80 columns on."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from autoscaler.core.durations import MINUTE, format_duration
from autoscaler.core.evaluate import Ask, Role
from autoscaler.core.guards import Blocker
from autoscaler.policyfile.excerpt import speaks_of_a_secret
from autoscaler.report.explain import Explanation, Rule, Way
from autoscaler.report.sentences import WORDS, blocker_sentence, verdict_sentence
from autoscaler.report.text import one_line
from autoscaler.report.trends import COLUMNS, sparkline
from autoscaler.report.units import format_moment, format_time, monthly, monthly_difference, monthly_step

SILENT_AFTER = 15 * MINUTE
"""A poll that long ago was the last of a worker that has stopped, also where a cron job makes them."""
_TITLES = {Role.EMERGENCY: "EMERGENCY", Role.UP: "UP", Role.DOWN: "DOWN"}
_INDENT, _BETWEEN = 2, 2
"""Columns before a group's lines, and between its cells."""
_NARROWEST = 16
"""Columns that the sentence of a rule keeps, however narrow the terminal is."""


def local_time(at: int) -> datetime:
    """A time of ours on the clock of whoever reads it."""
    return datetime.fromtimestamp(at / 1000, UTC).astimezone()


def draw(explanation: Explanation, console: Console) -> None:
    """Print all of it."""
    for part in (_head(explanation), *_kept(explanation), *_ways(explanation, console), *_alerts(explanation, console)):
        console.print(part)
        console.print()


def _head(explanation: Explanation) -> RenderableType:
    verdict = explanation.verdict
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    if verdict.blind:
        grid.add_row("No reading", Text(one_line(verdict.blind)))
    grid.add_row("Verdict", Text(verdict_sentence(verdict), style="bold"))
    since = f"{format_time(verdict.since, verdict.at)}, {format_duration(verdict.at - verdict.since)} ago"
    grid.add_row("Since", Text("now" if verdict.since >= verdict.at else since))
    for number, blocker in enumerate(verdict.blockers, start=1):
        grid.add_row("Blocked by" if number == 1 else "", Text(f"{number}. {blocker_sentence(blocker, verdict.at)}"))
    if verdict.leak:
        grid.add_row("Leak?", Text(one_line(verdict.leak), style="bold yellow"))
    if verdict.ask is not Ask.HOLD:
        grid.add_row("Earliest", Text(_earliest(explanation)))
    grid.add_row("Cost", Text(_cost(explanation)))
    if explanation.polled_at is not None:
        grid.add_row("Last poll", _last_poll(verdict.at - explanation.polled_at))
    place = " on ".join(filter(None, (one_line(verdict.tier or "no tier of its policy"), explanation.plan)))
    title = Text.assemble((one_line(verdict.service), "bold"), f"  {verdict.service_id}  {place}")
    return Group(title, Text(), grid)


def _kept(explanation: Explanation) -> Iterator[RenderableType]:
    """The lines that make what somebody set the policy's own."""
    if not explanation.kept:
        return
    yield Text.assemble(
        ("KEPT", "bold"), " what somebody set, until the policy file is edited; to make it the policy's own:"
    )
    lines = [f"{name}: {value}" for name, value in explanation.kept]
    hidden = "(not shown: it looks like a secret)"
    shown = [
        hidden if speaks_of_a_secret(line) else one_line(value)
        for line, (_, value) in zip(lines, explanation.kept, strict=True)
    ]
    values = ", ".join(f"{name}: {value}" for (name, _), value in zip(explanation.kept, shown, strict=True))
    yield Padding(
        Text(f"env: {{{values}}}   # under `- name: {one_line(explanation.verdict.tier or '')}`"), (0, 0, 0, _INDENT)
    )


def _earliest(explanation: Explanation) -> str:
    """Of what is asked for; its blockers have just been named."""
    verdict = explanation.verdict
    if verdict.goes:
        return "now"
    if verdict.not_before is not None:
        return format_moment(verdict.not_before, verdict.at, local_time(verdict.not_before))
    if not any(blocker.why.needs_a_person for blocker in verdict.blockers):
        return "nobody can say: no clock ends what blocks it"
    known = max((blocker.until for blocker in verdict.blockers if blocker.until is not None), default=None)
    if known is None:
        return "when a person has acted, as said above"
    return f"{format_moment(known, verdict.at, local_time(known))}, if a person has acted by then"


def _last_poll(age: int) -> Text:
    if age <= SILENT_AFTER:
        return Text(f"{format_duration(age)} ago")
    return Text(f"{format_duration(age)} ago: is the worker running? `autoscaler status` says.", style="bold yellow")


def _cost(explanation: Explanation) -> str:
    before, after = explanation.verdict.monthly_now, explanation.verdict.monthly_then
    if before is None:
        return "not known: it runs on no tier of the policy"
    return monthly(before) if after is None else monthly_step(before, after)


def _ways(explanation: Explanation, console: Console) -> Iterator[RenderableType]:
    for way in explanation.ways:
        title = Text.assemble((_TITLES[way.role], "bold"), _title(way, explanation))
        table = [_rules(way.rules, explanation, console)] if way.rules else []  # a schedule asks without a rule
        yield Group(title, *table, *_footers(way, explanation))


def _title(way: Way, explanation: Explanation) -> str:
    now = explanation.verdict.monthly_now
    parts = [f" to {one_line(way.target)}" if way.target else ""]
    if way.monthly is not None:
        difference = "" if now is None else f" ({monthly_difference(now, way.monthly)})"
        parts.append(f", {monthly(way.monthly)}{difference}")
    wanted = "" if len(way.rules) < 2 else ": all of these" if way.wants_all else ": any of these"
    return "".join((*parts, wanted))


def _footers(way: Way, explanation: Explanation) -> Iterator[RenderableType]:
    if way.asked:
        yield _aside("This is what is asked for; the verdict above says what becomes of it.")
        return
    if way.blockers is not None:
        yield _aside(_in_the_way(way.blockers, explanation.verdict.at))
    yield _aside(f"Earliest: {_when(way, explanation)}")


def _in_the_way(blockers: Sequence[Blocker], now: int) -> str:
    if not blockers:
        return "No guard would be in the way."
    parts = []
    for blocker in blockers:
        numbers = [one_line(blocker.detail)] if blocker.detail else []
        numbers += [f"until {format_time(blocker.until, now)}"] if blocker.until else []
        parts.append(WORDS[blocker.why].short + (f" ({', '.join(numbers)})" if numbers else ""))
    return f"A guard would hold it: {'; '.join(parts)}."


def _when(way: Way, explanation: Explanation) -> str:
    """Of what nobody asks for yet."""
    now, blockers, waits_for = explanation.verdict.at, way.blockers or (), way.waits_for
    if way.not_before is not None:
        moment = format_moment(way.not_before, now, local_time(way.not_before))
        return f"{moment}{_provided(way, waits_for)}" if waits_for else moment
    person = next((one for one in blockers if one.why.needs_a_person), None)
    if person is not None:
        return f"when a person acts. {WORDS[person.why].action}"
    endless = next((one for one in blockers if one.until is None), None)
    if endless is not None:
        return f"nobody can say. {WORDS[endless.why].action}"
    return f"nobody can say, it waits for {one_line(waits_for.condition)}." if waits_for else "nobody can say."


def _provided(way: Way, rule: Rule) -> str:
    sentence = one_line(rule.condition)
    if way.wants_all:
        return f", if all go on; last comes {sentence}" if rule.builds else f", if it begins now: {sentence}"
    return f", if it goes on: {sentence}" if rule.builds else f", if it begins now: {sentence}"


def _alerts(explanation: Explanation, console: Console) -> Iterator[RenderableType]:
    if explanation.alerts:
        title = Text.assemble(("ALERTS", "bold"), ": told, never a step of their own")
        yield Group(title, _rules(explanation.alerts, explanation, console))


def _rules(rules: Sequence[Rule], explanation: Explanation, console: Console) -> RenderableType:
    """All groups share the widths of their columns, so that the eye can go down them."""
    every = [rule for way in explanation.ways for rule in way.rules] + list(explanation.alerts)
    widths = {
        "": 1,
        "rule": _widest("rule", *(line for rule in every for line in _sentence(rule).plain.splitlines())),
        "now": _widest("now", *(rule.shown for rule in every)),
        "trend": COLUMNS if any(rule.trend for rule in every) else 0,
        "held": _widest("held", *(rule.held_words for rule in every)),
        "seen": len("100%"),
    }
    shown = {header: width for header, width in widths.items() if width}
    spare = console.width - _INDENT - _BETWEEN * (len(shown) - 1) - sum(shown.values())
    shown["rule"] = max(_NARROWEST, shown["rule"] + min(0, spare))
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, _BETWEEN, 0, 0))
    for header, width in shown.items():
        table.add_column(header, width=width, overflow="fold")
    for rule in rules:
        cells = {
            "": Text("*" if rule.holds else "-", style="bold yellow" if rule.holds else "dim"),
            "rule": _sentence(rule),
            "now": Text(rule.shown),
            "trend": Text(_picture(rule, console)),
            "held": Text(rule.held_words),
            "seen": Text(f"{int(rule.covered * 100)}%"),
        }
        table.add_row(*(cells[header] for header in shown))
    return Padding(table, (0, 0, 0, _INDENT), expand=False)


def _widest(*texts: str) -> int:
    return max(map(cell_len, texts))


def _picture(rule: Rule, console: Console) -> str:
    return sparkline(rule.trend, ascii_only=not console.encoding.startswith("utf")) if rule.trend else ""


def _sentence(rule: Rule) -> Text:
    text = Text(one_line(rule.condition), style="bold" if rule.holds else "")
    for more in (rule.lacking, rule.longer):
        if more:
            text.append(f"\n{one_line(more)}", style="not bold dim")
    return text


def _aside(words: str) -> RenderableType:
    return Padding(Text(words), (0, 0, 0, _INDENT), expand=False)
