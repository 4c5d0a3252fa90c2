"""What happens to the workers of a fleet: drawn from a seed, several at a time, and always one worker is left alone."""

import asyncio
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from autoscaler.core.change import OPEN
from tests.support.fleet_asker import Asker
from tests.support.fleet_place import Life, Place, stopped

TTL = 25.0
"""Of a lease, as the product has it."""
TAKEN_OVER_WITHIN = 45.0
"""Longest wait for the heirs of a worker that stands still."""
STEPS = ("set plan", "set MAX_CONCURRENT", "set DB_POOL_SIZE", "ask ")
COMES_UP = 20.0
HEIR_ACTS, HEIR_DEPLOYS = 60.0, 10.0
"""The heir may die as well, and its own heir then acts."""
ARRIVES = 2.0
"""Until what a worker sends first, once it goes on, is there."""
KINDS = {
    "killed": 4,
    "replaced": 1,
    "paused": 2,
    "frozen": 3,
    "caught": 4,
    "disconnected": 3,
    "cut": 2,
    "stalled": 2,
}
"""What there is, and how often."""


@dataclass
class Trouble:
    """Each kind is a method that does one thing to one worker and makes it whole again."""

    place: Place
    asker: Asker
    rng: random.Random
    workers: int
    skews: tuple[int, ...]
    """By how much the wall clocks of workers are off, ms; drawn for each that starts."""
    counts: Counter[str] = field(default_factory=Counter)
    deaths: list[tuple[str, float]] = field(default_factory=list)
    """Who was killed, and when."""
    begun: list[tuple[str, float]] = field(default_factory=list)
    """To whom something was done, and when."""
    over: list[tuple[str, float]] = field(default_factory=list)
    """Whose trouble ended when."""
    slip_throughs: list[dict[str, Any]] = field(default_factory=list)
    """The entries before whose call a worker was stopped."""
    wrong: list[str] = field(default_factory=list)
    timeline: list[str] = field(default_factory=list)

    def note(self, life: Life, words: str) -> None:
        self.timeline.append(f"{time.time():.3f} {life.label} (pid {life.pid}, clock {life.wrong_by} ms): {words}")

    async def start(self, slot: int) -> Life:
        """A worker, once it has leases or could have."""
        life = await self.place.start(slot, self.rng.choice(self.skews))
        for _ in range(round(COMES_UP / 0.2)):
            beats = await self.place.ask("SELECT worker FROM autoscaler.heartbeats WHERE seen_at > 0")
            if any(life.is_named(str(worker)) for (worker,) in beats):
                break
            assert life.process.returncode is None, life.log.read_text()[-2000:]
            await asyncio.sleep(0.2)
        else:
            self.wrong.append(f"{life.label} did not come up")
        life.is_troubled = False
        self.note(life, "is up")
        return life

    async def shared(self) -> None:
        """Wait until the workers share the services: the first of them takes all, and hands over what is too much.

        A part is rounded up, so the last worker has what the others leave; and one lease is that of messages about no service.
        """
        leases = len(self.place.render.sim.world.services) + 1
        least = leases - ceil(leases / self.workers) * (self.workers - 1) - 1
        for _ in range(round(COMES_UP / 0.2)):
            own = [await self.place.leases_of(life) for life in self.place.lives if life.ended_at is None]
            if min(map(len, own)) >= least:
                return
            await asyncio.sleep(0.2)
        self.wrong.append(f"the services are not shared: {own}")

    async def well_again(self) -> None:
        """Wait until they share the services again, and each of these is polled by whoever has it now."""
        await self.shared()
        since = time.time()
        everyone = set(self.place.render.sim.world.services)
        for _ in range(round(COMES_UP / 0.2)):
            rows = await self.place.ask("SELECT DISTINCT service_id FROM fleet.written WHERE at > %s", since)
            if not (missing := everyone - {str(service_id) for (service_id,) in rows}):
                return
            await asyncio.sleep(0.2)
        self.wrong.append(f"nobody polls {sorted(missing)}, although all workers are well")

    async def run(self, until: Callable[[], bool], pause: tuple[float, float]) -> None:
        """One after the other begins, until enough was asked; then all is made whole again."""
        tasks: set[asyncio.Task[None]] = set()
        while not until():
            await asyncio.sleep(self.rng.uniform(*pause))
            kind = self.rng.choices([*KINDS], [*KINDS.values()])[0]
            if (life := self.somebody()) is not None:
                tasks.add(asyncio.create_task(self.do(kind, life)))
            for done in {task for task in tasks if task.done()}:
                tasks.remove(done)
                done.result()
        await asyncio.gather(*tasks)

    async def do(self, kind: str, life: Life, **how: Any) -> None:
        """One kind to one worker, which is left alone otherwise."""
        life.is_troubled = True
        self.counts[kind] += 1
        self.begun.append((life.label, time.time()))
        self.note(life, kind)
        await getattr(self, kind)(life, **how)
        self.over.append((life.label, time.time()))
        self.note(life, f"{kind}, over")
        life.is_troubled = False

    def somebody(self) -> Life | None:
        """A worker with which all is well, as long as another one is left."""
        well = [life for life in self.place.lives if life.ended_at is None and not life.is_troubled]
        return self.rng.choice(well) if len(well) > 1 else None

    async def killed(self, life: Life, *, after: float | None = None) -> None:
        """SIGKILL, and after a while another one in its place."""
        self.deaths.append((life.label, await life.kill()))
        await asyncio.sleep(self.rng.uniform(1, 10) if after is None else after)
        await self.start(_slot(life))

    async def replaced(self, life: Life) -> None:
        """As Render deploys: the new one comes up beside the old one, which is then asked to end."""
        await self.start(_slot(life))
        await asyncio.sleep(self.rng.uniform(1, 4))
        await self.end(life)

    async def end(self, life: Life) -> None:
        code = await life.ask_to_end()
        if code != 0:
            self.wrong.append(f"{life.label} ended with {code} after SIGTERM")

    async def paused(self, life: Life, *, seconds: float | None = None) -> None:
        """SIGSTOP for less than its leases have left."""
        async with stopped(life):
            await asyncio.sleep(self.rng.uniform(1, TTL - 4) if seconds is None else seconds)

    async def frozen(self, life: Life) -> None:
        """SIGSTOP for about as long as a lease, or until others act on all that was its own."""
        if self.rng.random() < 0.4:
            await self._frozen_for(life, self.rng.uniform(TTL - 3, TTL + 4))
        else:
            await self._frozen_for(life, None)

    async def _frozen_for(self, life: Life, seconds: float | None) -> None:
        own = await self.place.leases_of(life)
        async with stopped(life):
            began = time.monotonic()
            await asyncio.sleep(0.5)  # what it had sent to the database arrives
            late = await self.on_their_way(life)
            self.asker.hold_back(late)
            if seconds is None:
                await self.taken_over(life, own)
                await asyncio.sleep(self.rng.uniform(0, 5))
            else:
                await asyncio.sleep(max(0.0, seconds - (time.monotonic() - began)))
        await asyncio.sleep(ARRIVES)
        self.asker.let_go(late)

    async def caught(self, life: Life, *, step: str | None = None, repeats: float = 0.7) -> None:
        """It stops itself right before it sends a write that it has written down; goes on when another one has its service."""
        life.stop_file.write_text(step or self.rng.choice(STEPS))
        entry = await _entry(life)
        if entry is None:
            life.stop_file.unlink(missing_ok=True)
            entry = await _entry(life, tries=1)
        if entry is None:
            self.counts["caught"] -= 1  # it had nothing to write
            return
        self.slip_throughs.append(entry)
        await asyncio.sleep(0.5)
        late = await self.on_their_way(life) | {entry["service"]}
        self.asker.hold_back(late)
        await self.taken_over(life, {entry["service"]})
        if self.rng.random() < repeats:
            await self.done_by_the_heir(entry)
        life.stops.append((entry["stopped_at"], time.time()))
        os.kill(life.pid, signal.SIGCONT)
        await asyncio.sleep(ARRIVES)
        self.asker.let_go(late)

    async def on_their_way(self, life: Life) -> set[str]:
        """Services for which it has written a call down that is not answered yet: it may still be sent."""
        own, late = await self.place.leases_of(life), set()
        for change in await self.place.store.changes(states=sorted(OPEN), limit=10_000):
            if change.service_id in own:
                journal = await self.place.store.journal(change.id)
                if any(entry.outcome is None for entry in journal):
                    late.add(change.service_id)
        return late

    async def taken_over(self, life: Life, own: set[str]) -> None:
        """Wait until others act on these, or for as long as that should take at the most."""
        for _ in range(round(TAKEN_OVER_WITHIN / 0.5)):
            if not own & await self.place.leases_of(life):
                return
            await asyncio.sleep(0.5)

    async def done_by_the_heir(self, entry: dict[str, Any]) -> None:
        """Wait until the same was sent by another one. A deploy of which nobody knows is asked for again after 90 s only."""
        patience = HEIR_DEPLOYS if entry["step"].startswith("ask") else HEIR_ACTS
        for _ in range(round(patience / 0.1)):
            sent = (one for one in self.place.render.sent if one.service_id == entry["service"])
            if any(
                one.step == entry["step"] and one.entry["pid"] != entry["pid"] and one.at > entry["at"] for one in sent
            ):
                return
            await asyncio.sleep(0.1)

    async def disconnected(self, life: Life) -> None:
        """The database ends some or all of its connections."""
        share = self.rng.choice((1, 3))
        await self.place.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s LIMIT %s",
            life.label,
            share,
        )
        await asyncio.sleep(1)

    async def cut(self, life: Life, *, seconds: float | None = None) -> None:
        """The line to the database is cut, for a moment or for a while."""
        await life.line.cut(seconds or self.rng.choice((0.3, 2.0, 8.0)))

    async def stalled(self, life: Life) -> None:
        """The line to the database stands still, and nobody is told."""
        await life.line.stall(self.rng.choice((2.0, 8.0, 20.0)))


def _slot(life: Life) -> int:
    return int(life.label.split("-")[1])


async def _entry(life: Life, tries: int = 60) -> dict[str, Any] | None:
    """What it was about to send when it stopped itself."""
    reached = life.stop_file.with_suffix(".reached")
    for _ in range(tries):
        if reached.exists():
            entry = json.loads(reached.read_text())
            reached.unlink()
            return entry
        await asyncio.sleep(0.2)
    return None
