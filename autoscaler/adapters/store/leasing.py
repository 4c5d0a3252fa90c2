"""The queries about leases: which worker acts on a service, judged by the database's clock and by no worker's."""

from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from autoscaler.adapters.store.bodies import load
from autoscaler.adapters.store.tables import heartbeats, leases
from autoscaler.adapters.store.upserts import insert
from autoscaler.core.durations import SECOND
from autoscaler.errors import FencedError
from autoscaler.ports import Fence, Heartbeat

_NOBODY = ""
_HANDED_OVER = 0
"""When a lease ran out that was given up for others, or that nobody ever had."""
LEFT_TO_OTHERS = 2 * SECOND
"""How long one that ran out is left to the workers whose part it is: a death is taken over within 30 s all the same."""

_HELD = (
    sa.select(leases.c.holder, leases.c.epoch)
    .where(leases.c.service_id == sa.bindparam("service_id"))
    .with_for_update(read=True)  # on SQLite the transaction has the write lock anyway
)


def check_fence(connection: Connection, fence: Fence) -> None:
    """Raises FencedError unless this lease still stands; nobody can take it over before this transaction has ended."""
    row = connection.execute(_HELD, {"service_id": fence.service_id}).first()
    if row is None or (row.holder, row.epoch) != (fence.holder, fence.epoch):
        raise FencedError(fence.service_id)


def claim(
    connection: Connection, holder: str, service_ids: Sequence[str], ttl: float, most: int | None
) -> tuple[Fence, ...]:
    """Renew the holder's own leases of these services, and take free ones up to `most` in all.

    One that ran out a while ago is taken beyond that: those whose part it would be may be gone as well.
    """
    now = _now(connection)
    until = now + round(ttl * SECOND)
    mine = leases.c.holder == holder
    named = leases.c.service_id.in_(service_ids)
    _add_missing(connection, service_ids)
    connection.execute(sa.update(leases).where(named, mine).values(expires_at=until))
    own = sa.select(leases.c.service_id, leases.c.epoch).where(named, mine).order_by(leases.c.service_id)
    room = len(service_ids) if most is None else most - len(connection.execute(own).all())
    free = (
        sa.select(leases.c.service_id)
        .where(named, sa.not_(mine), leases.c.expires_at <= now)
        .order_by(leases.c.service_id)
        .with_for_update(skip_locked=True)  # somebody is taking it, or still writes
    )
    overdue = leases.c.expires_at.between(_HANDED_OVER + 1, now - LEFT_TO_OTHERS)
    found = [*connection.scalars(free.where(overdue)), *connection.scalars(free.limit(max(0, room)))]
    taken = sa.update(leases).where(leases.c.service_id.in_(found))
    connection.execute(taken.values(holder=holder, epoch=leases.c.epoch + 1, expires_at=until))
    connection.execute(sa.update(heartbeats).where(heartbeats.c.worker == holder).values(seen_at=now))
    return tuple(Fence(service_id, holder, epoch) for service_id, epoch in connection.execute(own))


def _add_missing(connection: Connection, service_ids: Sequence[str]) -> None:
    known = set(connection.scalars(sa.select(leases.c.service_id).where(leases.c.service_id.in_(service_ids))))
    rows = [
        {"service_id": service_id, "holder": _NOBODY, "epoch": 0, "expires_at": _HANDED_OVER}
        for service_id in service_ids
        if service_id not in known
    ]
    for row in rows:
        connection.execute(insert(connection, leases).values(row).on_conflict_do_nothing())


def release(connection: Connection, holder: str, service_ids: Collection[str] | None) -> None:
    """Anybody may take them at once; without `service_ids` it is a good-bye of the worker."""
    mine = sa.update(leases).where(leases.c.holder == holder)
    if service_ids is not None:
        mine = mine.where(leases.c.service_id.in_(service_ids))
    else:
        connection.execute(sa.update(heartbeats).where(heartbeats.c.worker == holder).values(seen_at=0))
    connection.execute(mine.values(holder=_NOBODY, expires_at=_HANDED_OVER))


def void_all(connection: Connection) -> None:
    """Nobody lives who could hold one."""
    connection.execute(sa.update(leases).values(expires_at=_HANDED_OVER))
    connection.execute(sa.update(heartbeats).values(seen_at=0))


def standing(connection: Connection) -> tuple[Fence, ...]:
    """Those that have not run out, by service."""
    query = (
        sa.select(leases.c.service_id, leases.c.holder, leases.c.epoch)
        .where(leases.c.expires_at > _now(connection))
        .order_by(leases.c.service_id)
    )
    return tuple(Fence(*row) for row in connection.execute(query))


def alive(connection: Connection, within: float) -> list[Heartbeat]:
    """Workers that claimed within so many seconds."""
    since = _now(connection) - round(within * SECOND)
    query = sa.select(heartbeats.c.body).where(heartbeats.c.seen_at > since).order_by(heartbeats.c.worker)
    return [load(Heartbeat, body) for body in connection.scalars(query)]


def _now(connection: Connection) -> int:
    """The database's clock, ms UTC; not the transaction's, which may have waited."""
    words = (
        "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
        if connection.dialect.name == "postgresql"
        else "SELECT CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)"
    )
    return int(connection.exec_driver_sql(words).scalar_one())
