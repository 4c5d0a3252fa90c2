"""The queries that keep the database small: what is old is kept by the hour."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from autoscaler.adapters.store.bodies import (
    MISSED,
    READING,
    dump_row,
    load_row,
)
from autoscaler.adapters.store.tables import events, hours, observations
from autoscaler.adapters.store.upserts import upsert
from autoscaler.core.durations import HOUR
from autoscaler.core.observations import Reading

_LOCK_KEY = 0x52415354
"""Of Postgres' advisory lock: one more than the migrations' own."""


def summed(readings: Sequence[Reading]) -> Reading:
    """All of them as one: of counters the sum, so that means and rates stay what they were; of gauges the most, so that no peak is lost.

    All else is the last one's, whatever their order. `increases["seconds"]` tells how much of the time was seen.
    """
    highest, risen = dict[str, float](), dict[str, float]()
    for reading in readings:
        for name, value in reading.gauges.items():
            highest[name] = max(value, highest.get(name, value))
        for name, value in reading.increases.items():
            risen[name] = risen.get(name, 0.0) + value
    return replace(
        max(readings, key=lambda reading: reading.at),
        gauges=highest,
        increases=risen,
        idle=all(reading.idle for reading in readings),
        stalled=any(reading.stalled for reading in readings),
    )


def next_service(connection: Connection, after: str) -> str | None:
    """The next service of which anything was observed, by id: one step in the index, however many rows there are."""
    query = sa.select(sa.func.min(observations.c.service_id)).where(observations.c.service_id > after)
    found: str | None = connection.scalar(query)
    return found


def prune_observations(connection: Connection, service_id: str, before: int, page: int) -> int:
    """Of one service's oldest readings and misses at most `page` of those before `before`: readings go into their hours, all go.

    How many went. What is kept for ever lies in between, and is little.
    """
    if connection.dialect.name == "postgresql":
        # Of workers that share the database one at a time, or a reading would be summed twice. SQLite has one writer anyway.
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK_KEY)))
    seen = observations.c
    oldest = (
        sa.select(seen.number, seen.at, seen.kind, seen.body)
        .where(seen.service_id == service_id, seen.at < before, seen.kind.in_([READING, MISSED]))
        .order_by(seen.at, seen.number)
        .limit(page)
    )
    rows = connection.execute(oldest).all()
    readings = (load_row(Reading, row.body) for row in rows if row.kind == READING)
    for hour, group in groupby(readings, _hour):
        kept = sa.select(hours.c.body).where(hours.c.service_id == service_id, hours.c.hour == hour)
        earlier = (load_row(Reading, body) for body in connection.scalars(kept))
        row = {"service_id": service_id, "hour": hour, "body": dump_row(summed([*earlier, *group]))}
        upsert(connection, hours, row)
    if rows:
        connection.execute(sa.delete(observations).where(seen.number.in_([row.number for row in rows])))
    return len(rows)


def hours_since(connection: Connection, service_id: str, since: int) -> list[Reading]:
    """One reading an hour from the hour of `since` on, oldest first: the same before and after a prune."""
    begin, seen = since - since % HOUR, observations.c
    kept = sa.select(hours.c.hour.label("at"), sa.literal(0).label("number"), hours.c.body)
    whole = sa.select(seen.at, seen.number, seen.body).where(seen.kind == READING)
    query = sa.union_all(  # one statement sees one state, whatever is pruned meanwhile
        kept.where(hours.c.service_id == service_id, hours.c.hour >= begin),
        whole.where(seen.service_id == service_id, seen.at >= begin),
    ).order_by("at", "number")
    readings = (load_row(Reading, row.body) for row in connection.execute(query))
    return [summed(list(group)) for _, group in groupby(readings, _hour)]


def _hour(reading: Reading) -> int:
    return reading.at - reading.at % HOUR


def prune_events(connection: Connection, before: int, page: int) -> int:
    """Delete at most `page` events that were delivered before `before`; how many went."""
    old = sa.select(events.c.number).where(events.c.delivered_at < before).limit(page)
    return connection.execute(sa.delete(events).where(events.c.number.in_(old))).rowcount
