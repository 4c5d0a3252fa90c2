"""The short notation of a policy test's series: `2x60 9x30m _x5 (0x8h 4x10h 0x6h)`: what each poll shows, in order.

```
series = item , { item }
item   = ( value | "(" , series , ")" ) , [ "x" , count ]          (* the last one without a count goes on for ever *)
value  = number , [ unit ] , [ ("+" | "-") , number , [ unit ] ]    (* a ramp: so much more at each poll *)
       | "_" | "stale" | "timeout" | "refused" | "reset" | "login"  (* a poll without a report *)
count  = whole number                                                (* of polls *) | duration
```
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count, islice, repeat
from types import MappingProxyType

from autoscaler.core.durations import parse_duration
from autoscaler.core.metrics import UNITS, Dimension
from autoscaler.core.observations import Miss

MOST_POLLS = 1_000_000
"""Of one item; ten years of half hours."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A poll that gave no report. Without a reason there was no poll at all: nobody looked."""

    reason: Miss | None
    detail: str = ""


NOT_POLLED = Lost(None)
STALE = Lost(Miss.FROZEN, "the last report once more")
WORDS: Mapping[str, Lost] = MappingProxyType(
    {
        "_": NOT_POLLED,
        "stale": STALE,
        "timeout": Lost(Miss.TIMED_OUT, "no answer in time"),
        "refused": Lost(Miss.REFUSED, "connection refused"),
        "reset": Lost(Miss.RESET, "connection reset"),
        "login": Lost(Miss.MISCONFIGURED, "HTTP 302: a redirect to a login"),
    }
)
"""What may stand in any series: a poll is one report, so it is lost for all of them."""
Sample = float | Lost


