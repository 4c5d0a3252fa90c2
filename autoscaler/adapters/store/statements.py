"""Every query, as a plain function of a connection whose transaction is open. The caller commits.

What each pass asks is built once: to build a query takes SQLAlchemy longer than it takes SQLite to answer it.
"""

import json
from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from autoscaler.adapters.store.bodies import (
    ENV_SEEN,
    KINDS,
    OVERRIDDEN,
    SIGNAL,
    TIER_CHANGED,
    TOLD,
    dump,
    dump_row,
    kind_of,
    load,
    load_row,
)
from autoscaler.adapters.store.messages import PENDING
from autoscaler.adapters.store.tables import changes, events, heartbeats, journal, observations, pauses, verdicts
from autoscaler.adapters.store.upserts import upsert
from autoscaler.core.change import OPEN, Change, JournalEntry, State
from autoscaler.core.facts import Pause
from autoscaler.core.guards import Verdict
from autoscaler.core.lessons import OUT_OF_MEMORY
from autoscaler.core.observations import EnvSeen, Observation, Overridden, Signal, TierChanged, Told
from autoscaler.ports import ChangeOpenError, Heartbeat, Word

_DUE_STATES = sorted({*OPEN, State.WATCHING})
_VERDICTS = sa.select(verdicts.c.body, verdicts.c.first_at)
_ADD_OBSERVATIONS = sa.insert(observations)
_NEWEST_OBSERVATION = sa.select(sa.func.max(observations.c.number))
_TOLD_BETWEEN = (
    sa.select(observations.c.service_id, observations.c.body)
    .where(observations.c.number > sa.bindparam("after"), observations.c.number <= sa.bindparam("newest"))
    .where(observations.c.kind == TOLD)
    .order_by(observations.c.number)
)
_LAST_VERDICT = (
    sa.select(verdicts.c.number, verdicts.c.key)
    .where(verdicts.c.service_id == sa.bindparam("service_id"))
    .order_by(verdicts.c.number.desc())
    .limit(1)
)
_SAME_VERDICT = sa.update(verdicts).where(verdicts.c.number == sa.bindparam("row"))
_NEW_VERDICT = sa.insert(verdicts)
_CHANGE = sa.select(changes.c.body).where(changes.c.id == sa.bindparam("id"))
_DUE = (
    sa.select(changes.c.body)
    .where(changes.c.state.in_(_DUE_STATES), changes.c.due_at <= sa.bindparam("now"))
    .order_by(changes.c.due_at, changes.c.id)
)
_JOURNAL = sa.select(journal.c.body).where(journal.c.change_id == sa.bindparam("change_id")).order_by(journal.c.number)
_PAUSE = sa.select(pauses.c.body).where(pauses.c.service_id == sa.bindparam("service_id"))


def add_observations(connection: Connection, service_id: str, seen: Sequence[Observation]) -> None:
    """Append them, in the order given."""
    if connection.dialect.name == "postgresql" and any(isinstance(one, Told) for one in seen):
        # Numbers are given out before commits: a word with a lower number than one that was heard already would go unheard.
        connection.execute(sa.text("LOCK TABLE observations IN SHARE ROW EXCLUSIVE MODE"))
    rows = [{"service_id": service_id, "at": one.at, "kind": kind_of(one), "body": dump_row(one)} for one in seen]
    if rows:
        connection.execute(_ADD_OBSERVATIONS, rows)


def observations_since(connection: Connection, service_id: str, since: int) -> list[Observation]:
    """In arrival order, from `since` on."""
    query = (
        sa.select(observations.c.kind, observations.c.body)
        .where(observations.c.service_id == service_id, observations.c.at >= since, observations.c.kind.in_(KINDS))
        .order_by(observations.c.number)
    )
    return [load_row(KINDS[kind], body) for kind, body in connection.execute(query)]


