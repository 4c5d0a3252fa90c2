"""Makes the pictures in slack.md from real messages: the Block Kit that the bot sends, drawn as Slack shows it.

.venv/bin/python docs/slack_picture.py
"""

import base64
import re
import textwrap
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from autoscaler.adapters.pictures import png
from autoscaler.adapters.slack.blocks import blocks
from autoscaler.report.messages import Message
from autoscaler.report.reason_svg import svg
from tests.support.slack_story import Told, story

WIDTH, LEFT, COLUMNS = 760, 76, 76
INK, FAINT, LINE = "#1d1c1d", "#616061", "#dddddd"
SIGNS = {"✋": "#e8912d", "✅": "#2bac76", "🔧": "#36c5f0", "💬": "#9b9b9b", "🚨": "#e01e5a"}
"""The font has no emoji: a dot of the same colour stands for each."""
STYLES = {"primary": ("#007a5a", "#ffffff"), "danger": ("#e01e5a", "#ffffff")}


class Canvas:
    """Draws from the top down."""

    def __init__(self) -> None:
        self.y = 24
        self.parts: list[str] = []

    def text(self, words: str, size: int = 15, *, bold: bool = False, colour: str = INK, x: int = LEFT) -> None:
        """One line; a sign before it becomes a dot."""
        for sign, tint in SIGNS.items():
            if words.startswith(sign):
                self.parts.append(f'<circle cx="{x + 8}" cy="{self.y - 5}" r="7" fill="{tint}"/>')
                x, words = x + 24, words.removeprefix(sign).strip()
        weight = 600 if bold else 400
        self.parts.append(
            f'<text x="{x}" y="{self.y}" font-size="{size}" font-weight="{weight}" fill="{colour}">{escape(words)}</text>'
        )

    def paragraph(self, words: str, **how: Any) -> None:
        """Wrapped."""
        for line in words.splitlines():
            for piece in textwrap.wrap(line, COLUMNS) or [""]:
                self.text(piece, **how)
                self.y += 22

    def block(self, block: dict[str, Any], picture: bytes | None) -> None:
        """One of Slack's."""
        match block:
            case {"type": "header", "text": {"text": words}}:
                self.text(_plain(words), 19, bold=True)
                self.y += 28
            case {"type": "section", "text": {"text": words}}:
                self.paragraph(_plain(words))
                self.y += 4
            case {"type": "section", "fields": fields}:
                self._fields(fields)
            case {"type": "image"} if picture is not None:
                data = base64.b64encode(picture).decode()
                self.parts.append(
                    f'<image x="{LEFT}" y="{self.y - 12}" width="440" height="231" href="data:image/png;base64,{data}"/>'
                    f'<rect x="{LEFT}" y="{self.y - 12}" width="440" height="231" rx="6" fill="none" stroke="{LINE}"/>'
                )
                self.y += 248
            case {"type": "context", "elements": [{"text": words}]}:
                self.text(_plain(words), 12, colour=FAINT)
                self.y += 24
            case {"type": "actions", "elements": elements}:
                self._buttons(elements)

    def _fields(self, fields: list[dict[str, str]]) -> None:
        top, lowest = self.y, self.y
        for number, field in enumerate(fields):
            label, _, value = _plain(field["text"]).partition("\n")
            self.y = top if number % 2 else lowest
            top = self.y
            x = LEFT + 320 * (number % 2)
            self.text(label.strip("*"), bold=True, x=x)
            for line in value.splitlines():
                self.y += 21
                self.text(line, x=x)
            lowest = max(lowest, self.y + 26)
        self.y = lowest

    def _buttons(self, elements: list[dict[str, Any]]) -> None:
        x = LEFT
        for element in elements:
            label = (element.get("text") or element["placeholder"])["text"]
            is_menu = "options" in element
            paper, ink = STYLES.get(element.get("style", ""), ("#ffffff", INK))
            width = 9 * len(label) + (48 if is_menu else 26)
            middle = x + (width - 20 * is_menu) / 2
            self.parts.append(
                f'<rect x="{x}" y="{self.y - 14}" width="{width}" height="34" rx="5" fill="{paper}" stroke="#c8c8c8"/>'
                f'<text x="{middle}" y="{self.y + 8}" font-size="14" font-weight="600" fill="{ink}" text-anchor="middle">{escape(label)}</text>'
            )
            if is_menu:
                self.parts.append(
                    f'<path d="M{x + width - 26} {self.y}l6 7l6-7" fill="none" stroke="{INK}" stroke-width="2"/>'
                )
            x += width + 10
        self.y += 40


def draw(told: list[Told], *, buttons: bool) -> str:
    """A thread as one SVG."""
    canvas = Canvas()
    for number, one in enumerate(told):
        if number == 1:
            canvas.parts.append(
                f'<line x1="{LEFT}" y1="{canvas.y}" x2="{WIDTH - 30}" y2="{canvas.y}" stroke="{LINE}"/>'
            )
            canvas.y += 30
        canvas.parts.append(
            f'<rect x="24" y="{canvas.y - 14}" width="36" height="36" rx="6" fill="#1d2733"/>'
            f'<path d="M32 {canvas.y + 12}v-8h7v-7h7v-7" fill="none" stroke="#ffffff" stroke-width="3"/>'
        )
        canvas.text("Render Autoscaler", bold=True)
        canvas.text(f"APP   {one.at}", 12, colour=FAINT, x=LEFT + 148)
        canvas.y += 24
        for block in blocks(one.message, buttons=buttons, picture="F1" if number == 0 else None):
            canvas.block(block, _picture(told[0].message))
        canvas.y += 14
    height = canvas.y
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" font-family="Inter">'
        f'<rect width="{WIDTH}" height="{height}" rx="10" fill="#ffffff"/>{"".join(canvas.parts)}</svg>'
    )


def _picture(message: Message) -> bytes | None:
    return None if message.chart is None else png(svg(message.chart))


def _plain(words: str) -> str:
    for entity, character in (("&gt;", ">"), ("&lt;", "<"), ("&amp;", "&")):
        words = words.replace(entity, character)
    return re.sub(r"\s+$", "", words)


def pictures() -> Iterator[tuple[str, str]]:
    """Each file's name and its SVG."""
    asked, thread = story()
    yield "slack-question.png", draw([asked], buttons=True)
    yield "slack-thread.png", draw(thread, buttons=True)


if __name__ == "__main__":
    for name, drawn in pictures():
        (Path(__file__).parent / name).write_bytes(png(drawn))
