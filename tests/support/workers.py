"""Worker processes of one instance, without their servers: a lock belongs to an open file, so many fit into one process."""

from pathlib import Path

from app_core.ledger import QUARTER_HOUR, Kind
from app_core.siblings import Birth, Siblings
from app_core.tracker import Tracker
from app_core.view import View
from tests.support.asgi import Clock
from tests.support.counted import begin, count

LONG = (
    QUARTER_HOUR.seconds + 2 * QUARTER_HOUR.slice_seconds
)  # seconds after which no window needs what a dead worker counted
BIRTH = Birth("vm:1", "2026-11-01T08:00:00+00:00", 1200.0, 0.5)


class Worker:
    """A process that counts what it serves."""

    def __init__(self, folder: Path, clock: Clock, birth: Birth = BIRTH) -> None:
        self.siblings = Siblings(folder, birth)
        self.clock = clock
        self.tracker = Tracker(clock)
        self.tracker.move_to(self.siblings.own)

    def serve(self, seconds: float = 0.1, *, error: bool = False, waits_for: str | None = None) -> None:
        count(self.tracker, took=seconds, error=error)
        if waits_for is not None:
            own = self.tracker.ledger
            own.add(own.place_of(Kind.DEPENDENCY, waits_for), 1, 0, seconds)

    def begin(self) -> None:
        begin(self.tracker)

    def look(self) -> View:
        return View(self.siblings.members(), int(self.tracker.now()))

    def retire(self) -> None:
        self.siblings.members()
        self.siblings.retire(int(self.tracker.now()))

    def die(self) -> None:
        self.siblings.leave()


def open_files() -> list[Path]:
    """What this process has open, each by the number that it goes by."""
    return sorted(Path("/dev/fd").iterdir())


def ledgers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.ledger"))
