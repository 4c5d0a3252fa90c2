"""The queries that keep the database small."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from autoscaler.adapters.store.bodies import (
    MISSED,
    READING,
)
from autoscaler.adapters.store.tables import events, observations


def prune_observations(connection: Connection, before: int, after: int, page: int) -> tuple[int, int | None]:
    """Delete old readings and misses among the `page` rows that follow number `after`.

    Walks the primary key, for what is old lies in front, and needs no index of its own.
    Returns how many rows went and the last number of the page, None when no further page can hold an old one.
    """
    table = observations
    numbers = (
        sa.select(table.c.number, table.c.at)
        .where(table.c.number > after)
        .order_by(table.c.number)
        .limit(page)
        .subquery()
    )
    last, oldest = connection.execute(sa.select(sa.func.max(numbers.c.number), sa.func.min(numbers.c.at))).one()
    if last is None or oldest >= before:
        return 0, None
    gone = connection.execute(
        sa.delete(table).where(
            table.c.number > after, table.c.number <= last, table.c.at < before, table.c.kind.in_([READING, MISSED])
        )
    )
    return gone.rowcount, last


def prune_events(connection: Connection, before: int, page: int) -> int:
    """Delete at most `page` events that were delivered before `before`; how many went."""
    old = sa.select(events.c.number).where(events.c.delivered_at < before).limit(page)
    return connection.execute(sa.delete(events).where(events.c.number.in_(old))).rowcount
