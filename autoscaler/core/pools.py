"""Sums over trailing windows, for ratios and means: a bounded number of buckets, whatever the window.

A running total and what it was where the window begins are all it takes: their difference is the sum. Totals are whole
millionths, so that no rounding piles up and a replay that begins elsewhere comes to the same sum.
"""

from collections import deque
from collections.abc import Mapping

from autoscaler.core.durations import NEVER

BUCKETS = 360
"""How finely a pooled window slides: by a 360th of its length, or by one sample where those are further apart."""
MILLIONTHS = 1_000_000


def exact(amount: float) -> int:
    """An amount in whole millionths; nothing for what is no amount."""
    try:
        return round(amount * MILLIONTHS)
    except (OverflowError, ValueError):  # infinite, or no number
        return 0


Mark = tuple[int, tuple[int, ...]]
"""A time, ms, and the running totals up to there."""


class Tail:
    """Where a trailing window begins: what the running totals were then. Slides by buckets, of which a bounded number is kept.

    The window is half open: an increase at its very start belongs to the time before. A bucket leaves with its last sample.
    """

    __slots__ = ("_begins", "_buckets", "_leaves", "before", "step", "turns_at", "window")

    def __init__(self, window: int) -> None:
        self.window = window
        self.step = max(1, window // BUCKETS)
        self.before: tuple[int, ...] = ()
        """The totals of all that lies before the window."""
        self.turns_at = 0
        """Until then no bucket begins or leaves: `slide` would change nothing."""
        self._begins = 0
        self._leaves = NEVER
        self._buckets: deque[Mark] = deque()
        """For each bucket but the first of the window the last sample before it, and the totals up to there."""

    def slide(self, at: int, until_now: Mark) -> None:
        """Move on to `at`; `until_now` is the last sample before it, and the totals up to there."""
        buckets = self._buckets
        if at >= self._begins:
            self._begins = at + self.step - at % self.step
            if not buckets:
                self._leaves = until_now[0] + self.window
            buckets.append(until_now)
        if at >= self._leaves:
            gone = at - self.window
            while buckets and buckets[0][0] <= gone:
                self.before = buckets.popleft()[1]
            self._leaves = buckets[0][0] + self.window if buckets else NEVER
        self.turns_at = self._begins if self._begins < self._leaves else self._leaves  # noqa: FURB136 - each sample comes here, and `min` takes three times as long

    def __len__(self) -> int:
        """How many buckets are kept."""
        return len(self._buckets) + 1


class Pool:
    """Two sums over a trailing window, with totals of their own."""

    __slots__ = ("_last", "_totals", "tail")

    def __init__(self, window: int) -> None:
        self._totals = [0, 0]
        self._last = -NEVER
        self.tail = Tail(window)

    def add(self, at: int, over: int, under: int) -> None:
        """One sample's two increases."""
        if at >= self.tail.turns_at:
            self.tail.slide(at, (self._last, tuple(self._totals)))
        self._last = at
        self._totals[0] += over
        self._totals[1] += under

    def sums(self, now: int) -> tuple[int, int]:
        """(over, under) of the half-open window that ends at `now`."""
        if now >= self.tail.turns_at:
            self.tail.slide(now, (self._last, tuple(self._totals)))
        before = self.tail.before
        return self._totals[0] - before[0], self._totals[1] - before[1]


class Ledger:
    """What each counter rose by since the windows began, and where each trailing window begins: kept once for all conditions."""

    __slots__ = ("_places", "_tails", "is_complete", "last", "totals")

    def __init__(self) -> None:
        self.totals: list[int] = []
        self.last = -NEVER
        """When the last reading came."""
        self.is_complete = False
        """Whether it told every counter."""
        self._places: dict[str, int] = {}
        self._tails: dict[int, Tail] = {}

    def place(self, counter: str) -> int:
        """Where `totals` has that counter. All are asked for before the first reading."""
        if counter not in self._places:
            self._places[counter] = len(self.totals)
            self.totals.append(0)
        return self._places[counter]

    def tail(self, window: int) -> Tail:
        """Where that window begins."""
        return self._tails.setdefault(window, Tail(window))

    def add(self, at: int, increases: Mapping[str, float]) -> None:
        """One reading."""
        totals = self.totals
        until_now: Mark | None = None
        for tail in self._tails.values():
            if at >= tail.turns_at:
                if until_now is None:
                    until_now = (self.last, tuple(totals))
                tail.slide(at, until_now)
        told = True
        for counter, place in self._places.items():
            amount = increases.get(counter)
            if amount is None:
                told = False
            elif amount:
                try:
                    totals[place] += round(amount * MILLIONTHS)  # `exact`, without the call
                except (OverflowError, ValueError):
                    told = False
        self.last, self.is_complete = at, told


class Ratio:
    """Two counters of the ledger over one trailing window, as one condition takes them.

    It may count more than the ledger has (a poll that timed out), or less (a reading that is no evidence for it).
    """

    __slots__ = ("_own_until", "ledger", "over", "own", "tail", "under")

    def __init__(self, ledger: Ledger, over: str, under: str, window: int) -> None:
        self.ledger = ledger
        self.tail = ledger.tail(window)
        self.over = ledger.place(over)
        self.under = ledger.place(under)
        self.own: Pool | None = None
        """What this one counts otherwise than the ledger; None when nothing of that lies in its window."""
        self._own_until = 0

    def amend(self, at: int, over: int, under: int) -> None:
        """Count so many millionths more at `at`, or fewer."""
        self.own = self.own or Pool(self.tail.window)
        self.own.add(at, over, under)
        self._own_until = at + self.tail.window + self.tail.step

    def leave_out(self, at: int, over: float | None, under: float | None) -> None:
        """Take back what the ledger was just told of `at`."""
        if over or under:
            self.amend(at, -exact(over or 0.0), -exact(under or 0.0))

    def sums(self, now: int) -> tuple[int, int]:
        """(over, under) of the half-open window that ends at `now`, in millionths."""
        tail, totals = self.tail, self.ledger.totals
        if now >= tail.turns_at:
            tail.slide(now, (self.ledger.last, tuple(totals)))
        before = tail.before
        over, under = totals[self.over] - before[self.over], totals[self.under] - before[self.under]
        if self.own is not None:
            if now >= self._own_until:
                self.own = None
            else:
                more = self.own.sums(now)
                return over + more[0], under + more[1]
        return over, under
