"""What people are told, and the way it takes."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from autoscaler.report.messages import Message


class EventKind(StrEnum):
    """What happened that people are told."""

    ASKED = "asked"
    """A change waits for somebody's yes."""
    CHANGE_STARTED = "change_started"
    CHANGE_PROGRESS = "change_progress"
    CHANGE_LIVE = "change_live"
    CHANGE_ENDED = "change_ended"
    CHANGE_REPORT = "change_report"
    """Before and after, once its watch is over."""
    HELD = "held"
    """Something is asked for, and only a person can let it go on."""
    ALERT = "alert"
    DIGEST = "digest"
    """A day or a week of a service."""
    HEAD = "head"
    """Nothing is posted: only the thread's first message becomes another one."""
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
    head: Message | None = None
    """What the thread's first message becomes with this one."""
    loud: bool = False
    """Whether it is shown outside its thread as well."""


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
