"""The processes of one instance, as uvicorn and gunicorn start them with `-w N`: each maps its ledger in a common folder.

A lock that the system gives back tells who is alive, also after a SIGKILL. What a dead process counted stays: its file as long as
the windows may still need it, then as a part of `retired.json`. Files come to be and are folded under one lock for the folder, so
whatever a crash leaves behind is seen as such by the next who holds it. Readers need no lock: a look counts only when
`retired.json` is the same after it as before, since that file says which of the others are counted in it.
"""

import contextlib
import fcntl
import json
import logging
import math
import mmap
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from app_core import ledger
from app_core.family import SUFFIX, is_locked
from app_core.ledger import QUARTER_HOUR, Kind, Ledger
from app_core.view import Member

T = TypeVar("T")

_RETIRED, _INSTANCE, _LOCK, _DRAFT = "retired.json", "instance.json", "lock", "draft"
_REMEMBERED = QUARTER_HOUR.seconds + QUARTER_HOUR.slice_seconds  # seconds that a dead process's file is of use
_MOST_DEAD = 64  # files kept at most: a worker that ends every second must not fill the disk
_LOOKS = 10  # before a folder counts as unreadable; the second is needed when a file retires meanwhile
_GRAIN = 1 << 20  # parts of one: sums of such parts have no rounding error, whatever their order

logger = logging.getLogger("app_core")


class Birth(NamedTuple):
    """What all processes of an instance agree on: who it is and when the first of them started."""

    id: str
    started_at: str  # ISO 8601, UTC
    clock: float  # the same on the processes' common clock
    cpu_seconds: float  # what the instance's control group had used by then


class _Open(NamedTuple):
    lock: int  # a file that the process holds locked as long as it lives
    ledger: Ledger


class _Retired(NamedTuple):
    stamp: tuple[int, int, int] | None  # of its file; None where there is none
    names: frozenset[str]  # of files that are counted in it, and may still be there
    ledger: Ledger | None


