"""Three witnesses of all that a fleet did: Render's writes, the database's own notes, the workers' logs."""

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field

from autoscaler.core.change import Change, JournalEntry
from tests.support.fleet_asker import Asker
from tests.support.fleet_place import Life, Place
from tests.support.fleet_render import Sent
from tests.support.fleet_trouble import Trouble


@dataclass
class Held:
    """One row of the database's notes about leases."""

    at: float
    holder: str
    epoch: int
    expires_at: float


@dataclass
class Findings:
    """Figures for the report, and what was wrong."""

    figures: dict[str, object] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


class Witnesses:
    """All that was seen, read once at the end."""

    def __init__(self, place: Place, asker: Asker, trouble: Trouble) -> None:
        self.place, self.asker, self.trouble = place, asker, trouble
        self.sent = place.render.sent
        self.found = Findings()
        self.changes: dict[str, Change] = {}
        self.journals: dict[str, list[JournalEntry]] = {}
        self.held: defaultdict[str, list[Held]] = defaultdict(list)
        self.logs: dict[str, str] = {}
        self.beside_another_failure = 0

    async def read(self) -> None:
        for change in await self.place.store.changes(limit=100_000):
            self.changes[change.id] = change
            self.journals[change.id] = await self.place.store.journal(change.id)
        rows = await self.place.ask("SELECT service_id, at, holder, epoch, expires_at FROM fleet.held ORDER BY at")
        for service_id, at, holder, epoch, expires_at in rows:
            self.held[str(service_id)].append(Held(float(at), str(holder), int(epoch), int(expires_at) / 1000))
        self.logs = {life.label: life.log.read_text() for life in self.place.lives}

    def wrong(self, words: str) -> None:
        self.found.wrong.append(words)

    def holder(self, service_id: str, at: float) -> Held | None:
        """Whose it was at that time."""
        held = self.held[service_id]
        place = bisect_right([one.at for one in held], at)
        return held[place - 1] if place else None

    def sender(self, sent: Sent) -> Life:
        return self.place.life_of(sent.entry["pid"])

    def was_stopped(self, sent: Sent) -> bool:
        """Whether its sender stood still between writing it down and its arrival."""
        return self.sender(sent).was_stopped(sent.entry["at"], sent.at)
