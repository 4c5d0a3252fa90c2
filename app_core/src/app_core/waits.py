"""The times that one request waits for others."""

from collections.abc import Callable
from threading import Lock

from app_core.ledger import Kind, Ledger


class Waits:
    """The waits of one request, which may be for several at once and from several tasks and threads.

    Args:
        clock: seconds that never run backwards.
        ledger: where they are counted.
    """

    __slots__ = ("_by_name", "_clock", "_ledger", "_lock", "_over")

    def __init__(self, clock: Callable[[], float], ledger: Ledger) -> None:
        self._clock = clock
        self._ledger = ledger
        self._lock = Lock()
        self._over = False
        self._by_name: dict[str, _Wait] = {}

    def begin(self, name: str) -> None:
        """Begin to wait for `name`."""
        now = self._clock()
        with self._lock:
            wait = self._named(name)
            if not wait.depth and not self._over:
                wait.since = now
                self._ledger.add(wait.place, 0, 0, 0, 1)
            wait.depth += 1

    def end(self, name: str) -> None:
        """End one of the waits for `name`."""
        now = self._clock()
        with self._lock:
            wait = self._named(name)
            if not wait.depth:  # it was begun elsewhere, as a generator can be that is ended in another request
                return
            wait.depth -= 1
            if not wait.depth and not self._over:
                wait.seconds += now - wait.since
                self._ledger.add(wait.place, 0, 0, 0, -1)

    def count(self, name: str, *, failed: bool) -> None:
        """Count a call."""
        with self._lock:
            self._ledger.add(self._named(name).place, 1, failed)

    def close(self) -> None:
        """The request is over: its waits count in the same moment as its response time. What waits on does so on its own time."""
        now = self._clock()
        with self._lock:
            self._over = True
            for wait in set(self._by_name.values()):
                if wait.depth:
                    wait.seconds += now - wait.since
                self._ledger.add(wait.place, 0, 0, wait.seconds, -1 if wait.depth else 0)

    def _named(self, name: str) -> "_Wait":
        wait = self._by_name.get(name)
        if wait is None:
            place = self._ledger.place_of(Kind.DEPENDENCY, name)
            same = (known for known in self._by_name.values() if known.place == place)  # both are `other`
            wait = self._by_name[name] = next(same, None) or _Wait(place)
        return wait


class _Wait:
    __slots__ = ("depth", "place", "seconds", "since")

    def __init__(self, place: int) -> None:
        self.place = place  # calls, failures, seconds, and requests that wait now
        self.depth = 0
        self.since = self.seconds = 0.0