def tier_changes(connection: Connection, service_id: str) -> list[TierChanged]:
    """All, oldest first."""
    query = (
        sa.select(observations.c.body)
        # Spelled out, not bound: only so does SQLite see that the partial index serves.
        .where(observations.c.service_id == service_id, observations.c.kind == sa.literal_column(f"'{TIER_CHANGED}'"))
        .order_by(observations.c.number)
    )
    return [load(TierChanged, body) for body in connection.scalars(query)]


def overrides(connection: Connection, service_id: str) -> list[Overridden]:
    """Every value of ours that somebody else set, oldest first."""
    query = (
        sa.select(observations.c.body)
        .where(observations.c.service_id == service_id, observations.c.kind == OVERRIDDEN)
        .order_by(observations.c.number)
    )
    return [load(Overridden, body) for body in connection.scalars(query)]


def env_seen(connection: Connection, service_id: str) -> EnvSeen | None:
    """The values that were configured when they last moved."""
    query = (
        sa.select(observations.c.body)
        .where(observations.c.service_id == service_id, observations.c.kind == ENV_SEEN)
        .order_by(observations.c.number.desc())
        .limit(1)
    )
    body = connection.scalar(query)
    return None if body is None else load(EnvSeen, body)


def kills(connection: Connection, service_id: str) -> list[Signal]:
    """Every OOM kill that was ever heard of, in arrival order."""
    query = (
        sa.select(observations.c.body)
        .where(observations.c.service_id == service_id, observations.c.kind == SIGNAL)
        .where(observations.c.body.contains(f'"name":"{OUT_OF_MEMORY}"', autoescape=True))
        .order_by(observations.c.number)
    )
    found = (load(Signal, body) for body in connection.scalars(query))
    return [signal for signal in found if signal.name == OUT_OF_MEMORY]


def told_since(connection: Connection, number: int) -> tuple[list[Word], int]:
    """What was told of any service after row `number`, and the newest row of all.

    The primary key alone is asked: what is new lies at its end, whatever the number of services.
    """
    newest = connection.scalar(_NEWEST_OBSERVATION) or 0
    rows = connection.execute(_TOLD_BETWEEN, {"after": number, "newest": newest})
    return [Word(service_id, load(Told, body)) for service_id, body in rows], newest


def put_verdict(connection: Connection, verdict: Verdict) -> None:
    """A new row when it is another verdict than the service's last one, else that row as it is now."""
    key = json.dumps(verdict.key)
    last = connection.execute(_LAST_VERDICT, {"service_id": verdict.service_id}).first()
    now = {"service": verdict.service, "last_at": verdict.at, "body": dump(verdict)}
    if last is not None and last.key == key:
        connection.execute(_SAME_VERDICT, now | {"row": last.number})
        return
    begun = {
        "service_id": verdict.service_id,
        "first_at": verdict.since,
        "ask": verdict.ask.value,
        "why": verdict.why.value,
        "blockers": json.dumps([blocker.why for blocker in verdict.blockers]),
        "tier": verdict.tier,
        "key": key,
    }
    connection.execute(_NEW_VERDICT, now | begun)


def list_verdicts(connection: Connection, service_id: str | None, limit: int) -> list[Verdict]:
    """Newest first."""
    query = _VERDICTS.order_by(verdicts.c.number.desc()).limit(limit)
    if service_id is not None:
        query = query.where(verdicts.c.service_id == service_id)
    return _load_verdicts(connection, query)


def last_verdicts(connection: Connection) -> list[Verdict]:
    """The latest of every service, by the service's name."""
    latest = sa.select(sa.func.max(verdicts.c.number)).group_by(verdicts.c.service_id)
    query = _VERDICTS.where(verdicts.c.number.in_(latest)).order_by(verdicts.c.service, verdicts.c.service_id)
    return _load_verdicts(connection, query)


def _load_verdicts(connection: Connection, query: sa.Select[str, int]) -> list[Verdict]:
    # The row knows since when it stands, also where the pass that updated it last did not.
    return [replace(load(Verdict, body), since=first_at) for body, first_at in connection.execute(query)]


