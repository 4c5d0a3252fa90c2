"""INSERTs that know what to do about a row that is there already."""

from functools import cache

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection


def insert(connection: Connection, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    """Both dialects know ON CONFLICT, and SQLAlchemy gives each its own INSERT for it."""
    return _insert(connection.dialect.name, table)


def _insert(dialect: str, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def upsert(connection: Connection, table: sa.Table, row: dict[str, object]) -> None:
    """Insert the row, or write it anew by its primary key."""
    connection.execute(_upsert(connection.dialect.name, table, tuple(row)), row)


@cache
def _upsert(dialect: str, table: sa.Table, names: tuple[str, ...]) -> postgresql.Insert | sqlite.Insert:
    keys = [column.name for column in table.primary_key]
    statement = _insert(dialect, table).values({name: sa.bindparam(name) for name in names})
    given = {name: statement.excluded[name] for name in names if name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=given)
