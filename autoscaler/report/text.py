"""Text that came from outside, made safe to show: no escape sequences, no invisible direction changes, no run-on length.

Markup is not handled here: what must be escaped differs by channel and belongs to its adapter.
"""

import re
from collections.abc import Callable

_ESCAPES = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-~]")
"""Terminal escape sequences (ECMA-48): operating system commands, control sequences, two-character escapes."""
_INVISIBLE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]"  # control characters, line separators, lone surrogates, no characters
    "|[\u202a-\u202e\u2066-\u2069\ufeff]"  # direction overrides: `txt.exe` may read as something else
)


def clean(text: str) -> str:
    """The text without escape sequences and control characters; line feeds stay."""
    plain = _ESCAPES.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " "))
    return _INVISIBLE.sub("", plain)


def one_line(text: str) -> str:
    """The cleaned text on one line: what a name or a log line may hold."""
    return " ".join(clean(text.replace("\u2028", " ").replace("\u2029", " ")).split())


def cut(text: str, limit: int, size: Callable[[str], int] = len) -> str:
    """At most `limit` long, ended at a word by `…` where something is left out.

    `size` measures one character as the channel will count it (an escaped `&` is five).
    """
    room, used, fits = limit - size("…"), 0, 0
    for position, character in enumerate(text):
        used += size(character)
        if used <= room:
            fits = position + 1
        if used > limit:
            break
    else:
        return text
    kept = text[:fits]
    word_end = max(kept.rfind(" "), kept.rfind("\n"))
    if word_end >= fits * 3 // 4:  # a long word is cut in its middle rather than leave a quarter empty
        kept = kept[:word_end]
    return kept.rstrip(" \n\u200d,;:·") + "…"
