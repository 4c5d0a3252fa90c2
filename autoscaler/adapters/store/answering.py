"""The queries about what people answer: a change that waits for a yes, and who said what."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from autoscaler.adapters.store.bodies import dump, load
from autoscaler.adapters.store.tables import answers, changes, events
from autoscaler.adapters.store.upserts import insert
from autoscaler.core.change import Change, State
from autoscaler.core.consent import Answer


def add_answer(connection: Connection, answer: Answer) -> Change | None:
    """Keep it while its change waits for one, the first of each person only; the change as it is."""
    query = sa.select(changes.c.body).where(changes.c.id == answer.change_id).with_for_update()
    body = connection.scalar(query)
    if body is None:
        return None
    change = load(Change, body)
    if change.state is State.PROPOSED:
        row = {"change_id": answer.change_id, "who": answer.who, "at": answer.at, "body": dump(answer)}
        once = insert(connection, answers).values(row).on_conflict_do_nothing(index_elements=["change_id", "who"])
        connection.execute(once)
    return change


def list_answers(connection: Connection, change_id: str) -> list[Answer]:
    """In the order in which they were given."""
    query = sa.select(answers.c.body).where(answers.c.change_id == change_id).order_by(answers.c.at, answers.c.who)
    return [load(Answer, body) for body in connection.scalars(query)]


def delivered_at(connection: Connection, event_id: str) -> int | None:
    """When an event arrived; None: it has not."""
    return connection.scalar(sa.select(events.c.delivered_at).where(events.c.id == event_id))
