"""The tables. Columns are what the queries ask for; everything else of a value is in `body`, its JSON.

Times are integer milliseconds UTC. On Postgres all of it lives in the schema `autoscaler`, reached through `search_path`.
"""

import re
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from autoscaler.core.change import OPEN

HEAD = "0006"
"""The revision that this release reads and writes. Revisions are numbers of four digits, so that they compare as text."""

SCHEMA = "autoscaler"

UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""Postgres refuses NUL, both databases refuse half a surrogate pair; a message from outside may hold either."""


def clean(text: str) -> str:
    """The text with U+FFFD where a character can't be stored."""
    return UNSTORABLE.sub("\ufffd", text)


class CleanText(sa.TypeDecorator[str]):
    """Text that any database takes."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Python to database."""
        return None if value is None else clean(value)


metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _number() -> sa.Column[int]:
    """Arrival order. SQLite counts by itself only in an INTEGER."""
    whole = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("number", whole, primary_key=True, autoincrement=True)


def _text(name: str, *, nullable: bool = False, **options: Any) -> sa.Column[str]:
    return sa.Column(name, CleanText, nullable=nullable, **options)


def _time(name: str, *, nullable: bool = False, **options: Any) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=nullable, **options)


def _partial(name: str, *columns: str, where: sa.TextClause, unique: bool = False) -> sa.Index:
    return sa.Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


observations = sa.Table(
    "observations",
    metadata,
    _number(),
    _text("service_id"),
    _time("at"),
    _text("kind"),
    _text("body"),
    sa.Index("ix_observations_service_id_at", "service_id", "at"),
    _partial("ix_observations_tier_changes", "service_id", where=sa.text("kind = 'tier_changed'")),
)

hours = sa.Table(
    "hours",
    metadata,
    _text("service_id", primary_key=True),
    _time("hour", primary_key=True, autoincrement=False),
    _text("body"),
)
"""What readings of more than 30 days ago have become: one an hour."""

verdicts = sa.Table(
    "verdicts",
    metadata,
    _number(),
    _text("service_id"),
    _text("service"),
    _time("first_at"),
    _time("last_at"),
    _text("ask"),
    _text("why"),
    _text("blockers"),
    _text("tier", nullable=True),
    _text("key"),
    _text("body"),
    sa.Index("ix_verdicts_service_id_number", "service_id", "number"),
)

changes = sa.Table(
    "changes",
    metadata,
    _text("id", primary_key=True),
    _text("service_id"),
    _text("state"),
    _time("due_at"),
    _time("created_at"),
    _text("body"),
    sa.Index("ix_changes_service_id_created_at", "service_id", "created_at"),
    sa.Index("ix_changes_state_due_at", "state", "due_at"),
    _partial(
        "one_open_change",
        "service_id",
        unique=True,
        where=sa.text("state IN ({})".format(", ".join(f"'{state}'" for state in sorted(OPEN)))),
    ),
)

answers = sa.Table(
    "answers",
    metadata,
    sa.Column("change_id", CleanText, sa.ForeignKey("changes.id"), primary_key=True),
    _text("who", primary_key=True),
    _time("at"),
    _text("body"),
)
"""What people said about a change that waits for a yes: each of them once."""

snoozes = sa.Table(
    "snoozes",
    metadata,
    sa.Column("change_id", CleanText, sa.ForeignKey("changes.id"), primary_key=True),
    _text("body"),
)
"""Until when a question rests."""

journal = sa.Table(
    "journal",
    metadata,
    sa.Column("change_id", CleanText, sa.ForeignKey("changes.id"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    _time("at"),
    _text("body"),
)

events = sa.Table(
    "events",
    metadata,
    _number(),
    _text("id", unique=True),
    _text("service_id"),
    _text("thread", nullable=True),
    _time("at"),
    sa.Column("attempts", sa.Integer, nullable=False),
    _time("retry_at", nullable=True),  # null: will never be tried again
    _time("delivered_at", nullable=True),
    _text("error", nullable=True),
    _text("reference", nullable=True),
    _text("body"),
    sa.Index("ix_events_thread_number", "thread", "number"),
    sa.Index("ix_events_delivered_at", "delivered_at"),
)

heartbeats = sa.Table(
    "heartbeats",
    metadata,
    _text("worker", primary_key=True),
    _time("at"),
    _text("body"),
    # By the database's clock, since workers' clocks may differ; 0: it said good-bye.
    sa.Column("seen_at", sa.BigInteger, nullable=False, server_default=sa.text("0")),
)

leases = sa.Table(
    "leases",
    metadata,
    _text("service_id", primary_key=True),
    _text("holder"),
    _time("epoch"),  # a count: it grows whenever the holder changes
    _time("expires_at"),
)

gone_live = sa.Table(
    "gone_live",
    metadata,
    _text("service_id", primary_key=True),
    _text("body"),
)
"""Policies that only observe, and that somebody let act."""

pauses = sa.Table(
    "pauses",
    metadata,
    _text("service_id", primary_key=True),
    _text("body"),
)
