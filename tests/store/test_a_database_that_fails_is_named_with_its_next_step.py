import asyncio
import os
import socket
import sqlite3
import traceback
from contextlib import closing
from urllib.parse import quote

import pytest
from sqlalchemy import event

from autoscaler.adapters.store import open_store
from autoscaler.adapters.store.address import parse
from autoscaler.core.observations import Miss, Missed
from autoscaler.errors import StoreError, UsageError
from tests.support.postgres import PASSWORD
from tests.support.stored import SERVICE, a_pass, a_reading


async def _fails(work) -> str:
    """The text of the StoreError, after a look at all that a log could show of it."""
    with pytest.raises(StoreError) as caught:
        await work
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__context__)
    assert PASSWORD not in shown
    assert quote(PASSWORD, safe="") not in shown
    return str(caught.value)


def _pragma(store, statement):
    """Have every connection of that store begin with it."""
    event.listen(store.database.engine, "connect", lambda connection, _: connection.execute(statement))


async def test_the_folder_of_a_sqlite_file_is_created(tmp_path, open_another):
    await open_another(f"sqlite:///{tmp_path}/a/b/c.db").migrate()
    assert (tmp_path / "a/b/c.db").exists()


async def test_a_folder_that_cannot_be_created(tmp_path, open_another):
    (tmp_path / "file").touch()
    words = await _fails(open_another(f"sqlite:///{tmp_path}/file/autoscaler.db").migrate())
    assert str(tmp_path / "file/autoscaler.db") in words
    assert "can't be created" in words
    assert "DATABASE_URL" in words


async def test_a_path_that_is_a_folder(tmp_path, open_another):
    words = await _fails(open_another(f"sqlite:///{tmp_path}").migrate())
    assert words.startswith(f"SQLite file {tmp_path}: unable to open database file. The folder must exist")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_folder_without_the_right_to_write(tmp_path, open_another):
    tmp_path.chmod(0o500)
    words = await _fails(open_another(f"sqlite:///{tmp_path}/autoscaler.db").migrate())
    assert "must be able to write" in words


async def test_a_file_that_is_something_else(tmp_path, open_another):
    file = tmp_path / "letter.txt"
    file.write_text("Dear founder, " * 1_000)
    words = await _fails(open_another(f"sqlite:///{file}").migrate())
    assert (
        words
        == f"SQLite file {file}: file is not a database. The file is something else: point DATABASE_URL at another path."
    )


async def test_looking_at_a_file_that_is_not_there_creates_none(tmp_path, open_another):
    words = await _fails(open_another(f"sqlite:///{tmp_path}/autoscaler.db", read_only=True).heartbeats())
    assert "`autoscaler run` creates the file" in words
    assert list(tmp_path.iterdir()) == []


async def test_a_reader_writes_nothing(store, reopen):
    await store.record(a_pass(a_reading()))
    reader = reopen(read_only=True)
    assert await reader.observations(SERVICE, 0) == [a_reading()]
    words = await _fails(reader.record(a_pass(a_reading())))
    assert "readonly" in words or "read-only" in words
    assert await store.observations(SERVICE, 0) == [a_reading()]


@pytest.mark.parametrize("name", ("a%20b", "what?mode=rw", "half#full", "with space"))
async def test_a_reader_opens_a_file_whose_name_means_something_in_a_uri(tmp_path, open_another, name):
    url = f"sqlite:///{quote(str(tmp_path / name))}" if "?" in name else f"sqlite:///{tmp_path / name}"
    writer = open_another(url)
    await writer.migrate()
    assert await open_another(url, read_only=True).heartbeats() == []


