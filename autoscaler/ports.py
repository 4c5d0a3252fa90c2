"""What the engine needs of the outside, and no more. One adapter each; tests hand in values or small servers."""

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from autoscaler.core.change import Change, DeploySeen, JournalEntry, State
from autoscaler.core.facts import Pause
from autoscaler.core.guards import Verdict
from autoscaler.core.observations import Missed, Observation, Overridden, Signal, TierChanged, Told
from autoscaler.core.policy import Health
from autoscaler.core.samples import STEP, Sample
from autoscaler.report.messages import Message


class Clock(Protocol):
    """Both clocks; tests turn them by hand."""

    def now(self) -> int:
        """Wall clock, ms UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...


class HealthPort(Protocol):
    """The app's scaling health endpoint."""

    async def fetch(self, health: Health) -> "Report | Missed":
        """One poll. Never raises for what an endpoint may do: that is a Missed with its reason."""
        ...


@dataclass(frozen=True, slots=True)
class Report:
    """One answer of the endpoint: JSON, as it came."""

    at: int
    """When we asked, ms UTC."""
    took: float
    """Seconds until the whole body was there."""
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ServiceSeen:
    """One service as Render configures it."""

    id: str
    name: str
    plan: str
    instances: int
    suspended: bool
    has_disk: bool
    render_autoscaling: bool
    url: str | None = None
    """Where it answers on the internet, if it does."""
    maintenance: bool = False
    """Visitors get a page that says so."""
    image_backed: bool = False
    """It deploys a ready image instead of building a commit."""
    pre_deploy: str = ""
    """The command that runs before every deploy; empty without one."""
    updated_at: int = 0
    """When anything of its configuration last changed, ms UTC by Render's clock."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An instance that failed by itself, as Render's events tell."""

    id: str
    """Render's id of the event."""
    at: int
    out_of_memory: bool


class RenderPort(Protocol):
    """Render. Raises errors.RefusedError and errors.UnavailableError only."""

    async def find_service(self, *, id: str | None, name: str | None) -> ServiceSeen:  # noqa: A002 - Render's word
        """By id, or by a name that exactly one service has. Raises RefusedError when there is none, or more than one."""
        ...

    async def env(self, service_id: str, names: Sequence[str]) -> Mapping[str, str]:
        """The values of these variables; those not set are absent."""
        ...

    async def deploys(self, service_id: str) -> tuple[DeploySeen, ...]:
        """The latest twenty, newest first."""
        ...

    async def failures(self, service_id: str, since: int) -> tuple[Failure, ...]:
        """Instances that failed since then, in any order."""
        ...

    async def samples(
        self, service_ids: Sequence[str], start: int, end: int, *, step: int = STEP, latency: Sequence[str] = ()
    ) -> Mapping[str, tuple[Sample, ...]]:
        """What Render measured of these services from `start` to `end` (ms), by service, oldest first; few calls for many.

        `step`: what one sample stands for, ms. `latency`: the percentiles to ask for, by the metric's name.
        """
        ...

    async def set_plan(self, service_id: str, plan: str) -> None:
        """Recorded at once; runs after the next deploy."""
        ...

    async def set_env(self, service_id: str, name: str, value: str) -> None:
        """One variable; the others stay as they are."""
        ...

    async def set_instances(self, service_id: str, count: int) -> None:
        """Takes effect without a deploy."""
        ...

    async def deploy(self, service_id: str, commit: str | None = None) -> str | None:
        """Ask for one `deploy_only` deploy, or for a build of that commit; its id, or None when Render queued it without telling."""
        ...

    async def cancel(self, service_id: str, deploy_id: str) -> None:
        """End a deploy that is under way; that it has ended already is no failure."""
        ...


class Tenure(Protocol):
    """For how long this worker alone may act on a service."""

    def left(self, service_id: str) -> float:
        """Seconds; infinite where there is one worker only, 0 where another one acts."""
        ...


@dataclass(frozen=True, slots=True)
class Fence:
    """One worker's right to act on one service; void once the store holds another holder or epoch."""

    service_id: str
    holder: str
    epoch: int
    """It grows whenever the holder changes."""


class Fences(Protocol):
    """What a worker holds at this moment."""

    def fence(self, service_id: str) -> Fence | None:
        """None where another worker acts, or nobody does."""
        ...

    def held(self) -> AbstractSet[str]:
        """The ids of its services."""
        ...


class EventKind(StrEnum):
    """What happened that people are told."""

    CHANGE_STARTED = "change_started"
    CHANGE_PROGRESS = "change_progress"
    CHANGE_LIVE = "change_live"
    CHANGE_ENDED = "change_ended"
    CHANGE_REPORT = "change_report"
    """Before and after, once its watch is over."""
    HELD = "held"
    """Something is asked for, and only a person can let it go on."""
    ALERT = "alert"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing to tell. Its row is written in the transaction of what it tells of; `id` is its key, so that a retry is no second one."""

    id: str
    at: int
    kind: EventKind
    service_id: str
    message: Message
    channel: str | None
    """Slack channel of the policy, or None for the default."""
    thread: str | None = None
    """Messages of one thread belong together: a change's id."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event on its way."""

    event: Event
    attempts: int
    parent: str | None
    """The reference of the thread's first message (Slack: channel and ts), once it was delivered."""


class Notifier(Protocol):
    """Where messages go."""

    async def deliver(self, delivery: Delivery) -> str | None:
        """Post it; its reference, which later messages of the thread get as `parent`.

        Raises errors.UnavailableError (try later, `retry_after` honoured) or errors.RefusedError (never will).
        """
        ...