@dataclass(frozen=True, slots=True)
class Item:
    """A value, a ramp or a group, so often (`polls`), or so long (`lasts`, ms), or, without both, for ever."""

    value: "Sample | tuple[Item, ...]"
    step: float = 0.0
    polls: int | None = None
    lasts: int | None = None

    def length(self, every: int) -> int | None:
        """Polls; None for ever. A duration counts the polls that begin in it."""
        if self.lasts is not None:
            return -(-self.lasts // every)
        if self.polls is None or not isinstance(self.value, tuple):
            return self.polls
        return self.polls * sum(item.length(every) or 0 for item in self.value)

    def samples(self, every: int) -> Iterator[Sample]:
        """One for each poll."""
        return islice(self._endless(every), self.length(every))

    def _endless(self, every: int) -> Iterator[Sample]:
        value = self.value
        if isinstance(value, tuple):
            return (sample for _ in count() for item in value for sample in item.samples(every))
        if isinstance(value, float) and self.step:
            return (max(0.0, value + self.step * number) for number in count())
        return repeat(value)


@dataclass(frozen=True, slots=True)
class Series:
    """What each poll shows of one metric. `text` is what stood in the file."""

    text: str
    items: tuple[Item, ...]

    def length(self, every: int) -> int:
        """Polls up to its end; what goes on for ever counts once."""
        return sum(1 if (length := item.length(every)) is None else length for item in self.items)

    def samples(self, every: int) -> Iterator[Sample]:
        """One for each poll; ends with the series."""
        return (sample for item in self.items for sample in item.samples(every))


_TOKEN = re.compile(
    r"""\s*(?:
        (?P<open>\() | (?P<close>\))
      | x\s*(?P<count>(?:\d+(?:\.\d+)?[smhdw])+|\d+) (?=$|[\s()]|x\s*\d)
      | (?P<value>(?P<number>\d+(?:\.\d+)?)(?P<unit>[A-Za-z%/]*?)
         (?:(?P<sign>[+-])(?P<step>\d+(?:\.\d+)?)(?P<step_unit>[A-Za-z%/]*?))?) (?=$|[\s()]|x\s*\d)
      | (?P<word>[a-z_]+?) (?=$|[\s()]|x\s*\d)
    )""",
    re.VERBOSE,
)


def parse_series(text: str, dimension: Dimension | None) -> Series:
    """The series of a metric of that dimension; of the polls themselves, without one: there a number is an HTTP status.

    Raises ValueError whose text says what is wrong and what to write instead.
    """
    items = _Parser(text, dimension).whole()
    if not items:
        raise ValueError("a series is empty: write values such as '2x60 9x1h'")
    *before, last = items
    before = [item if item.polls or item.lasts else Item(item.value, item.step, polls=1) for item in before]
    return Series(" ".join(text.split()), (*before, last))


class _Parser:
    def __init__(self, text: str, dimension: Dimension | None) -> None:
        self._text = text.rstrip()
        self._dimension = dimension
        self._at = 0

    def whole(self) -> list[Item]:
        """All items, the last one with its count only if one was written."""
        items = self._items(nested=0)
        if self._at < len(self._text):
            raise ValueError("a ')' closes nothing in this series")
        return items

    def _items(self, nested: int) -> list[Item]:
        items: list[Item] = []
        counted = True
        while self._at < len(self._text):
            token = self._next()
            if token["close"]:
                if not nested:
                    raise ValueError("a ')' closes nothing in this series")
                return items
            if token["count"]:
                if counted:
                    raise ValueError(f"'x{token['count']}' stands behind no value")
                items[-1] = _times(items[-1], token["count"])
                counted = True
                continue
            items.append(self._group(nested) if token["open"] else self._value(token))
            counted = False
        if nested:
            raise ValueError("a '(' is never closed in this series")
        return items

    def _group(self, nested: int) -> Item:
        if nested >= 8:
            raise ValueError("groups are nested too deep")
        inner = self._items(nested + 1)
        if not inner:
            raise ValueError("a group '()' is empty")
        once = (item if item.polls or item.lasts else Item(item.value, item.step, polls=1) for item in inner)
        return Item(tuple(once))

    def _next(self) -> dict[str, str]:
        found = _TOKEN.match(self._text, self._at)
        if found is None:
            word = self._text[self._at :].split()[0][:40]
            raise ValueError(f"'{word}' is no part of a series: write value x count, such as 9x120, 9x1h or 2+0.1x60")
        self._at = found.end()
        return found.groupdict(default="")

    def _value(self, token: dict[str, str]) -> Item:
        word = token["word"]
        if self._dimension is None:
            return Item(_status(token["value"] or word))
        if word == "nan":
            return Item(float("nan"))
        if word in WORDS:
            return Item(WORDS[word])
        if word:
            known = ", ".join(WORDS)
            raise ValueError(
                f"'{word}' is no value: write a number, nan, or for a poll without a report one of {known}"
            )
        start = _number(token["number"], token["unit"], self._dimension)
        if not token["step"]:
            return Item(start)
        step = _number(token["step"], token["step_unit"] or token["unit"], self._dimension)
        return Item(start, step if token["sign"] == "+" else -step)


def _times(item: Item, word: str) -> Item:
    if word.isdigit():
        polls = int(word) if len(word) < 10 else MOST_POLLS + 1
        if not 0 < polls <= MOST_POLLS:
            raise ValueError(f"'x{word[:20]}' is out of range: from once to {MOST_POLLS} times")
        return Item(item.value, item.step, polls=polls)
    return Item(item.value, item.step, lasts=parse_duration(word))


def _status(word: str) -> Sample:
    """One poll: `ok`, a word, or an HTTP status."""
    if word == "ok":
        return 1.0
    if word in WORDS:
        return WORDS[word]
    if re.fullmatch(r"[345]\d\d", word):
        return Lost(Miss.SERVER_ERROR if word[0] == "5" else Miss.MISCONFIGURED, f"HTTP {word}")
    raise ValueError(
        f"'{word}' is no way for a poll to end: write ok, an HTTP status such as 503, or {', '.join(WORDS)}"
    )


def _number(number: str, unit: str, dimension: Dimension) -> float:
    """In the base unit. Only memory has none that is clear without being written."""
    fitting = [name for name, (measures, _) in UNITS.items() if measures is dimension]
    if not unit:
        if dimension is Dimension.MEMORY:
            raise ValueError(f"'{number}' needs a unit: write {number}MB")
        return float(number)
    if unit not in fitting:
        takes = " or ".join(f"{number}{name}" for name in fitting) or f"{number}, a plain count"
        raise ValueError(f"'{number}{unit}' does not fit this metric: write {takes}")
    return float(number) * UNITS[unit][1]
