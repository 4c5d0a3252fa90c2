"""What is told of a change, as rows of the outbox: each in its thread, and at its end with the first message as it then is."""

from autoscaler.core.change import Change
from autoscaler.ports import Event, EventKind
from autoscaler.report import change_messages
from autoscaler.report.heads import head as head_of
from autoscaler.report.messages import Message


def begins(change: Change, channel: str | None) -> Event:
    """The first message of a change about which nobody was asked."""
    message = change_messages.started(change)
    return event(change, "started", EventKind.CHANGE_STARTED, message, channel, change.created_at)


def event(
    change: Change,
    key: str,
    kind: EventKind,
    message: Message,
    channel: str | None,
    at: int,
    *,
    head: Message | None = None,
) -> Event:
    """One message of its thread. `key` is its own within the change; `head`: what the first message becomes with it."""
    if kind is EventKind.CHANGE_ENDED:
        head = head_of(change)
    return Event(f"{change.id}:{key}", at, kind, change.service_id, message, channel, change.id, head)
