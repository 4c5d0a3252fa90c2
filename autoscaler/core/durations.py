"""`1h30m` and back. Inside, every duration is whole milliseconds."""

import re

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY
NEVER = 1 << 62
"""A time that does not come; before its negative nothing was."""

_UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)")

PATTERN = r"(?:\d+(?:\.\d+)?[smhdw])+"
"""A duration, as part of a larger expression."""


def parse_duration(text: str) -> int:
    """Milliseconds of `30s`, `15m`, `1h30m`, `7d`, `2w`.

    Raises ValueError with what to write instead.
    """
    word = text.strip()
    if re.fullmatch(r"\d+(?:\.\d+)?", word):
        raise ValueError(f"'{word}' has no unit: write {word}s, {word}m, {word}h, {word}d or {word}w")
    if not re.fullmatch(PATTERN, word):
        raise ValueError(f"'{word}' is no duration: write a number and s, m, h, d or w, such as 30s, 15m or 1h30m")
    total = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(word))
    if not 0 < total <= 366 * DAY:
        raise ValueError(f"'{word}' is out of range: more than nothing, and at most 366d")
    return round(total)


def format_duration(milliseconds: float) -> str:
    """The two largest units, seconds only below a minute: `1h 30m`, `45s`, `0s`; below ten seconds with one decimal if it has one."""
    total = max(0, round(milliseconds))
    if total < 10 * SECOND:
        return f"{total / SECOND:.1f}".rstrip("0").rstrip(".") + "s"
    parts = []
    for unit, size in (("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND)):
        count, total = divmod(total, size)
        if count:
            parts.append(f"{count}{unit}")
        if len(parts) == 2 or (parts and unit == "m"):
            break
    return " ".join(parts)
