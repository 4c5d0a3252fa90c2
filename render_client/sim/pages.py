"""Query strings and pages as Render has them: cursors, comma-joined or repeated lists, times."""

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from render_client.sim.clock import parse_timestamp
from render_client.sim.state import Json, Refused

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
T = TypeVar("T")
_CURSOR_PREFIX = b"simulatr"  # recorded cursors have eight constant bytes before the position


@dataclass(frozen=True, slots=True)
class Query:
    """The parameters of a request, every value of each."""

    values: Mapping[str, tuple[str, ...]]

    def one(self, name: str) -> str | None:
        """The last value of a parameter."""
        return self.values[name][-1] if self.values.get(name) else None

    def many(self, name: str) -> frozenset[str]:
        """All values of a list parameter: official Go clients join by commas, the Python one repeats the key."""
        return frozenset(part for value in self.values.get(name, ()) for part in value.split(",") if part)

    def moment(self, name: str) -> int | None:
        """A time in ms.

        Raises:
            Refused: 400, it is no RFC 3339 time.
        """
        text = self.one(name)
        if text is None:
            return None
        try:
            return parse_timestamp(text)
        except (ValueError, OverflowError):
            raise Refused(400, f"invalid {name}: not an RFC 3339 time") from None

    def limit(self) -> int:
        """How many items a page has.

        Raises:
            Refused: 400, not a number from 1 to 100.
        """
        text = self.one("limit")
        if text is None:
            return DEFAULT_LIMIT
        if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= MAX_LIMIT):
            raise Refused(400, f"invalid limit: from 1 to {MAX_LIMIT}")
        return int(text)

    def during(self, name: str, instant: int | None) -> bool:
        """Whether an instant lies between `<name>After` and `<name>Before`; without one only if neither is asked."""
        after, before = self.moment(f"{name}After"), self.moment(f"{name}Before")
        if instant is None:
            return after is None and before is None
        return (after is None or instant > after) and (before is None or instant < before)


def cursor(sequence: int) -> str:
    """The opaque cursor of an item."""
    return base64.urlsafe_b64encode(_CURSOR_PREFIX + f"{sequence:016d}".encode()).decode()


def page(query: Query, name: str, items: Iterable[tuple[int, T]], body: Callable[[T], Json]) -> list[Json]:
    """One page of items, newest first, each with its cursor; an item comes with its place in the order.

    The cursor is a position and not an item, so a page is right even if its last item has been deleted meanwhile.

    Raises:
        Refused: 400, the limit or the cursor is not one of ours.
    """
    start = _position(query)
    limit = query.limit()
    left = [(sequence, item) for sequence, item in items if start is None or sequence < start]
    left.sort(key=lambda pair: -pair[0])
    return [{"cursor": cursor(sequence), name: body(item)} for sequence, item in left[:limit]]


def _position(query: Query) -> int | None:
    text = query.one("cursor")
    if not text:
        return None
    try:
        content = base64.urlsafe_b64decode(text.encode())
        if content.startswith(_CURSOR_PREFIX):
            return int(content.removeprefix(_CURSOR_PREFIX))
    except (ValueError, binascii.Error):
        pass
    raise Refused(400, "invalid cursor")
