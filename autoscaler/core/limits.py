"""What a policy allows, and how long things are looked at: guards, approval, verification, evidence. Defaults as in the design, section 4."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from autoscaler.core.durations import DAY, HOUR, MINUTE
from autoscaler.core.scalars import ChannelName, Dollars, Duration, Hours, Percent, PerDay, Whole


class Part(BaseModel):
    """One mapping of the policy file."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Cooldown(Part):
    """Least time from the end of the last change, either way, to the next change this way."""

    up: Duration = 30 * MINUTE
    down: Duration = 6 * HOUR


class Budget(Part):
    """USD a month for this service. An emergency may pass it by one rung unless told otherwise."""

    monthly: Dollars
    emergency: Literal["pass", "hold"] = "pass"


class NotDuring(Part):
    """Hours in which nothing may begin this way."""

    scale_up: Hours | None = None
    scale_down: Hours | None = None


class Guards(Part):
    """What can block a decision."""

    cooldown: Cooldown = Cooldown()
    respect: Duration = 12 * HOUR
    """How long nothing comes down after somebody else has changed the plan or the count."""
    max_changes: PerDay = 4
    headroom: Percent = 0.25
    budget: Budget | None = None
    not_during: NotDuring = NotDuring()


Consent = Literal["automatic", "required"]


class Approval(Part):
    """Who must say yes to what, and when they may be asked."""

    scale_up: Consent = "automatic"
    scale_down: Consent = "automatic"
    emergency: Consent = "automatic"
    approvers: tuple[Annotated[str, Field(pattern=r"^[UWS][A-Z0-9]{2,}$")], ...] = ()
    ask: Hours | None = None
    expires: Duration = DAY
    on_expiry: Literal["cancel", "proceed"] = "cancel"
    """What no answer means; `proceed` counts for ways up only."""
    two_above: Dollars | None = None
    """A tier that costs more a month than this needs the yes of two people."""


class Verify(Part):
    """How long a change is looked at: `soak` decides it, `watch` reports on it."""

    soak: Duration = 15 * MINUTE
    watch: Duration = DAY


class Notify(Part):
    """Where the team reads."""

    slack: ChannelName | None = None
    digest: Literal["daily", "weekly", "off"] = "weekly"
    """How often it is told what was held and what it cost: at nine, in the zone of `approval.ask`, else in UTC."""


class Evidence(Part):
    """When a window counts as seen (design, Evidence 1 to 6). The defaults suit 30-second polls of a small service."""

    rate_window: Duration | None = None
    """Over which ratios are pooled; absent: a twelfth of `for`, at least 5 min and five polls."""
    min_requests: Whole = 20
    warm_up: Duration = 5 * MINUTE
    fit_window: Duration = 7 * DAY
    """How far back a downgrade looks for peaks that must fit the smaller tier."""
    business_age: Duration = 2 * DAY
    failed_within: Duration = 7 * DAY
    """An up, or an OOM kill, so soon after a down marks that down as failed."""
    help_after: Duration = DAY
    """When an up is judged by whether it helped."""
    drift_every: Duration = 5 * MINUTE
