"""Durations in bins that grow by a tenth, and quantiles out of them."""

import math
from bisect import bisect_left

# From 1 ms to a little over 10 minutes; a quantile is right to within one bin, so to within 10 %.
BIN_GROWTH = 1.1
BIN_BOUNDS: tuple[float, ...] = tuple(0.001 * BIN_GROWTH**power for power in range(141))
BINS = len(BIN_BOUNDS) + 1  # the last one holds what is beyond the last bound


def quantile(share: float, counted: list[float], first: int, longest: float) -> float:
    """Nearest-rank quantile in seconds, spread evenly inside its bin.

    Args:
        share: which quantile, such as 0.95.
        counted: how many durations there are up to and in each bin, from bin number `first` on; at least one in all.
        first: number of the first of these bins.
        longest: the longest duration counted, in seconds; the result is never above it.
    """
    rank = max(1, math.ceil(share * counted[-1]))
    place = bisect_left(counted, rank)
    bin_number = first + place
    if bin_number == len(BIN_BOUNDS):
        return longest
    below = counted[place - 1] if place else 0.0
    low = BIN_BOUNDS[bin_number - 1] if bin_number else 0.0
    inside = (rank - below) / (counted[place] - below)
    value = low + (BIN_BOUNDS[bin_number] - low) * inside
    return min(longest, value)


def least_of_longest(counted: list[float], first: int) -> float:
    """Seconds that the longest duration took at least, by its bin: other processes tell the longest itself once a second only.

    Args:
        counted: how many durations there are up to and in each bin, from bin number `first` on; at least one in all.
        first: number of the first of these bins.
    """
    bin_number = first + bisect_left(counted, counted[-1])
    return BIN_BOUNDS[bin_number - 1] if bin_number else 0.0
