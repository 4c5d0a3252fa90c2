import asyncio
import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from autoscaler.adapters.store import schema
from autoscaler.adapters.store.tables import HEAD, metadata
from autoscaler.errors import StoreError
from tests.support.stored import SERVICE, a_change, a_pass, a_reading

MIGRATE = """
import asyncio, sys
from autoscaler.adapters.store import open_store

async def main():
    store = open_store(sys.argv[1])
    await store.migrate()
    await store.close()
    print("alembic loaded:", "alembic" in sys.modules)

asyncio.run(main())
"""


def _set_revision(store, revision):
    with store.database.engine.connect().execution_options(writes=True) as connection, connection.begin():
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")  # noqa: S608 - a test's own words


async def test_an_empty_database_gets_its_tables_and_a_second_time_changes_nothing(url, open_another):
    store = open_another(url)
    await store.migrate()
    await store.record(a_pass(a_reading(), change=a_change()))
    await store.migrate()
    assert await store.observations(SERVICE, 0) == [a_reading()]


async def test_workers_that_start_at_once_migrate_once(url, open_another):
    stores = [open_another(url) for _ in range(4)]
    await asyncio.gather(*(store.migrate() for store in stores))
    for number, store in enumerate(stores):
        await store.record(a_pass(a_reading(number)))
    assert len(await stores[0].observations(SERVICE, 0)) == 4


def test_processes_that_start_at_once_migrate_once(url):
    workers = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", MIGRATE, url], stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own interpreter
        for _ in range(2)
    ]
    answers = sorted(worker.communicate(timeout=60)[0] for worker in workers)
    assert [worker.returncode for worker in workers] == [0, 0]
    assert answers in (["alembic loaded: False\n", "alembic loaded: True\n"], ["alembic loaded: True\n"] * 2)


def test_the_tables_in_the_code_are_those_that_the_migrations_make(migrated_url, store):
    with store.database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_the_open_change_index_counts_the_states_that_core_calls_open(store):
    with store.database.engine.connect() as connection:
        found = {index.name: index for index in metadata.tables["changes"].indexes}["one_open_change"]
        dialect = connection.dialect.name
        migrated = connection.exec_driver_sql(
            "SELECT sql FROM sqlite_master WHERE name = 'one_open_change'"
            if dialect == "sqlite"
            else "SELECT indexdef FROM pg_indexes WHERE indexname = 'one_open_change'"
        ).scalar_one()
    assert str(found.dialect_options[dialect]["where"]) == "state IN ('applying', 'approved', 'soaking')"
    assert all(f"'{state}'" in migrated for state in ("applying", "approved", "soaking"))
    assert "UNIQUE" in migrated


def test_revisions_are_numbers_that_go_up_to_the_head_of_this_release():
    revisions = [one.revision for one in ScriptDirectory(str(schema.MIGRATIONS)).walk_revisions()]
    assert revisions[0] == HEAD
    assert revisions == sorted(revisions, reverse=True)
    assert all(len(revision) == 4 and revision.isdecimal() for revision in revisions)


async def test_a_schema_newer_than_this_release_is_left_alone_and_said(store, reopen):
    await store.record(a_pass(a_reading()))
    _set_revision(store, "9999")
    later = reopen()
    for attempt in (later.migrate(), later.record(a_pass(a_reading())), later.last_verdicts()):
        with pytest.raises(StoreError, match=r"written by a newer release .*9999.*Run the newer release"):
            await attempt
    _set_revision(store, HEAD)
    assert len(await store.observations(SERVICE, 0)) == 1


async def test_an_older_schema_is_not_read_but_brought_up_to_date_first(store, reopen):
    _set_revision(store, "0000")
    with pytest.raises(StoreError, match=r"older schema 0000.*`autoscaler run` brings it up to date"):
        await reopen().heartbeats()


async def test_a_revision_that_no_release_made_is_an_error_that_says_so(store, reopen):
    _set_revision(store, "0000")
    with pytest.raises(StoreError, match=r"can't be brought up to date: .*'0000'"):
        await reopen().migrate()


async def test_a_database_without_our_tables_is_told_apart_from_one_with_no_data(url, open_another):
    await open_another(url).close()
    store = open_another(url)
    if store.address.file is not None:
        store.address.file.parent.mkdir(parents=True)
    with pytest.raises(StoreError, match=r"no data of this program yet. `autoscaler run` creates its tables"):
        await store.last_verdicts()


async def test_the_apps_own_tables_on_the_same_postgres_are_not_touched(postgres, open_another):
    url = postgres.new_database()
    with postgres.admin(url.rpartition("/")[2]) as connection:
        connection.execute("CREATE TABLE events (id integer); CREATE TABLE alembic_version (version_num text)")
        connection.execute("INSERT INTO alembic_version VALUES ('zzz-the-apps-own')")
        await open_another(url).migrate()
        query = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'autoscaler') ORDER BY 1, 2"
        assert connection.execute(query).fetchall() == [
            *(("autoscaler", name) for name in sorted([*metadata.tables, "alembic_version"])),
            ("public", "alembic_version"),
            ("public", "events"),
        ]
        assert connection.execute("SELECT * FROM public.alembic_version").fetchall() == [("zzz-the-apps-own",)]


async def test_a_role_without_create_can_use_a_schema_that_was_made_for_it(postgres, open_another):
    url = postgres.new_database()
    database = url.rpartition("/")[2]
    with postgres.admin(database) as connection:
        connection.execute(
            f"CREATE ROLE plain_{database} LOGIN PASSWORD 'plain'; REVOKE CREATE ON SCHEMA public FROM PUBLIC"
        )
        plain = f"postgresql://plain_{database}:plain@127.0.0.1:{postgres.port}/{database}"
        with pytest.raises(StoreError, match=r"permission denied.*needs CREATE on the database"):
            await open_another(plain).migrate()
        connection.execute(f"CREATE SCHEMA autoscaler AUTHORIZATION plain_{database}")
        await open_another(plain).migrate()


def test_a_worker_that_only_restarts_does_not_load_alembic(migrated_url):
    answer = subprocess.check_output([sys.executable, "-c", MIGRATE, migrated_url], text=True)  # noqa: S603 - our own interpreter
    assert answer == "alembic loaded: False\n"


async def test_migrating_logs_nothing(url, open_another, caplog):
    caplog.set_level("DEBUG")
    await open_another(url).migrate()
    assert [record for record in caplog.records if record.levelname != "DEBUG"] == []