@dataclass(frozen=True, slots=True)
class PassRecord:
    """What one pass over one service leaves behind, in one transaction."""

    service_id: str
    observations: tuple[Observation, ...]
    verdict: Verdict | None = None
    """The one in force; its row is new when its key differs from the last one's, else updated in place."""
    change: Change | None = None
    """A change that begins now."""
    events: tuple[Event, ...] = ()
    moved: Change | None = None
    """One that was under way: an emergency takes its place, or turns it round."""
    journal: tuple[JournalEntry, ...] = ()
    """Of `moved`."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A worker's sign of life."""

    worker: str
    started_at: int
    at: int
    services: int
    dry_run: bool
    detail: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Word:
    """What somebody told from outside, and of which service."""

    service_id: str
    told: Told


class ChangeOpenError(Exception):
    """Another change of that service is open: the partial unique index refused a second."""


class History(Protocol):
    """What a pass needs of the store. Every method is one transaction; raises errors.StoreError (and ChangeOpenError)."""

    async def record(self, record: PassRecord) -> None:
        """All of it or nothing. Raises ChangeOpenError when `change` would be a second open one."""
        ...

    async def observations(self, service_id: str, since: int) -> list[Observation]:
        """In arrival order, from `since` on."""
        ...

    async def tier_changes(self, service_id: str) -> list[TierChanged]:
        """All that were ever seen, oldest first: the plan's tenancy."""
        ...

    async def kills(self, service_id: str) -> list[Signal]:
        """Every instance that was ever ended for want of memory, as it was heard of."""
        ...

    async def overrides(self, service_id: str) -> list[Overridden]:
        """Every value of our env vars that people ever set, oldest first."""
        ...

    async def changes(
        self, service_id: str | None = None, *, states: Sequence[State] | None = None, limit: int = 100
    ) -> list[Change]:
        """Newest first."""
        ...

    async def journal(self, change_id: str) -> list[JournalEntry]:
        """In order."""
        ...

    async def verdicts(self, service_id: str | None = None, *, limit: int = 100) -> list[Verdict]:
        """Newest first."""
        ...

    async def paused(self, service_id: str) -> Pause | None:
        """The pause that people set last, also one whose time is over."""
        ...


class Store(History, Protocol):
    """The one place where facts live."""

    async def migrate(self) -> None:
        """Bring the schema up to date. Raises StoreError when it is newer than this release."""
        ...

    async def close(self) -> None:
        """Let go of the database; a commit under way is waited for."""
        ...

    async def save_change(
        self,
        change: Change,
        *,
        journal: Sequence[JournalEntry] = (),
        events: Sequence[Event] = (),
        observations: Sequence[Observation] = (),
    ) -> None:
        """Write the change as it now is, with its steps (by key, written anew) and what is to be told."""
        ...

    async def told(self, after: int) -> tuple[list[Word], int]:
        """What was told from outside since the point `after`, of all services, and the point at which to go on.

        0 is the beginning of all.
        """
        ...

    async def change(self, change_id: str) -> Change | None:
        """As last saved."""
        ...

    async def due_changes(self, now: int) -> list[Change]:
        """Not final, not proposed, and due; the longest due first."""
        ...

    async def last_verdicts(self) -> list[Verdict]:
        """The one in force of every service, by service name."""
        ...

    async def undelivered(self, now: int, limit: int = 50) -> list[Delivery]:
        """Due events, oldest first; of one thread only the first, so that order holds."""
        ...

    async def delivered(self, event_id: str, at: int, reference: str | None) -> None:
        """Its first message gives a thread its reference."""
        ...

    async def not_delivered(self, event_id: str, retry_at: int | None, error: str) -> None:
        """Try again at `retry_at`; never again when it is None (kept, with the error)."""
        ...

    def bound(self, fences: Fences) -> "Store":
        """This store as a worker writes to it: all that it writes about a service is kept only while its fence stands.

        That is judged in the same transaction; FencedError is raised when it does not. Only `undelivered` reads otherwise:
        what is told of the worker's own services.
        """
        ...

    async def claim(
        self, holder: str, service_ids: Collection[str], ttl: float, *, most: int | None = None
    ) -> tuple[Fence, ...]:
        """Renew the holder's own leases of these services for `ttl` seconds, and take those that are free or run out.

        `most`: how many it may hold in all, before none are taken. What it now holds of them. The database's clock counts.
        """
        ...

    async def release(self, holder: str, service_ids: Collection[str] | None = None) -> None:
        """Give up these leases at once; all of them, and for good, without `service_ids`."""
        ...

    async def leases(self) -> tuple[Fence, ...]:
        """All that have not run out, by service."""
        ...

    async def alive(self, within: float) -> list[Heartbeat]:
        """The workers that claimed within so many seconds, by the database's clock."""
        ...

    async def unfinished(self) -> set[str]:
        """Services with a change that is not over, or a message that is not delivered."""
        ...

    async def tell(self, events: Sequence[Event]) -> None:
        """What is to be told of no pass and no change; each id once, whoever tells it."""
        ...

    async def pause(self, pause: Pause) -> None:
        """The service's one pause, written anew."""
        ...

    async def resume(self, service_id: str) -> None:
        """No pause any more; that there was none is no failure."""
        ...

    async def beat(self, heartbeat: Heartbeat) -> None:
        """One row a worker, written anew."""
        ...

    async def heartbeats(self) -> list[Heartbeat]:
        """Latest first."""
        ...

    async def prune(self, before: int) -> int:
        """Delete readings and misses older than `before`, delivered events too; how many rows went."""
        ...
