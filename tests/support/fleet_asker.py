"""Who asks for changes, as `autoscaler scale` does, so that always a lot is under way; and looks at each once it has ended."""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field

from autoscaler.adapters.render import RenderAdapter
from autoscaler.core.change import OPEN, Change, Rung, State
from autoscaler.engine import by_hand
from autoscaler.errors import OutsideError, RefusedError, StoreError
from autoscaler.policyfile import PolicyFile, load_folder
from autoscaler.ports import ChangeOpenError
from render_client import RenderClient
from render_client.sim.controls import fail_next_deploy
from tests.support.fleet_place import Place

FAILS = 0.12
"""The share of changes whose deploy fails."""


@dataclass
class Asked:
    """One change, and how it has to end."""

    change: Change
    asked_at: float
    fails: bool
    ended: Change | None = None
    took: float = 0.0

    @property
    def rung(self) -> Rung:
        """Where the service has to be in the end."""
        return self.change.origin if self.fails else self.change.target

    @property
    def ends(self) -> frozenset[State]:
        return frozenset({State.UNDONE}) if self.fails else frozenset({State.WATCHING, State.DONE})


@dataclass
class Asker:
    """`behind`: by how much the clock of who asks is late, seconds."""

    place: Place
    rng: random.Random
    most: int
    behind: float = 0.0
    asked: list[Asked] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    held_back: Counter[str] = field(default_factory=Counter)
    """Services for which nothing new is asked: a call of a worker that stands still may be on its way to them."""
    _latest: dict[str, Asked] = field(default_factory=dict)

    async def run(self, seconds: float, settle: float) -> None:
        """Ask until enough was asked or the time is over; then wait for what is open."""
        files = {str(file.policy.service.id): file for file in load_folder(self.place.policies).files}
        render = RenderAdapter(RenderClient(self.place.render.sim.api_key, self.place.render.sim.base_url))
        began = time.monotonic()
        try:
            for _ in range(round((seconds + settle) / 0.1)):
                over = len(self.asked) >= self.most or time.monotonic() - began >= seconds
                under_way = await self._look(files, render, ask=not over)
                if (over and not under_way) or time.monotonic() - began >= seconds + settle:
                    break
                await asyncio.sleep(0.1)
        finally:
            await render.close()
        self.wrong += [f"never ended: {one.change}" for one in self.asked if one.ended is None]

    @property
    def ended(self) -> int:
        return sum(one.ended is not None for one in self.asked)

    def hold_back(self, service_ids: set[str]) -> None:
        """Nothing new is asked for them, and what is under way is not made to fail any more: a late call then repeats what was done."""
        self.held_back.update(service_ids)
        for service_id in service_ids:
            latest, service = self._latest.get(service_id), self.place.render.service(service_id)
            if latest is not None and latest.ended is None and service.fail_next is not None:
                service.fail_next, latest.fails = None, False

    def let_go(self, service_ids: set[str]) -> None:
        self.held_back.subtract(service_ids)

    async def _look(self, files: dict[str, PolicyFile], render: RenderAdapter, *, ask: bool) -> bool:
        """Whether anything is open."""
        opened = await self.place.store.changes(states=sorted(OPEN), limit=10_000)
        counts = Counter(change.service_id for change in opened)
        self.wrong += [f"{service_id} has {count} open changes" for service_id, count in counts.items() if count > 1]
        for one in self._latest.values():
            if one.ended is None and one.change.service_id not in counts:
                await self._check_end(one)
        free = [name for name in files if name not in counts and not self.held_back[name]] if ask else []
        self.rng.shuffle(free)
        for service_id in free[: self.most - len(self.asked)]:
            await self._ask(files[service_id], service_id, render)
        return bool(counts) or any(one.ended is None for one in self._latest.values())

    async def _ask(self, file: PolicyFile, service_id: str, render: RenderAdapter) -> None:
        now, fails = round((time.time() - self.behind) * 1000), self.rng.random() < FAILS
        service = self.place.render.service(service_id)
        try:
            sight = await by_hand.look(file, render, self.place.store, now)
            other = next(tier for tier in file.policy.tiers if tier.plan != sight.seen.plan)
            change = by_hand.change_to(sight, other, "fleet", "a change of many", now)
            if fails:
                fail_next_deploy(service, "update")
            await by_hand.begin(change, sight, self.place.store)
        except (RefusedError, ChangeOpenError, OutsideError, StoreError) as error:
            service.fail_next = None
            self.wrong.append(f"{service_id} can't be asked: {error!r}")
            return
        asked = Asked(change, time.time(), fails)
        self.asked.append(asked)
        self._latest[service_id] = asked

    async def _check_end(self, one: Asked) -> None:
        one.ended, one.took = await self.place.store.change(one.change.id), time.time() - one.asked_at
        assert one.ended is not None
        if one.ended.state not in one.ends:
            self.wrong.append(f"not {sorted(one.ends)}: {one.ended}")
        if problem := self.not_as(one):
            self.wrong.append(f"{problem}; after {one.ended}")

    def not_as(self, one: Asked) -> str:
        """What is configured or runs that is not the rung of that end; empty when all of it is."""
        service, rung = self.place.render.service(one.change.service_id), one.rung
        wanted = (rung.plan, dict(rung.env))
        configured, serving = service.configured(), service.serving()
        if (configured.plan, dict(configured.env)) != wanted:
            return f"configured is {configured}"
        if [(it.snapshot.plan, dict(it.snapshot.env)) for it in serving] != [wanted]:
            return f"what runs is {[it.snapshot for it in serving]}"
        return ""

    def check_all(self) -> list[str]:
        """Every service, in the very end."""
        return [f"in the end {problem}; {one.ended}" for one in self._latest.values() if (problem := self.not_as(one))]
