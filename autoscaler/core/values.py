"""A metric's value as people write it: 8.2s, 412 MB, 5.3%, $25."""

from types import MappingProxyType

from autoscaler.core.metrics import UNITS, Dimension, Metric

_SIZES: MappingProxyType[Dimension, tuple[tuple[str, float], ...]] = MappingProxyType(
    {
        Dimension.TIME: (("min", 120), ("s", 1), ("ms", 0)),
        Dimension.MEMORY: ((" GB", UNITS["GB"][1]), (" MB", UNITS["MB"][1]), (" KB", 0)),
        Dimension.SHARE: (("%", 0),),
        Dimension.CORES: ((" cores", 0),),
        Dimension.RATE: (("/s", 0),),
    }
)
"""The units to show, largest first, each with the least value (base units) that it is used for."""


def format_value(metric: Metric, value: float, digits: int = 3) -> str:
    """A metric's value (base units) in the unit that suits its size, to `digits` significant digits."""
    if metric.dimension is Dimension.MONEY:
        return format_dollars(value)
    if metric.dimension is Dimension.COUNT:
        return _number(value, digits)
    sizes = _SIZES[metric.dimension]
    unit = next((name for name, least in sizes if value >= least), sizes[-1][0])
    return _number(value / UNITS[unit.strip()][1], digits) + unit


def _number(value: float, digits: int) -> str:
    decimals = max(0, digits - len(f"{abs(value):.0f}"))
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def format_dollars(amount: float) -> str:
    """`$25`, `$12.50`, `-$18`."""
    size = f"{abs(amount):.2f}".removesuffix(".00")
    return f"-${size}" if amount < 0 else f"${size}"
