"""The processes of one instance, as uvicorn and gunicorn start them with `-w N`: each maps its ledger in a common folder.

A lock that the system gives back tells who is alive, also after a SIGKILL. What a dead process counted stays: its file as long as
the windows may still need it, then as a part of `retired.json`.
"""

import contextlib
import fcntl
import json
import mmap
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from app_core import ledger
from app_core.ledger import QUARTER_HOUR, Kind, Ledger
from app_core.view import Member

_SUFFIX = ".ledger"
_RETIRED, _INSTANCE, _LOCK = "retired.json", "instance.json", "lock"
_REMEMBERED = QUARTER_HOUR.seconds + QUARTER_HOUR.slice_seconds  # seconds that a dead process's file is of use
_MOST_DEAD = 64  # files kept at most: a worker that ends every second must not fill the disk


class Birth(NamedTuple):
    """What all processes of an instance agree on: who it is and when the first of them started."""

    id: str
    started_at: str  # ISO 8601, UTC
    clock: float  # the same on the processes' common clock
    cpu_seconds: float  # what the instance's control group had used by then


class _Open(NamedTuple):
    lock: int  # a file that the process holds locked as long as it lives
    ledger: Ledger


class Siblings:
    """One process's place among them.

    Args:
        folder: common to all of them, and to no other instance; made if it is not there.
        birth: said by this process, if it is the first.

    Raises:
        OSError: the folder can't be used, the disk is full.
    """

    def __init__(self, folder: Path, birth: Birth) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.lstat().st_uid != os.getuid():
            raise PermissionError(f"{folder} belongs to another user")
        self._name = f"{os.getpid()}-{time.time_ns()}{_SUFFIX}"
        self._others: dict[str, _Open] = {}
        self._dead: set[str] = set()
        self._retired: tuple[int, frozenset[str], Ledger] = (0, frozenset(), Ledger())
        self.birth = self._agree(birth)
        self._own = self._create()

    @property
    def own(self) -> Ledger:
        """Where this process counts."""
        return self._own.ledger

    def members(self) -> list[Member]:
        """All processes, dead or alive, in an order that is the same for all of them."""
        for _ in range(3):  # a file may be retired between two looks
            with contextlib.suppress(FileNotFoundError):
                return self._members()
        return [Member(self.own, alive=True)]

    def _members(self) -> list[Member]:
        names = sorted(entry.name for entry in os.scandir(self._folder) if entry.name.endswith(_SUFFIX))
        retired_names, retired = self._read_retired()
        members = [
            Member(self.own, alive=True) if name == self._name else Member(self._open(name), self._is_alive(name))
            for name in names
            if name not in retired_names
        ]
        for name in self._others.keys() - names:
            self._close(name)
        return [*members, Member(retired, alive=False)] if retired_names else members

    def retire(self, second: int) -> None:
        """Fold the files of processes that died long ago into one; does nothing while another process is at it.

        Args:
            second: whole second of the common clock.
        """
        with contextlib.suppress(BlockingIOError, FileNotFoundError), self._locked():
            self._members()
            dead = sorted(
                (self._others[name].ledger.cells[ledger.SECOND], name) for name in self._dead & self._others.keys()
            )
            excess = len(dead) - _MOST_DEAD
            old = [name for number, (last, name) in enumerate(dead) if number < excess or second - last > _REMEMBERED]
            if old:
                self._fold(old)

    def _fold(self, names: list[str]) -> None:
        folded_names, folded = self._read_retired()
        for name in names:
            _add_up(folded, self._others[name].ledger)
        still_there = {entry.name for entry in os.scandir(self._folder)}
        content = {
            "files": sorted((folded_names & still_there) | set(names)),
            "scalars": folded.totals(0, ledger.SCALARS),
            "histograms": folded.totals(ledger.HISTOGRAM, ledger.TOTALS),
            "named": [
                (kind, name, folded.totals(place, place + ledger.VALUES))
                for kind in Kind
                for name, place in folded.names_of(kind).items()
            ],
        }
        self._write(_RETIRED, content)
        for name in names:  # whoever still sees one of them reads above that it is counted already
            (self._folder / name).unlink()
            self._close(name)

    def _read_retired(self) -> tuple[frozenset[str], Ledger]:
        try:
            stamp = (self._folder / _RETIRED).stat().st_mtime_ns
        except FileNotFoundError:
            return frozenset(), Ledger()
        if stamp != self._retired[0]:
            content = json.loads((self._folder / _RETIRED).read_text())
            folded = Ledger()
            folded.put(0, *content["scalars"])
            folded.put(ledger.HISTOGRAM, *content["histograms"])
            for kind, name, values in content["named"]:
                folded.put(folded.place_of(Kind(kind), name), *values)
            folded.cells[ledger.SECOND] = -1  # it counts nothing any more
            self._retired = (stamp, frozenset(content["files"]), folded)
        return self._retired[1], self._retired[2]

    # Files

    def _create(self) -> _Open:
        draft = self._folder / f".{self._name}"
        lock = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.write(lock, bytes(ledger.SIZE))  # in full: a hole on a full disk would kill the process later
        draft.rename(self._folder / self._name)
        # A child of this process would hold the lock after us. The map has a file of its own, since it can't be closed.
        os.register_at_fork(after_in_child=lambda: os.close(lock))
        return self._map(self._name, lock, mmap.ACCESS_WRITE)

    def _map(self, name: str, lock: int, access: int) -> _Open:
        with (self._folder / name).open("r+b") as file:
            mapped = mmap.mmap(file.fileno(), ledger.SIZE, access=access)
        return _Open(lock, Ledger(memoryview(mapped)))

    def _open(self, name: str) -> Ledger:
        if name not in self._others:
            lock = os.open(self._folder / name, os.O_RDONLY)
            self._others[name] = self._map(name, lock, mmap.ACCESS_READ)
        return self._others[name].ledger

    def _close(self, name: str) -> None:
        self._dead.discard(name)
        os.close(self._others.pop(name).lock)  # the map goes with its last reader

    def _is_alive(self, name: str) -> bool:
        if name in self._dead:
            return False
        lock = self._others[name].lock
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: who looks does not look alive to the next
        except BlockingIOError:
            return True
        fcntl.flock(lock, fcntl.LOCK_UN)
        self._dead.add(name)
        return False

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._folder / _LOCK).open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield

    def _agree(self, birth: Birth) -> Birth:
        target = self._folder / _INSTANCE
        draft = self._folder / f".{_INSTANCE}.{os.getpid()}"
        draft.write_text(json.dumps(birth._asdict()))
        with contextlib.suppress(FileExistsError):
            os.link(draft, target)  # whole or not at all, and only by the first
        draft.unlink()
        return Birth(**json.loads(target.read_text()))

    def _write(self, name: str, content: object) -> None:
        draft = self._folder / f".{name}.{os.getpid()}"
        draft.write_text(json.dumps(content))
        draft.replace(self._folder / name)


def _add_up(total: Ledger, other: Ledger) -> None:
    total.add(0, *other.totals(0, ledger.SCALARS))
    total.add(ledger.HISTOGRAM, *other.totals(ledger.HISTOGRAM, ledger.TOTALS))
    for kind in Kind:
        for name, place in other.names_of(kind).items():
            total.add(total.place_of(kind, name), *other.totals(place, place + ledger.VALUES))