async def test_a_file_that_another_process_keeps_locked(tmp_path, open_another):
    store = open_another(f"sqlite:///{tmp_path}/autoscaler.db")
    _pragma(store, "PRAGMA busy_timeout = 0")
    await store.migrate()
    with closing(sqlite3.connect(tmp_path / "autoscaler.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        words = await _fails(store.record(a_pass(a_reading())))
        assert await store.observations(SERVICE, 0) == []  # reading goes on
    assert "database is locked. Another process holds its lock" in words
    await store.record(a_pass(a_reading()))


async def test_a_full_disk_keeps_nothing_of_the_pass(tmp_path, open_another):
    store = open_another(f"sqlite:///{tmp_path}/autoscaler.db")
    await store.migrate()
    with store.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 40")
    await store.record(a_pass(a_reading()))
    huge = a_pass(a_reading(2), Missed(3, Miss.MISCONFIGURED, "x" * 400_000))
    assert "database or disk is full. The disk is full: make room" in await _fails(store.record(huge))
    assert await store.observations(SERVICE, 0) == [a_reading()]
    await store.record(a_pass(a_reading(4)))


async def test_what_postgres_says_is_told_without_the_statement(store):
    if store.address.file is not None:
        pytest.skip("SQLite's words hold no statement")
    with store.database.engine.connect() as connection, connection.begin():
        connection.exec_driver_sql("ALTER TABLE observations RENAME TO gone")
    words = await _fails(store.record(a_pass(a_reading())))
    with store.database.engine.connect() as connection, connection.begin():
        connection.exec_driver_sql("ALTER TABLE gone RENAME TO observations")
    assert words.endswith('relation "observations" does not exist. Please report this (SQLSTATE 42P01).')


async def test_a_postgres_that_is_not_there(open_another):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, not listening: refused
        port = nobody.getsockname()[1]
        words = await _fails(
            open_another(f"postgres://founder:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/app").migrate()
        )
    assert words.startswith(f"Postgres at 127.0.0.1:{port}, database app: ")
    assert "Connection refused" in words
    assert "that the database is running" in words


async def test_a_password_that_is_wrong(postgres, open_another):
    words = await _fails(open_another(postgres.url("postgres", password="wr0ng")).migrate())
    assert "wr0ng" not in words
    assert words.endswith("Check user and password in DATABASE_URL.")


async def test_a_database_that_does_not_exist(postgres, open_another):
    words = await _fails(open_another(postgres.url("nowhere")).migrate())
    assert words.endswith("Create that database, or correct its name in DATABASE_URL.")


async def test_connections_that_the_server_dropped_are_made_anew(postgres, open_another):
    url = postgres.new_database()
    store = open_another(url)
    await store.migrate()
    await asyncio.gather(*(store.record(a_pass(a_reading(number))) for number in range(3)))
    with postgres.admin() as connection:
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        dropped = connection.execute(query, [url.rpartition("/")[2]]).fetchall()
    assert 1 <= len(dropped) <= 3
    assert len(await store.observations(SERVICE, 0)) == 3


async def test_postgres_is_asked_for_three_connections_at_most(postgres, open_another):
    url = postgres.new_database()
    store = open_another(url)
    await store.migrate()
    await asyncio.gather(*(store.record(a_pass(a_reading(number))) for number in range(20)))
    with postgres.admin() as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
        assert connection.execute(query, [url.rpartition("/")[2]]).fetchone() <= (3,)


@pytest.mark.parametrize(
    "url",
    (
        "",
        "hunter2",
        "mysql://founder:hunter2@host/db",
        "postgres://founder:hunter2@host:port/db",
        "postgres://founder:hun@ter2@host/db",
        "postgres://founder:hun@te/r2@host/db",
        "postgres:///db",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file.db?key=hunter2",
    ),
)
def test_a_url_that_cannot_serve_is_refused_without_repeating_it(url):
    with pytest.raises(UsageError, match="DATABASE_URL") as caught:
        open_store(url)
    shown = "".join(traceback.format_exception(caught.value)).lower()
    assert "hunter2" not in shown
    assert "ter2" not in shown
    assert "r2@" not in shown
    assert "sqlite:///folder/file.db" in shown


def test_nothing_that_can_be_printed_of_a_store_shows_user_or_password():
    url = "postgres://founder:hunter2@db.internal:5433/app?sslpassword=hunter3"
    store = open_store(url)
    shown = f"{store!r} {store} {store.address!r} {store.address} {store.database.engine!r}"
    assert "Postgres at db.internal:5433, database app" in shown
    assert "hunter" not in shown


def test_a_password_in_a_drivers_words_is_hidden_however_it_is_spelled():
    address = parse(f"postgres://founder:{quote(PASSWORD, safe='')}@host/app")
    assert address.hide(f"no {PASSWORD} and no {quote(PASSWORD, safe='')}!") == "no *** and no ***!"
