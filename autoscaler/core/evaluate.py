"""fold(policy, state, observation) and decide(policy, state, now): what the evidence asks for."""

from dataclasses import dataclass
from enum import StrEnum


class Ask(StrEnum):
    """What the conditions ask for."""

    UP = "up"
    DOWN = "down"
    HOLD = "hold"


class Role(StrEnum):
    """Where in the policy a condition stands."""

    UP = "up"
    DOWN = "down"
    EMERGENCY = "emergency"
    ALERT = "alert"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one condition is: what `explain`, the log line and the demo's bars show."""

    condition: str
    role: Role
    metric: str
    holds: bool
    value: float | None
    """The latest judged value, in the metric's base unit; None when there is none."""
    held: float
    """How much of its window it has held, 0 to 1."""
    covered: float
    """How much of its window has been seen, 0 to 1."""
    lacking: str | None = None
    """Why it can't be judged, in words: `window 40% seen`, `5 of 20 requests` …"""
    not_before: int | None = None
    """The earliest time at which it could hold, if all goes on as it does."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the evidence asks for, before any guard."""

    at: int
    tier: str | None
    ask: Ask
    target: str | None
    """The tier asked for; None on hold."""
    emergency: bool
    reasons: tuple[str, ...]
    """The conditions that hold and ask for it, with their values."""
    spent: tuple[str, ...]
    """Counted signals among them."""
    progress: tuple[Progress, ...]
    alerts: tuple[str, ...] = ()
    """Names of the alerts that hold."""
