"""The queries about what people answer and decide: a change that waits for a yes, a question that rests, a policy that may act."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from autoscaler.adapters.store.bodies import dump, load
from autoscaler.adapters.store.messages import add_events
from autoscaler.adapters.store.tables import answers, changes, events, gone_live, snoozes
from autoscaler.adapters.store.upserts import upsert
from autoscaler.core.change import Change, State
from autoscaler.core.consent import Answer, Snooze
from autoscaler.core.facts import GoneLive
from autoscaler.ports import AnsweredError, Event, Tell


def add_answer(connection: Connection, answer: Answer, tell: Tell) -> tuple[Change | None, list[Answer]]:
    """Keep it while its change waits for one, the first of each person only; the change as it is, and all answers to it."""
    change = _held(connection, answer.change_id)
    before = list_answers(connection, answer.change_id)
    if change is None or change.state is not State.PROPOSED or any(one.who == answer.who for one in before):
        return change, before
    row = {"change_id": answer.change_id, "who": answer.who, "at": answer.at, "body": dump(answer)}
    connection.execute(sa.insert(answers).values(row))
    after = list_answers(connection, answer.change_id)
    add_events(connection, tell(change, after))
    return change, after


def put_snooze(connection: Connection, snooze: Snooze, tell: Tell) -> Change | None:
    """Let the question rest while its change waits for an answer; the change as it is."""
    change = _held(connection, snooze.change_id)
    if change is not None and change.state is State.PROPOSED:
        upsert(connection, snoozes, {"change_id": snooze.change_id, "body": dump(snooze)})
        add_events(connection, tell(change, list_answers(connection, snooze.change_id)))
    return change


def tell_of(connection: Connection, change_id: str, tell: Tell) -> None:
    """Held, so that what is told of its next state comes after."""
    if (change := _held(connection, change_id)) is not None:
        add_events(connection, tell(change, list_answers(connection, change_id)))


def check_counted(connection: Connection, moved: Change, counted: int) -> None:
    """Raises AnsweredError where people have said more than `moved` rests on. They say no more until this transaction ends."""
    _held(connection, moved.id)
    snooze = get_snooze(connection, moved.id)
    rested = moved.question.snoozed_until if moved.question else None
    if len(list_answers(connection, moved.id)) != counted or (snooze.until if snooze else None) != rested:
        raise AnsweredError(f"{moved.id} was answered while its answers were counted.")


def _held(connection: Connection, change_id: str) -> Change | None:
    """Nobody moves it, or answers about it, until this transaction ends."""
    body = connection.scalar(sa.select(changes.c.body).where(changes.c.id == change_id).with_for_update())
    return None if body is None else load(Change, body)


def list_answers(connection: Connection, change_id: str) -> list[Answer]:
    """In the order in which they were given."""
    query = sa.select(answers.c.body).where(answers.c.change_id == change_id).order_by(answers.c.at, answers.c.who)
    return [load(Answer, body) for body in connection.scalars(query)]


def get_snooze(connection: Connection, change_id: str) -> Snooze | None:
    """The last one."""
    body = connection.scalar(sa.select(snoozes.c.body).where(snoozes.c.change_id == change_id))
    return None if body is None else load(Snooze, body)


def delivered_at(connection: Connection, event_id: str) -> int | None:
    """When an event arrived; None: it has not."""
    return connection.scalar(sa.select(events.c.delivered_at).where(events.c.id == event_id))


def put_gone_live(connection: Connection, word: GoneLive, told: Sequence[Event]) -> None:
    """One a service, written anew."""
    upsert(connection, gone_live, {"service_id": word.service_id, "body": dump(word)})
    add_events(connection, told)


def get_gone_live(connection: Connection, service_id: str) -> GoneLive | None:
    """As last written."""
    body = connection.scalar(sa.select(gone_live.c.body).where(gone_live.c.service_id == service_id))
    return None if body is None else load(GoneLive, body)
