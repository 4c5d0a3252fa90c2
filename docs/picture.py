"""Makes the picture in the README from a real run: a terminal's output with its colours becomes an SVG.

FORCE_COLOR=1 COLUMNS=100 make -s demo | .venv/bin/python docs/picture.py docs/demo.svg
"""

import io
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

WIDTH = 104
FORMAT = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {terminal_width} {terminal_height}">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: {char_height}px; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>{lines}</defs>
<rect fill="#15191e" width="{terminal_width}" height="{terminal_height}" rx="8"/>
<g transform="translate(9, 9)" clip-path="url(#{unique_id}-clip-terminal)">{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""
"""Without a window frame and without a font from elsewhere."""


def main() -> None:
    """Standard input into the file that the first argument names."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for line in sys.stdin.read().splitlines():
        console.print(Text.from_ansi(line), soft_wrap=True)
    console.print()
    picture = console.export_svg(theme=DIMMED_MONOKAI, code_format=FORMAT, unique_id="demo")
    Path(sys.argv[1]).write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
