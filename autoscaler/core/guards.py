"""judge(): a decision and the facts become a verdict. Every "no" has a name."""

from dataclasses import dataclass
from enum import StrEnum

from autoscaler.core.evaluate import Ask, Progress


class Why(StrEnum):
    """Why a verdict is what it is. The order is the order of precedence: `Verdict.why` is the first that applies."""

    GO = "go"
    STEADY = "steady"
    """No rule asks for anything."""
    TIER_UNKNOWN = "tier_unknown"
    OFF_LADDER = "off_ladder"
    SUSPENDED = "suspended"
    CHANGE_OPEN = "change_open"
    AT_TOP = "at_top"
    AT_BOTTOM = "at_bottom"
    LOWER_TIER_WOULD_GO_UP = "lower_tier_would_go_up"
    FLOOR = "floor"
    DOES_NOT_FIT = "does_not_fit"
    DEPLOY_LOOP = "deploy_loop"
    COOLDOWN = "cooldown"
    MAX_CHANGES = "max_changes"
    NOT_DURING = "not_during"
    BUDGET = "budget"
    DISK_DOWNTIME = "disk_downtime"
    APPROVAL_REQUIRED = "approval_required"
    MODE_ASK = "mode_ask"
    MODE_OBSERVE = "mode_observe"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision after the guards. Times in ms UTC, money in USD a month."""

    at: int
    service_id: str
    service: str
    tier: str | None
    ask: Ask
    target: str | None
    emergency: bool
    why: Why
    blockers: tuple[Why, ...]
    not_before: int | None
    """The earliest time at which it could act, as far as the guards know; None where only a person or the load can tell."""
    sentence: str
    """The whole verdict in one sentence, with its numbers."""
    reasons: tuple[str, ...]
    spent: tuple[str, ...]
    progress: tuple[Progress, ...]
    alerts: tuple[str, ...]
    monthly_now: float | None
    monthly_then: float | None
    """What the target would cost; None when nothing is asked for."""
    since: int
    """When this verdict (ask, why, blockers, tier) first stood."""

    @property
    def goes(self) -> bool:
        """Whether a change may begin now."""
        return self.why is Why.GO

    @property
    def key(self) -> tuple[object, ...]:
        """What makes it another verdict rather than the same one again (design, Deciding 13)."""
        return (self.ask, self.why, self.blockers, self.tier, self.target, self.emergency)
