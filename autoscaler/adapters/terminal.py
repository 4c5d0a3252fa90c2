"""Messages in the terminal, as they would look in Slack: for those who have no Slack app, and for the demo."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Literal, TextIO

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from autoscaler.errors import UnavailableError
from autoscaler.ports import Delivery, Event, EventKind
from autoscaler.report.messages import SIGNS, Message, Tone
from autoscaler.report.text import clean, one_line

BOT = "Render Autoscaler"
_COLOURS = MappingProxyType(
    {Tone.NOTICE: "blue", Tone.PROGRESS: "cyan", Tone.GOOD: "green", Tone.BAD: "red", Tone.ASK: "yellow"}
)
_SUBSTITUTES = MappingProxyType(
    {
        "┃": "|",
        "↳": ">",
        "→": "->",
        "·": "-",
        "…": "...",
        "•": "*",
        "💬": "[i]",
        "🔧": "[~]",
        "✅": "[ok]",
        "🚨": "[!]",
        "✋": "[?]",
    }
)
"""What stands for our own signs where the stream's encoding has none."""


class TerminalNotifier:
    """Prints to `stream`, in colour only on a terminal and without NO_COLOR. `width` in columns; by default the terminal's own."""

    def __init__(self, stream: TextIO, *, width: int | None = None) -> None:
        colours: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"
        self._console = Console(file=stream, width=width, color_system=colours)
        self._on_screen: str | None = None
        """The thread that was printed last: a reply to another one says which."""

    async def deliver(self, delivery: Delivery) -> str | None:
        """Print one event, indented when it belongs to a thread. Raises UnavailableError when the stream is closed.

        What is printed can't be edited: a change of the first message is told by what follows it.
        """
        if delivery.event.kind is EventKind.HEAD:
            return None
        try:
            self._print(delivery)
        except (OSError, ValueError) as error:  # a broken pipe; a closed file is a ValueError
            raise UnavailableError(f"the terminal can't be written to: {error}") from error
        return f"terminal:{delivery.event.id}"

    def _print(self, delivery: Delivery) -> None:
        event, message = delivery.event, delivery.event.message
        bar = (f"{self._writable('┃')} ", _COLOURS[message.tone])
        body = list(self._body(message))
        title = f"{SIGNS[message.tone]} {one_line(message.title)}", "bold" if body else ""
        if delivery.parent is None:
            self._console.print()
            self._console.print(self._place(event, f"{BOT}  {_time(event)}"))
            self._lines([self._text(title), *body], *bar)
        else:
            if event.thread != self._on_screen:
                self._console.print()
                self._console.print(self._place(event, f"in the thread of change {one_line(event.thread or '')}"))
            first = self._text((f"{_time(event)}  ", "dim"), title)
            self._lines([first], f"  {self._writable('↳')} ", "dim", "    ")
            self._lines(body, f"    {bar[0]}", bar[1])
        self._on_screen = event.thread

    def _lines(self, parts: list[RenderableType], prefix: str, style: str, hanging: str | None = None) -> None:
        """Each line behind its prefix; `hanging` is the prefix of all but the first."""
        room = self._console.options.update(width=max(20, self._console.width - cell_len(prefix)))
        for part in parts:
            for line in self._console.render_lines(part, room, pad=False):
                text = Text.assemble((prefix, style), *((bit.text, bit.style or "") for bit in line), end="")
                text.rstrip()
                self._console.print(text, no_wrap=True, overflow="ignore", crop=False, end="\n")
                prefix = hanging or prefix

    def _body(self, message: Message) -> Iterator[RenderableType]:
        for line in message.lines:
            yield self._text((clean(line), ""))
        if message.fields:
            grid = Table.grid(padding=(0, 2, 0, 0))
            grid.add_column(no_wrap=True)
            grid.add_column(overflow="fold")
            for label, value in message.fields:
                grid.add_row(self._text((one_line(label), "dim")), self._text((clean(value), "")))
            yield Text()
            yield grid
        if context := one_line(message.context):
            yield Text()
            yield self._text((context, "dim"))

    def _place(self, event: Event, who: str) -> Text:
        return self._text((one_line(event.channel or "default channel"), "bold"), (f"  {who}", "dim"))

    def _text(self, *parts: tuple[str, str]) -> Text:
        return Text.assemble(*((self._writable(text), style) for text, style in parts))

    def _writable(self, text: str) -> str:
        """What the stream's encoding can hold: a console in ASCII is no reason to lose a message."""
        encoding = self._console.encoding
        if encoding.startswith("utf"):
            return text
        spelled = "".join(_SUBSTITUTES.get(character, character) for character in text)
        return spelled.encode(encoding, "replace").decode(encoding)


def _time(event: Event) -> str:
    return f"{datetime.fromtimestamp(event.at / 1000, UTC):%H:%M} UTC"
