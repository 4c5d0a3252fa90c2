"""What was recorded of a service, wherever that was: the input of a backtest.

Times are ms UTC.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from autoscaler.core.observations import Missed, Observation, Reading

NAMED = 10
"""So many of the rows that can't be read are named one by one; all are counted."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """One row of a file that is no observation."""

    line: int
    what: str


@dataclass(frozen=True, slots=True)
class Span:
    """From `since` (inclusive) until `until` (exclusive); None is open."""

    since: int | None = None
    until: int | None = None

    def holds(self, at: int) -> bool:
        """Whether `at` lies in it."""
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True)
class Recording:
    """Observations in the order in which they are to be folded, and what was left out of them."""

    where: str
    """For people: `traces/elb.csv`, `the store`."""
    observations: Iterable[Observation]
    """Can be walked through more than once; never a generator."""
    polls: int
    begun: int
    """The first poll."""
    ended: int
    """The last poll."""
    every: int
    """How far apart the polls are: the median."""
    tier: str | None = None
    """On which rung the service ran at the beginning, where that was recorded."""
    bad_rows: int = 0
    first_bad: tuple[BadRow, ...] = ()
    notes: tuple[str, ...] = ()
    """What else was made of it: rows put in order, doubles left out."""


def recorded(
    where: str,
    observations: Sequence[Observation],
    *,
    tier: str | None = None,
    bad: Sequence[BadRow] = (),
    notes: Sequence[str] = (),
) -> Recording:
    """A recording of observations that are all at hand. Raises ValueError when there is no poll among them."""
    times = [one.at for one in observations if isinstance(one, Reading | Missed)]
    if not times:
        raise ValueError("there is no poll in it")
    return Recording(
        where,
        observations,
        len(times),
        min(times),
        max(times),
        cadence(times),
        tier,
        len(bad),
        tuple(bad[:NAMED]),
        tuple(notes),
    )


def cadence(times: Sequence[int]) -> int:
    """How far apart polls are, ms: the median gap. Of a single poll nobody can tell: a second."""
    gaps = sorted(later - earlier for earlier, later in pairwise(times) if later > earlier)
    return gaps[len(gaps) // 2] if gaps else 1000
