"""How commands print: tables for people, JSON for machines."""

import json
import sys

from rich.console import Console, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from autoscaler.report.tables import Table

out = Console(highlight=False, soft_wrap=False)
err = Console(stderr=True, highlight=False, soft_wrap=True)

_COLOURS = {
    "steady": "green",
    "done": "green",
    "watching": "green",
    "failed": "red",
    "undone": "red",
    "yes": "bold yellow",
}


def drawn(table: Table, *, empty: str) -> RenderableType:
    """As wide as the terminal is; `empty` says what to do when there is nothing to show."""
    if not table.rows:
        return Text(empty)
    is_stacked = any("\n" in cell for row in table.rows for cell in row)
    picture = RichTable(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for header in table.headers:
        picture.add_column(header, overflow="fold")
    for row in table.rows:
        picture.add_row(*(Text(f"{cell}\n" if is_stacked else cell, style=_COLOURS.get(cell, "")) for cell in row))
    return picture


def print_table(table: Table, *, empty: str) -> None:
    """Draw it on standard output."""
    out.print(drawn(table, empty=empty))


def print_json(value: object) -> None:
    """One JSON document on standard output, never wrapped or coloured."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False, allow_nan=False)
    sys.stdout.write("\n")