class Siblings:
    """One process's place among them. A child that it forks must `leave`.

    Args:
        folder: common to all of them, and to no other instance; made if it is not there.
        birth: said by this process, if it is the first.

    Raises:
        OSError: the folder can't be used, holds what it should not, or the disk is full.
    """

    def __init__(self, folder: Path, birth: Birth) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.lstat().st_uid != os.geteuid():
            raise PermissionError(f"{folder} belongs to another user")
        self._name = f"{os.getpid()}-{time.time_ns()}{SUFFIX}"
        self._files: dict[str, _Open] = {}
        self._names: list[str] = []  # of the members, sorted
        self._dead: set[str] = set()
        self._retired = _Retired(None, frozenset(), None)
        self._warned = False
        try:
            with self._locked():
                self.birth = self._agree(birth)
                self._look()
                self._sweep()
                self._files[self._name] = self._create()
        except BaseException:
            self.leave()
            raise
        self._names = sorted(self._files)

    @property
    def own(self) -> Ledger:
        """Where this process counts."""
        return self._files[self._name].ledger

    def members(self) -> list[Member]:
        """All processes, dead or alive; those of the last good look when the folder can't be read any more."""
        try:
            self._look()
        except OSError as error:
            self._warn(error)
        members = [Member(self._files[name].ledger, name == self._name or self._is_alive(name)) for name in self._names]
        retired = self._retired.ledger
        return members if retired is None else [*members, Member(retired, alive=False)]

    def retire(self, second: int) -> None:
        """Fold the files of processes that died long ago into one; does nothing while another process is at it.

        Args:
            second: whole second of the common clock.
        """
        if not self._old(second):
            return
        try:
            with self._locked(fcntl.LOCK_NB):
                self._look()
                if old := self._old(second):
                    self._fold(old)
        except BlockingIOError:
            return
        except OSError as error:
            self._warn(error)

    def leave(self) -> None:
        """Be no member any more: what this process counted stays, as if it were dead."""
        for file in self._files.values():
            os.close(file.lock)  # the maps go with their last readers
        self._files.clear()
        self._names.clear()

    def _warn(self, error: OSError) -> None:
        if not self._warned:
            self._warned = True
            logger.warning(
                "processes that start from now on may be missing from the numbers, since %s can't be used: %s",
                self._folder,
                error,
            )

    # Reading

    def _look(self) -> None:
        for _ in range(_LOOKS):
            retired = self._read_retired()
            names = {name for name in os.listdir(self._folder) if name.endswith(SUFFIX)}  # noqa: PTH208 - half the time
            names -= retired.names
            names |= self._files.keys() & {self._name}  # even when somebody has removed it
            try:
                for name in names - self._files.keys():
                    self._files[name] = self._open(name)
            except FileNotFoundError:  # retired since
                continue
            if self._stamp() == retired.stamp:
                break
        else:
            raise OSError(f"{self._folder} changes all the time")
        self._retired = retired
        if self._files.keys() != names:
            for name in self._files.keys() - names:
                self._dead.discard(name)
                os.close(self._files.pop(name).lock)
        self._names = sorted(names)

    def _open(self, name: str) -> _Open:
        lock = os.open(self._folder / name, os.O_RDONLY)
        size = os.fstat(lock).st_size
        if size != ledger.SIZE:
            os.close(lock)
            raise OSError(f"{name} has {size} bytes instead of {ledger.SIZE}")
        return _Open(lock, Ledger(memoryview(mmap.mmap(lock, 0, access=mmap.ACCESS_READ))))

    def _is_alive(self, name: str) -> bool:
        if name in self._dead:
            return False
        if is_locked(self._files[name].lock):
            return True
        self._dead.add(name)
        return False

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            status = os.stat(f"{self._folder}/{_RETIRED}")  # noqa: PTH116 - twice in every look, half the time
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _read_retired(self) -> _Retired:
        stamp = self._stamp()
        if stamp == self._retired.stamp:
            return self._retired
        return self._parse(_RETIRED, lambda content: _Retired(stamp, frozenset(content["files"]), _folded(content)))

    def _parse(self, name: str, make: Callable[[Any], T]) -> T:
        path = self._folder / name
        try:
            return make(json.loads(path.read_bytes()))
        except (ValueError, TypeError, LookupError) as error:
            raise OSError(f"{path} is damaged, remove its folder and restart: {error!r}") from error

    # Writing: only under the lock of the folder

    @contextlib.contextmanager
    def _locked(self, flags: int = 0) -> Iterator[None]:
        lock = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | flags)
            try:
                yield
            finally:
                fcntl.flock(lock, fcntl.LOCK_UN)  # by name: a child forked meanwhile has the file open too
        finally:
            os.close(lock)

    def _agree(self, birth: Birth) -> Birth:
        if not (self._folder / _INSTANCE).exists():
            self._write(_INSTANCE, birth._asdict())
        return self._parse(_INSTANCE, lambda content: Birth(**content))

    def _create(self) -> _Open:
        draft = self._folder / _DRAFT
        lock = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _write_in_full(lock, bytes(ledger.SIZE))  # a hole on a full disk would kill the process later
            with draft.open("r+b") as file:  # another one: a map can't be closed, and a child's would hold the lock
                own = Ledger(memoryview(mmap.mmap(file.fileno(), ledger.SIZE)))
            draft.rename(self._folder / self._name)
        except BaseException:
            os.close(lock)
            draft.unlink(missing_ok=True)
            raise
        return _Open(lock, own)

    def _old(self, second: int) -> list[str]:
        dead = sorted((self._files[name].ledger.cells[ledger.SECOND], name) for name in self._dead)
        excess = len(dead) - _MOST_DEAD
        return [name for number, (last, name) in enumerate(dead) if number < excess or second - last > _REMEMBERED]

    def _fold(self, names: list[str]) -> None:
        folded = Ledger()
        if self._retired.ledger is not None:
            _add_up(folded, self._retired.ledger)
        for name in names:
            _add_up(folded, self._files[name].ledger)
        self._sweep()  # what retired.json lists from here on are these alone
        content = {
            "files": names,
            "scalars": folded.totals(0, ledger.SCALARS),
            "histograms": folded.totals(ledger.HISTOGRAM, ledger.TOTALS),
            "named": [
                (kind, name, folded.totals(place, place + ledger.VALUES))
                for kind in Kind
                for name, place in folded.names_of(kind).items()
            ],
        }
        self._write(_RETIRED, content)
        self._look()
        self._sweep()

    def _sweep(self) -> None:
        """Remove files that are counted in `retired.json`."""
        for name in self._retired.names:
            (self._folder / name).unlink(missing_ok=True)

    def _write(self, name: str, content: object) -> None:
        draft = self._folder / _DRAFT
        draft.write_text(json.dumps(content))
        draft.rename(self._folder / name)


def _write_in_full(file: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(file, rest) :]


def _folded(content: Any) -> Ledger:
    folded = Ledger()
    folded.put(0, *content["scalars"])
    folded.put(ledger.HISTOGRAM, *content["histograms"])
    for kind, name, values in content["named"]:
        folded.put(folded.place_of(Kind(kind), name), *values)
    return folded


def _add_up(total: Ledger, other: Ledger) -> None:
    """Add totals, seconds rounded up by a millionth at most, since no sum may fall because its parts are added in another order."""
    total.add(0, *map(_rounded_up, other.totals(0, ledger.SCALARS)))
    total.add(ledger.HISTOGRAM, *other.totals(ledger.HISTOGRAM, ledger.TOTALS))
    for kind in Kind:
        for name, place in other.names_of(kind).items():
            total.add(total.place_of(kind, name), *map(_rounded_up, other.totals(place, place + ledger.VALUES)))


def _rounded_up(value: float) -> float:
    return math.ceil(value * _GRAIN) / _GRAIN
