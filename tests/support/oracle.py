"""The plain way, O(n) a question: every sample is kept and looked at again. What `core.window` must equal."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from math import ceil

Sample = tuple[int, bool]
"""When, ms; and whether it was good."""


def prometheus_for(samples: Sequence[Sample], window: int) -> list[bool]:
    """After each sample: whether an alert with `for: window` fires. Active since the first good sample of the last run of them."""
    answers = []
    active: int | None = None
    for at, good in samples:
        active = None if not good else at if active is None else active
        answers.append(active is not None and at - active >= window)
    return answers


def share_of_closed_window(samples: Sequence[Sample], window: int, share: float) -> bool:
    """Whether the window is over, and at least that share of the samples in [last - window, last] is good."""
    last = samples[-1][0]
    inside = [good for at, good in samples if at >= last - window]
    needed = ceil(Fraction(str(share)) * len(inside))
    return last - samples[0][0] >= window and sum(inside) >= needed


def lost(times: Sequence[int], now: int, window: int, every: int) -> int:
    """Polls swallowed by the gaps that ended in the closed window, and by the one that lasts."""
    gaps = [(later, later - earlier) for earlier, later in pairwise(times) if later >= now - window]
    return sum(max(0, round(gap / every) - 1) for _, gap in (*gaps, (now, now - times[-1])))


def longest_gap(times: Sequence[int], now: int, window: int) -> int:
    """The longest time without a sample within the window, ms."""
    return max(
        (later - max(earlier, now - window) for earlier, later in pairwise((*times, now)) if later > now - window),
        default=0,
    )


def pooled(samples: Sequence[tuple[int, float, float]], now: int, window: int) -> tuple[float, float]:
    """The two sums over the half-open window (now - window, now]."""
    inside = [(over, under) for at, over, under in samples if now - window < at <= now]
    return sum(over for over, _ in inside), sum(under for _, under in inside)


def percentile_is_above(values: Sequence[float], percent: int, bound: float) -> bool:
    """`pNN > bound`: more than the rest of the samples lie above it."""
    above = sum(value > bound for value in values)
    return above > Fraction(100 - percent, 100) * len(values)
