"""The one place where facts live, and the right to write to it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Protocol

from autoscaler.core.change import Change, JournalEntry, State
from autoscaler.core.consent import Answer, Snooze
from autoscaler.core.facts import GoneLive, Pause
from autoscaler.core.guards import Verdict
from autoscaler.core.observations import EnvSeen, Observation, Overridden, Reading, Signal, TierChanged, Told
from autoscaler.ports.telling import Delivery, Event

Tell = Callable[[Change, Sequence[Answer]], Sequence[Event]]
"""What people are told of a change as it is, and of all answers to it."""


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
    counted: int | None = None
    """How many answers `moved` rests on; None where they do not matter."""


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


class AnsweredError(ChangeOpenError):
    """Somebody has answered, or wants to be asked later, since the answers were counted: they have to be counted again."""


class History(Protocol):
    """What a pass needs of the store. Every method is one transaction; raises errors.StoreError (and ChangeOpenError)."""

    async def record(self, record: PassRecord) -> None:
        """All of it or nothing. Raises ChangeOpenError when `change` would be a second open one, AnsweredError when `counted` is out of date."""
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

    async def env_seen(self, service_id: str) -> EnvSeen | None:
        """What was configured of our env vars when they last moved."""
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

    async def answers(self, change_id: str) -> list[Answer]:
        """What people said about a change that waits for a yes, in order."""
        ...

    async def snoozed(self, change_id: str) -> Snooze | None:
        """Until when a question rests, as somebody last asked for it; also one that is over."""
        ...

    async def gone_live(self, service_id: str) -> GoneLive | None:
        """Whether somebody let its policy act that says `mode: observe`, and which edition of it."""
        ...

    async def delivered_at(self, event_id: str) -> int | None:
        """When a message arrived, ms; None: it has not."""
        ...


class Store(History, Protocol):
    """The one place where facts live."""

    async def migrate(self) -> None:
        """Bring the schema up to date. Raises StoreError when it is newer than this release."""
        ...

    async def close(self) -> None:
        """Let go of the database; a commit under way is waited for."""
        ...

    async def hours(self, service_id: str, since: int) -> list[Reading]:
        """One reading an hour, oldest first, whether it is kept so or still in full: for long looks back, never for deciding."""
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

    async def tell_of(self, change_id: str, tell: Tell) -> None:
        """What `tell` makes of the change as it is and its answers, in order with all else that is told of it."""
        ...

    async def answer(
        self, answer: Answer, tell: Tell = lambda _change, _answers: ()
    ) -> tuple[Change | None, list[Answer]]:
        """Keep it while its change waits for one; of each person only the first counts.

        The change as it is (None: there is none), and all answers to it. `tell`: what people are told in the same transaction,
        where it was kept.
        """
        ...

    async def snooze(self, snooze: Snooze, tell: Tell) -> Change | None:
        """Let the question rest, while its change waits for an answer. The change as it is."""
        ...

    async def go_live(self, word: GoneLive, event: Event) -> None:
        """Let a policy that observes act, and tell it in the same transaction."""
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

    async def pause(self, pause: Pause, event: Event) -> None:
        """The service's one pause, written anew, and told in the same transaction."""
        ...

    async def resume(self, service_id: str, event: Event) -> None:
        """No pause any more, told in the same transaction; that there was none is no failure."""
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
