"""Where the database is: a URL taken apart so that its password shows nowhere."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from autoscaler.errors import UsageError

_FORMS = "Write sqlite:///folder/file.db, or postgresql://user:password@host:5432/database (special characters in the password as %XX)."
_POSTGRES = frozenset({"postgres", "postgresql", "postgresql+psycopg"})


@dataclass(frozen=True, slots=True)
class Address:
    """One database. `where` names it for people, without user or password."""

    where: str
    file: Path | None
    """The SQLite file, absolute; None on Postgres."""
    url: URL = field(repr=False)

    def hide(self, text: str) -> str:
        """`text`, should a driver's words hold the password, without it."""
        secrets = [self.url.password, *(value for key, value in self.url.query.items() if "password" in key)]
        for secret in secrets:
            for spelling in {str(secret), quote(str(secret), safe=""), quote_plus(str(secret))} if secret else ():
                text = text.replace(spelling, "***")
        return text


def parse(url: str) -> Address:
    """Take a database URL apart. Raises UsageError, which never repeats the URL, when it is neither SQLite's nor Postgres'."""
    try:
        parts = make_url(url)
    except (ArgumentError, ValueError):
        raise UsageError(f"DATABASE_URL can't be read as a URL. {_FORMS}") from None
    if parts.drivername == "sqlite":
        return _sqlite(parts)
    if parts.drivername not in _POSTGRES:
        raise UsageError(
            f"DATABASE_URL begins with {parts.drivername}://, which is no database this program can use. {_FORMS}"
        )
    if not parts.host and "host" not in parts.query:
        raise UsageError(f"DATABASE_URL names no host. {_FORMS}")
    if "@" in f"{parts.host}{parts.database}":
        # The rest of a password, which must not be shown as a host.
        raise UsageError(f"DATABASE_URL has more than one @: one inside the password is written %40. {_FORMS}")
    port = f":{parts.port}" if parts.port else ""
    where = f"Postgres at {parts.host or parts.query['host']}{port}, database {parts.database or '(default)'}"
    return Address(where=where, file=None, url=parts.set(drivername="postgresql+psycopg"))


def _sqlite(parts: URL) -> Address:
    if not parts.database or parts.database == ":memory:" or parts.host or parts.query:
        raise UsageError(f"DATABASE_URL must name an SQLite file, and nothing else. {_FORMS}")
    file = Path(parts.database).expanduser().resolve()
    return Address(where=f"SQLite file {file}", file=file, url=URL.create("sqlite", database=str(file)))
