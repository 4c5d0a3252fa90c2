"""The value of a condition in words, and how far its window is."""

import re
from math import isfinite

from autoscaler.core.durations import PATTERN, format_duration, parse_duration
from autoscaler.core.evaluate import Progress
from autoscaler.core.metrics import UNITS, Dimension, Kind, Metric, find_metric
from autoscaler.core.values import format_value
from autoscaler.report.text import one_line

BOUND = re.compile(rf"\s*(?P<op>>=|<=|>|<)\s*(?P<number>\d[\d_]*(?:\.\d+)?)\s*(?P<unit>{'|'.join(UNITS)})?")
_COUNTED = re.compile(rf"(?P<op>>=|>)\s*(?P<number>\d[\d_]*)\s+within\s+(?P<window>{PATTERN})")
_WINDOW = re.compile(rf"\b(?:for|within|over)\s+({PATTERN})")


def value_phrase(progress: Progress) -> str:
    """Its value in the unit that suits it, `9.4s`; `-` when there is none that anybody could read."""
    if progress.value is None or not isfinite(progress.value):
        return "-"
    found = BOUND.search(one_line(progress.condition))
    dimension, bound = bound_of(found) if found else (Dimension.COUNT, None)
    metric = find_metric(progress.metric) or Metric(progress.metric, dimension, Kind.GAUGE, "")
    return format_value(metric, progress.value) if bound is None else _beside(metric, progress.value, bound)


def bound_of(found: re.Match[str]) -> tuple[Dimension, float]:
    """What the condition compares with, in base units, and what that measures."""
    dimension, size = UNITS[found["unit"]] if found["unit"] else (Dimension.COUNT, 1.0)
    return dimension, float(found["number"]) * size


def _beside(metric: Metric, value: float, bound: float) -> str:
    """With more digits where three would show the bound itself: `8.002s > 8s`, never `8s > 8s`."""
    short = format_value(metric, value)
    return format_value(metric, value, digits=5) if short == format_value(metric, bound) else short


def held_words(progress: Progress) -> str:
    """How far it is, in its own terms: `12m of 30m`, `1 of 3 in 24h`, `yes`."""
    if counted := _COUNTED.search(progress.condition):
        needed = int(counted["number"].replace("_", "")) + (counted["op"] == ">")
        count = progress.value if progress.value is not None and isfinite(progress.value) else 0
        return f"{count:.0f} of {needed} in {counted['window']}"
    lengths = _WINDOW.findall(progress.condition)
    if not lengths:
        return "yes" if progress.holds else "no"
    window = parse_duration(lengths[-1])  # of `mean(… over 10m) > 80% for 1h` it is the hour that is held
    needed = window * progress.patience
    share = min(max(progress.held, 0.0), 1.0) if isfinite(progress.held) else 0.0
    return f"{_short(share * needed)} of {_short(needed)}"


def patience_phrase(progress: Progress) -> str:
    """Why its window is longer than the policy says; empty when it is not."""
    lengths = _WINDOW.findall(progress.condition)
    if progress.patience == 1 or not lengths:
        return ""
    return f"instead of {_short(parse_duration(lengths[-1]))}, since the last down failed"


def _short(milliseconds: float) -> str:
    return format_duration(milliseconds).replace(" ", "")