def add_change(connection: Connection, change: Change) -> None:
    """Insert it. Raises ChangeOpenError when its service has an open one."""
    try:
        connection.execute(sa.insert(changes).values(_change_row(change)))
    except IntegrityError:
        raise _change_open(change) from None


def put_change(connection: Connection, change: Change) -> None:
    """Insert it or write it anew. Raises ChangeOpenError when its service has another open one."""
    try:
        upsert(connection, changes, _change_row(change))
    except IntegrityError:
        raise _change_open(change) from None


def _change_row(change: Change) -> dict[str, object]:
    return {
        "id": change.id,
        "service_id": change.service_id,
        "state": change.state.value,
        "due_at": change.due_at,
        "created_at": change.created_at,
        "body": dump(change),
    }


def _change_open(change: Change) -> ChangeOpenError:
    return ChangeOpenError(
        f"{change.service} ({change.service_id}) has an open change already; {change.id} was not kept."
    )


def get_change(connection: Connection, change_id: str) -> Change | None:
    """As last written."""
    body = connection.scalar(_CHANGE, {"id": change_id})
    return None if body is None else load(Change, body)


def list_changes(
    connection: Connection, service_id: str | None, states: Sequence[State] | None, limit: int
) -> list[Change]:
    """Newest first."""
    query = sa.select(changes.c.body).order_by(changes.c.created_at.desc(), changes.c.id.desc()).limit(limit)
    if service_id is not None:
        query = query.where(changes.c.service_id == service_id)
    if states is not None:
        query = query.where(changes.c.state.in_([state.value for state in states]))
    return [load(Change, body) for body in connection.scalars(query)]


def due_changes(connection: Connection, now: int) -> list[Change]:
    """Open or watched, and due; the longest due first."""
    return [load(Change, body) for body in connection.scalars(_DUE, {"now": now})]


def put_journal(connection: Connection, entries: Sequence[JournalEntry]) -> None:
    """Insert each or write it anew, by change and number."""
    for entry in entries:
        row = {"change_id": entry.change_id, "number": entry.number, "at": entry.at, "body": dump(entry)}
        upsert(connection, journal, row)


def list_journal(connection: Connection, change_id: str) -> list[JournalEntry]:
    """By number."""
    return [load(JournalEntry, body) for body in connection.scalars(_JOURNAL, {"change_id": change_id})]


def put_heartbeat(connection: Connection, heartbeat: Heartbeat) -> None:
    """One row a worker."""
    upsert(connection, heartbeats, {"worker": heartbeat.worker, "at": heartbeat.at, "body": dump(heartbeat)})


def list_heartbeats(connection: Connection) -> list[Heartbeat]:
    """Latest first."""
    query = sa.select(heartbeats.c.body).order_by(heartbeats.c.at.desc(), heartbeats.c.worker)
    return [load(Heartbeat, body) for body in connection.scalars(query)]


def unfinished(connection: Connection) -> set[str]:
    """Services with a change that is not over, or a message that is not delivered."""
    changing = sa.select(changes.c.service_id).where(changes.c.state.in_(_DUE_STATES))
    telling = sa.select(events.c.service_id).where(PENDING)
    return set(connection.scalars(sa.union(changing, telling)))


def put_pause(connection: Connection, pause: Pause) -> None:
    """One a service, written anew."""
    upsert(connection, pauses, {"service_id": pause.service_id, "body": dump(pause)})


def delete_pause(connection: Connection, service_id: str) -> None:
    """If there is one."""
    connection.execute(sa.delete(pauses).where(pauses.c.service_id == service_id))


def get_pause(connection: Connection, service_id: str) -> Pause | None:
    """As last written."""
    body = connection.scalar(_PAUSE, {"service_id": service_id})
    return None if body is None else load(Pause, body)
