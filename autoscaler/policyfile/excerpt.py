"""The line of a problem, with a mark below its column, as compilers show it; never one that may hold a secret."""

import re
import unicodedata

_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""What YAML counts as the end of a line."""
_SECRETIVE = re.compile(
    r"token|secret|passw|api_?key|private|credential|authoriz|bearer|cookie|dsn|database_url|webhook|hooks\.slack"
    r"|xox[a-z]-|xapp-|rnd_|://[^/\s]*@|[?&][^=\s]+=",
    re.IGNORECASE,
)
_WIDEST = 100
"""Characters that are shown of a line."""


def lines_of(text: str) -> list[str]:
    """The text's lines as YAML counts them."""
    return _BREAK.split(text)


def excerpt(lines: list[str], line: int, column: int) -> tuple[str, str] | None:
    """The source line, and the mark that goes below it; None where there is nothing to show, or something to hide.

    `line` and `column` count from 1. What can't be printed stands as `?`, a tab as one blank.
    """
    if not 0 < line <= len(lines) or _may_hold_a_secret(lines, line - 1):
        return None
    source = lines[line - 1].removeprefix("\ufeff")
    if not source.strip():
        return None
    start = max(0, column - _WIDEST * 3 // 4) if len(source) > _WIDEST else 0
    shown = source[start : start + _WIDEST]
    clean = "".join(" " if letter == "\t" else letter if letter.isprintable() else "?" for letter in shown)
    before = clean[: max(0, column - 1 - start)]
    return clean.rstrip(), " " * sum(map(_width, before)) + "^"


def _may_hold_a_secret(lines: list[str], index: int) -> bool:
    """Whether the line, or one that it is nested in, speaks of a secret: what was written there by mistake is not repeated."""
    depth = len(lines[index])
    for line in reversed(lines[max(0, index - 50) : index + 1]):
        indent = len(line) - len(line.lstrip())
        if line.strip() and (indent < depth or line is lines[index]):
            depth = indent
            if speaks_of_a_secret(line):
                return True
    return False


def speaks_of_a_secret(text: str) -> bool:
    """Whether a name in it, or its form, is one that secrets have."""
    return _SECRETIVE.search(text) is not None


def _width(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in {"W", "F"} else 1
