"""Render's instance plans: CPU, memory, price.

No endpoint lists them, so they are written down here: names and sizes from Render's platform guides, prices (USD a month
and instance) from its price page as of October 2026. A tier may state its own `price`.
"""

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Plan:
    """One instance type. `memory` in bytes, `cpu` in cores, `price` in USD a month and instance."""

    name: str
    cpu: float
    memory: int
    price: float


_GB = 1024**3
_TABLE = (
    Plan("starter", 0.5, _GB // 2, 7),
    Plan("standard", 1, 2 * _GB, 25),
    Plan("pro", 2, 4 * _GB, 85),
    Plan("2c-8g", 2, 8 * _GB, 135),
    Plan("2c-16g", 2, 16 * _GB, 200),
    Plan("pro_plus", 4, 8 * _GB, 175),
    Plan("pro_max", 4, 16 * _GB, 225),
    Plan("4c-32g", 4, 32 * _GB, 350),
    Plan("8c-16g", 8, 16 * _GB, 300),
    Plan("pro_ultra", 8, 32 * _GB, 450),
    Plan("8c-64g", 8, 64 * _GB, 1000),
    Plan("12c-24g", 12, 24 * _GB, 450),
    Plan("12c-48g", 12, 48 * _GB, 800),
    Plan("12c-96g", 12, 96 * _GB, 1500),
)
_ALIASES = {
    "0.5c-512mb": "starter",
    "1c-2g": "standard",
    "2c-4g": "pro",
    "4c-8g": "pro_plus",
    "4c-16g": "pro_max",
    "8c-32g": "pro_ultra",
    "pro plus": "pro_plus",  # how a Blueprint spells them
    "pro max": "pro_max",
    "pro ultra": "pro_ultra",
}

PLANS = MappingProxyType({plan.name: plan for plan in _TABLE})
"""Every plan that may stand in a ladder, by its canonical name. Free, custom and legacy plans are not scale targets."""

SPELLINGS = (*PLANS, *_ALIASES)


def canonical(name: str) -> str:
    """The one spelling of a plan that has two (Render's API may echo either); an unknown name stays as it is."""
    return _ALIASES.get(name, name)


def find_plan(name: str) -> Plan | None:
    """The plan of that name in either spelling, or None: an unknown plan is never acted on, and never a crash."""
    return PLANS.get(canonical(name))


def same_plan(one: str, other: str) -> bool:
    """Whether two spellings mean one plan."""
    return canonical(one) == canonical(other)


def is_smaller(one: str, other: str) -> bool | None:
    """Whether the one plan has less than the other, of CPU or memory and more of neither; None where sizes do not tell."""
    here, there = find_plan(one), find_plan(other)
    if here is None or there is None:
        return None
    cpu, memory = there.cpu - here.cpu, there.memory - here.memory
    if cpu >= 0 and memory >= 0 and (cpu or memory):
        return True
    return False if cpu <= 0 and memory <= 0 else None
