"""What a database says when it fails, as an error a person can act on."""

import sqlite3

from sqlalchemy.exc import SQLAlchemyError

from autoscaler.adapters.store.address import Address
from autoscaler.errors import StoreError

_CHECK_URL = "Check host, port and database in DATABASE_URL, and that the database is running."

_SQLITE = {
    sqlite3.SQLITE_BUSY: "Another process holds its lock for long: is a second worker or a backup running? A worker tries again on its next pass.",
    sqlite3.SQLITE_READONLY: "Give this user the right to write the file and its folder.",
    sqlite3.SQLITE_CANTOPEN: "The folder must exist, and this user must be able to write in it; `autoscaler run` creates the file.",
    sqlite3.SQLITE_FULL: "The disk is full: make room, nothing of this pass was kept.",
    sqlite3.SQLITE_IOERR: "The disk refused: check that it is mounted and has room.",
    sqlite3.SQLITE_CORRUPT: "The file is damaged: restore a backup, or move it away and start anew.",
    sqlite3.SQLITE_NOTADB: "The file is something else: point DATABASE_URL at another path.",
}
"""By primary result code: https://www.sqlite.org/rescode.html"""

_POSTGRES_STATES = {
    "28": "Check user and password in DATABASE_URL.",
    "3D": "Create that database, or correct its name in DATABASE_URL.",
    "42501": "This role needs CREATE on the database (or a schema `autoscaler` that it owns).",
    "25006": "This server takes no writes: use the primary's URL, not a replica's.",
    "53100": "The database's disk is full: make room, nothing of this pass was kept.",
    "55P03": "Another session holds a lock for long: is a migration or a VACUUM FULL running? A worker tries again on its next pass.",
    "53300": "The server has no connection left (this program takes three at most).",
    "57": "The server is stopping or starting: it is tried again on the next pass.",
}
"""By SQLSTATE or its class: https://www.postgresql.org/docs/current/errcodes-appendix.html"""

_POSTGRES_WORDS = {
    "authentication failed": _POSTGRES_STATES["28"],
    "no password supplied": _POSTGRES_STATES["28"],
    "pg_hba.conf": "The server lets no such user in from here: check the user, and `sslmode`, in DATABASE_URL.",
    "role": _POSTGRES_STATES["28"],
    "does not exist": _POSTGRES_STATES["3D"],
    "too many": _POSTGRES_STATES["53300"],
    "SSL": "Check `sslmode` in DATABASE_URL.",
}
"""A refused connection carries no SQLSTATE, only words; the first that fits."""


def store_error(address: Address, error: SQLAlchemyError) -> StoreError:
    """What failed, where, and what to do next; never the password, a statement or its parameters."""
    cause = getattr(error, "orig", None) or error
    # Postgres' text goes on with a line of the statement; its first sentence stands by itself too.
    said = getattr(getattr(cause, "diag", None), "message_primary", None) or str(cause)
    words = address.hide(" ".join(said.split())).rstrip(".")
    advice = _sqlite_advice(cause) if address.file else _postgres_advice(cause, words)
    return StoreError(f"{address.where}: {words}. {advice}")


def _sqlite_advice(cause: BaseException) -> str:
    code = getattr(cause, "sqlite_errorcode", None)
    return _SQLITE.get(code & 0xFF, "Please report this.") if code is not None else "Please report this."


def _postgres_advice(cause: BaseException, words: str) -> str:
    state = getattr(cause, "sqlstate", None)
    if state:
        return (
            _POSTGRES_STATES.get(state) or _POSTGRES_STATES.get(state[:2]) or f"Please report this (SQLSTATE {state})."
        )
    return next((advice for word, advice in _POSTGRES_WORDS.items() if word in words), _CHECK_URL)
