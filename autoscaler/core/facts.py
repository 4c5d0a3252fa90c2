"""What guards may know, beside the evidence: gathered by the engine, judged by `core.guards`."""

from dataclasses import dataclass

from autoscaler.core.durations import HOUR, MINUTE
from autoscaler.core.money import Spend

QUARANTINE, LONGEST_QUARANTINE = 10 * MINUTE, 6 * HOUR
"""How long a step that failed is not tried again: doubled with every failure in a row."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A person's word that the bot leaves a service as it is; at most one a service. Times in ms UTC."""

    service_id: str
    at: int
    until: int | None
    """When it ends by itself; None: with `resume`."""
    down_only: bool
    """Whether only the ways down are paused."""
    who: str
    note: str = ""

    @property
    def words(self) -> str:
        """Whose it is, and why."""
        return f"by {self.who}" + (f": {self.note}" if self.note else "")


@dataclass(frozen=True, slots=True)
class GoneLive:
    """A person's word that a policy which says `mode: observe` acts, as long as its file stays as it is; at most one a service."""

    service_id: str
    digest: str
    """Of the policy file."""
    at: int
    who: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Times in ms UTC."""

    service_id: str
    service: str
    spend: Spend
    tier_known: bool = True
    """Whether Render has been looked at; until then nobody knows the rung."""
    suspended: bool = False
    has_disk: bool = False
    render_autoscaling: bool = False
    image_backed: bool = False
    build_not_live: str = ""
    """Why a deploy might ship another build than the one that serves; empty when it can't."""
    not_deployed: str = ""
    """The plan that is configured and waits for a deploy, where another one runs; else empty."""
    pause: Pause | None = None
    """Somebody's, if any is in force."""
    open_change: str | None = None
    """The id of the change that is under way."""
    preempts: str = ""
    """The id of a slower change that is under way and makes way for this emergency; empty when there is none."""
    last_change_ended: int | None = None
    """When the last change, either way, came to its end; failed ones count."""
    failed_tries: int = 0
    """How often in a row a change to the tier that is asked for was undone because its deploy or its app failed."""
    failed_at: int | None = None
    """When the last of them ended."""
    declined: tuple[int, str] | None = None
    """Until when people are not asked again about the change that is asked for, and why: a No, or no answer."""
    doubts: tuple[str, ...] = ()
    """Why the app's silence may have another cause than the app, in words; empty when something else does answer."""
    observer_suspect: str = ""
    """That so many services went silent at once that the bot's own sight is in doubt; empty for one that answers."""
    changes_today: tuple[int, ...] = ()
    """When the ordinary changes of the last 24 hours began."""

    @property
    def quarantined_until(self) -> int | None:
        """When the change that is asked for may be tried again after it failed."""
        if self.failed_at is None or self.failed_tries == 0:
            return None
        return self.failed_at + min(QUARANTINE << (self.failed_tries - 1), LONGEST_QUARANTINE)
