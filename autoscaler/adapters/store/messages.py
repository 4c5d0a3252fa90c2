"""The queries about what is to be told: the outbox."""

from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from autoscaler.adapters.store.bodies import dump, load
from autoscaler.adapters.store.tables import events
from autoscaler.adapters.store.upserts import insert
from autoscaler.ports import Delivery, Event

PENDING = sa.and_(events.c.delivered_at.is_(None), events.c.retry_at.is_not(None))
"""A message that is still to go."""
_other = events.alias()
_FIRST_OF_THREAD = (
    sa.select(sa.func.min(_other.c.number))
    .where(_other.c.thread == events.c.thread, _other.c.delivered_at.is_(None), _other.c.retry_at.is_not(None))
    .scalar_subquery()
)
_PARENT = (
    sa.select(_other.c.reference)
    .where(
        _other.c.thread == events.c.thread,
        _other.c.delivered_at.is_not(None),
        _other.c.reference.is_not(None),
    )
    .order_by(_other.c.number)
    .limit(1)
    .scalar_subquery()
)
_UNDELIVERED = (
    sa.select(events.c.body, events.c.attempts, _PARENT)
    .where(PENDING, events.c.retry_at <= sa.bindparam("now"))
    .where(sa.or_(events.c.thread.is_(None), events.c.number == _FIRST_OF_THREAD))
    .order_by(events.c.number)
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_UNDELIVERED_OF = _UNDELIVERED.where(events.c.service_id.in_(sa.bindparam("service_ids", expanding=True)))


def add_events(connection: Connection, told: Sequence[Event]) -> None:
    """Insert those whose id is not there yet."""
    for event in told:
        row = {
            "id": event.id,
            "service_id": event.service_id,
            "thread": event.thread,
            "at": event.at,
            "attempts": 0,
            "retry_at": 0,  # at once, whatever a clock that was set back may say
            "body": dump(event),
        }
        connection.execute(insert(connection, events).values(row).on_conflict_do_nothing(index_elements=["id"]))


def undelivered(
    connection: Connection, now: int, limit: int, service_ids: Collection[str] | None = None
) -> list[Delivery]:
    """Due events (of these services) in arrival order; of a thread only the first that is still to go, with the reference of its first message."""
    asked = {"now": now, "most": limit}
    rows = (
        connection.execute(_UNDELIVERED, asked)
        if service_ids is None
        else connection.execute(_UNDELIVERED_OF, asked | {"service_ids": list(service_ids)})
    )
    return [
        Delivery(event=load(Event, body), attempts=attempts, parent=reference) for body, attempts, reference in rows
    ]


def service_of(connection: Connection, event_id: str) -> str | None:
    """Of which service an event tells."""
    return connection.scalar(sa.select(events.c.service_id).where(events.c.id == event_id))


def mark_delivered(connection: Connection, event_id: str, at: int, reference: str | None) -> None:
    """Nothing more is to be done about it."""
    connection.execute(
        sa.update(events)
        .where(events.c.id == event_id)
        .values(delivered_at=at, reference=reference, error=None, attempts=events.c.attempts + 1)
    )


def mark_not_delivered(connection: Connection, event_id: str, retry_at: int | None, error: str) -> None:
    """To be tried again at `retry_at`, or never."""
    connection.execute(
        sa.update(events)
        .where(events.c.id == event_id)
        .values(retry_at=retry_at, error=error, attempts=events.c.attempts + 1)
    )
