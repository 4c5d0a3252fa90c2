"""Why a change does not begin, by name, in the order in which it is looked at."""

from enum import StrEnum


class Why(StrEnum):
    """Why a verdict is what it is. The order is the order of precedence: `Verdict.why` is the first that applies."""

    GO = "go"
    STEADY = "steady"
    """No rule asks for anything."""
    TIER_UNKNOWN = "tier_unknown"
    OFF_LADDER = "off_ladder"
    SUSPENDED = "suspended"
    PAUSED = "paused"
    OBSERVER_SUSPECT = "observer_suspect"
    UNREACHABLE = "unreachable"
    CHANGE_OPEN = "change_open"
    AT_TOP = "at_top"
    BUILD_NOT_LIVE = "build_not_live"
    WIDE_REFUSED = "wide_refused"
    NOT_DEPLOYED = "not_deployed"
    FIGHT = "fight"
    INSTANCES_UNSEEN = "instances_unseen"
    LOWER_TIER_WOULD_GO_UP = "lower_tier_would_go_up"
    FLOOR = "floor"
    UP_BUILDING = "up_building"
    DOES_NOT_FIT = "does_not_fit"
    RESPECT = "respect"
    DEPLOY_LOOP = "deploy_loop"
    COOLDOWN = "cooldown"
    QUARANTINE = "quarantine"
    MAX_CHANGES = "max_changes"
    NOT_DURING = "not_during"
    BUDGET = "budget"
    DISK_DOWNTIME = "disk_downtime"
    NOT_RESOURCE_BOUND = "not_resource_bound"
    DID_NOT_HELP = "did_not_help"
    DECLINED = "declined"
    APPROVAL_REQUIRED = "approval_required"
    MODE_ASK = "mode_ask"
    MODE_OBSERVE = "mode_observe"

    @property
    def needs_a_person(self) -> bool:
        """Whether nothing but a person can lift it."""
        return self in _FOR_PEOPLE

    @property
    def lifts_with_a_yes(self) -> bool:
        """Whether a person who is asked about the change can lift it."""
        return self in _ASKED


_FOR_PEOPLE = frozenset(
    {
        Why.OFF_LADDER,
        Why.PAUSED,
        Why.BUILD_NOT_LIVE,
        Why.WIDE_REFUSED,
        Why.NOT_DEPLOYED,
        Why.FIGHT,
        Why.UNREACHABLE,
        Why.AT_TOP,
        Why.BUDGET,
        Why.DISK_DOWNTIME,
        Why.NOT_RESOURCE_BOUND,
        Why.DID_NOT_HELP,
        Why.APPROVAL_REQUIRED,
        Why.MODE_ASK,
        Why.MODE_OBSERVE,
    }
)
_ASKED = frozenset(
    {
        Why.BUDGET,
        Why.DISK_DOWNTIME,
        Why.NOT_RESOURCE_BOUND,
        Why.DID_NOT_HELP,
        Why.APPROVAL_REQUIRED,
        Why.MODE_ASK,
    }
)
