"""The simulator's own catalogue of plans, so that a mistake in the bot's catalogue does not hide itself.

CPU and memory: Render's published scaling guide (instance types) and its 2026 list of compute plans.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

MIB = 1024 * 1024
GIB = 1024 * MIB


@dataclass(frozen=True, slots=True)
class Plan:
    """What an instance on the plan has: CPU in cores, memory in bytes; `paid` = every type of service may use it."""

    cpu: float
    memory: int
    paid: bool = True


def _gigabytes(cpu: float, memory: float) -> Plan:
    return Plan(cpu, round(memory * GIB))


PLANS: Mapping[str, Plan] = MappingProxyType(
    {
        "free": Plan(0.1, 512 * MIB, paid=False),
        "starter": _gigabytes(0.5, 0.5),
        "standard": _gigabytes(1, 2),
        "pro": _gigabytes(2, 4),
        "pro_plus": _gigabytes(4, 8),
        "pro_max": _gigabytes(4, 16),
        "pro_ultra": _gigabytes(8, 32),
        "0.5c-512mb": _gigabytes(0.5, 0.5),
        "1c-2g": _gigabytes(1, 2),
        "2c-4g": _gigabytes(2, 4),
        "2c-8g": _gigabytes(2, 8),
        "2c-16g": _gigabytes(2, 16),
        "4c-8g": _gigabytes(4, 8),
        "4c-16g": _gigabytes(4, 16),
        "4c-32g": _gigabytes(4, 32),
        "8c-16g": _gigabytes(8, 16),
        "8c-32g": _gigabytes(8, 32),
        "8c-64g": _gigabytes(8, 64),
        "12c-24g": _gigabytes(12, 24),
        "12c-48g": _gigabytes(12, 48),
        "12c-96g": _gigabytes(12, 96),
    }
)

Spelling = Literal["as_set", "canonical", "compute"]
_COMPUTE_PLANS: Mapping[str, str] = MappingProxyType(
    {
        "starter": "0.5c-512mb",
        "standard": "1c-2g",
        "pro": "2c-4g",
        "pro_plus": "4c-8g",
        "pro_max": "4c-16g",
        "pro_ultra": "8c-32g",
    }
)
_NAMED_PLANS: Mapping[str, str] = MappingProxyType({compute: name for name, compute in _COMPUTE_PLANS.items()})


def named(plan: str) -> str:
    """The one name of a plan that has two, the older of them: `standard` for `1c-2g`."""
    return _NAMED_PLANS.get(plan, plan)


def spelled(plan: str, spelling: Spelling) -> str:
    """A plan as Render tells it: as it was set, or always by the one or the other of its names."""
    match spelling:
        case "as_set":
            return plan
        case "canonical":
            return named(plan)
        case "compute":
            return _COMPUTE_PLANS.get(plan, plan)
