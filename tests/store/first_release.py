"""What the first release left in its database when it was killed in the middle of a change."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from autoscaler.adapters.store import open_store, schema
from autoscaler.adapters.store.tables import SCHEMA

ROWS = Path(__file__).with_name("first_release.sql").read_text("utf-8")
KILLED_AT = 1767603620000
"""When its worker was killed, ms: a change was applying, its second step written down and without an outcome."""
LIVE_THEN = "dep-05bdx8z3zvn6ivevew8j"
"""The deploy that was live when that change began."""


async def left_by_the_first_release(url, rows=ROWS):
    """Write its schema, and these rows, into an empty database."""
    store = open_store(url)
    if store.address.file is not None:
        store.address.file.parent.mkdir(exist_ok=True)
    with store.database.engine.connect().execution_options(writes=True) as connection, connection.begin():
        if store.address.file is None:
            connection.execute(sa.schema.CreateSchema(SCHEMA))
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(schema.MIGRATIONS))
        command.upgrade(config, "0001")
    with store.database.engine.connect().execution_options(writes=True) as connection, connection.begin():
        for line in rows.splitlines():
            if line.startswith("INSERT"):
                connection.connection.cursor().execute(line)  # past SQLAlchemy, to which a % means something
    await store.close()
