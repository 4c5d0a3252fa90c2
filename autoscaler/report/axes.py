"""The axes of a chart."""

from math import floor, log10

from autoscaler.core.metrics import UNITS, Dimension, Metric


def ceiling_of(metric: Metric, value: float) -> float:
    """The next round number above, with a little room; of memory in the unit that it is shown in."""
    unit = 1.0
    if metric.dimension is Dimension.MEMORY:
        unit = next((UNITS[name][1] for name in ("GB", "MB") if value >= UNITS[name][1]), UNITS["KB"][1])
    least = value / unit * 1.05
    if least <= 0:
        return unit
    size = 10.0 ** floor(log10(least))
    return unit * next(size * step for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if size * step >= least)
