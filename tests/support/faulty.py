"""The fault matrix: a change over real HTTP while a call of it goes wrong, for every call and every way to go wrong.

python -m tests.support.faulty [SECONDS SEED]     all cells, or drawn from the seed for so long: the table of counts

A *place* is where in a change a call is: its method and path, how many writes Render has taken before it, and whether it is
the first or the last such call there (the reads in between look at the same). A cell is a scene, a place and a fault.
"""

import asyncio
import logging
import math
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from autoscaler.adapters.render import RenderAdapter
from autoscaler.adapters.store import SqlStore
from autoscaler.core.change import Change, State
from autoscaler.ports import PassRecord
from render_client import RenderClient
from render_client.sim import Fault, ManualClock, Match, ServiceSpec, Simulator, WorldSpec, running_simulator
from render_client.sim.building import build_world
from render_client.sim.calls import Call, Hooks
from render_client.sim.faults import Faults
from tests.support.crashing import Engine, Heard
from tests.support.matrix_checks import check_configured, check_journal, check_runs, fits
from tests.support.matrix_lives import Bench, SceneApp, bench
from tests.support.matrix_scenes import FILE, SCENES, SERVICE, Scene
from tests.support.rig import TurnedClock

OUTLIVES = 6
"""So many calls in a row: more than the client tries by itself."""
FAULTS: dict[str, dict[str, object]] = {
    "timeout": {"kind": "timeout_before"},
    "timeout, taken": {"kind": "timeout_after"},
    "429": {"kind": "status", "status": 429},
    "429, Retry-After": {"kind": "status", "status": 429, "headers": {"Retry-After": "7"}},
    "500": {"kind": "status", "status": 500},
    "500, taken": {"kind": "status", "status": 500, "when": "after"},
    "502 HTML": {"kind": "html_502"},
    "truncated, taken": {"kind": "truncated", "when": "after"},
    "reset": {"kind": "reset"},
    "reset, taken": {"kind": "reset", "when": "after"},
    "401": {"kind": "status", "status": 401},
    "402": {"kind": "status", "status": 402},
    "404": {"kind": "status", "status": 404},
    "409": {"kind": "status", "status": 409},
    "410": {"kind": "status", "status": 410},
}
DOWN = "an hour"
"""The whole API answers 503."""
REFUSED = frozenset({"402", "404", "410"})
"""Render's no to a write: the change is undone. To a read it is believed only after an hour."""
MET = "calls that went wrong"
HOUR, STEP, SEARCH = 3600, 10, 60
MOST_STEPS = 400
PATIENCE = 0.4
"""Seconds that a call may take; what is slow by chance is one more fault."""
CHOSEN = tuple(
    scene
    for scene in SCENES
    if scene.name in {"an up", "a down", "scale out", "scale in", "an emergency crosses a down"}
)


@dataclass(frozen=True)
class Place:
    """Where in a change: see the module."""

    method: str
    path: str
    """With a `*` for the names of things."""
    writes: int
    number: int
    """Of the call, from the beginning."""

    @property
    def call(self) -> tuple[str, str]:
        """Which kind of call it is."""
        return self.method, self.path


@dataclass(frozen=True)
class Cell:
    """What goes wrong, where, for how many calls."""

    scene: Scene
    place: Place
    fault: str
    times: int

    def __str__(self) -> str:
        place = self.place
        return (
            f"{self.scene.name}: {self.fault} x{self.times} at {place.method} {place.path} after {place.writes} writes"
        )

    @property
    def is_final(self) -> bool:
        """Whether the change may end there: Render's no to something that we want, or no deploy after three requests."""
        if self.place.method == "GET" or self.place.path.endswith("/cancel"):
            return False
        return self.fault in REFUSED or (self.place.path.endswith("/deploys") and self.times == OUTLIVES)


class Planned(Faults):
    """From one call on, the calls of that kind go wrong."""

    def __init__(self, sim: Simulator, cell: Cell | None) -> None:
        super().__init__()
        self._sim, self._cell = sim, cell
        self._seen = 0
        self._down_until: int | None = None

    @property
    def is_down(self) -> bool:
        """Whether nothing is answered."""
        return self._down_until is not None and self._sim.clock.now() < self._down_until

    def take(self, method: str, path: str) -> Fault | None:
        self._seen += 1
        if self._cell is not None and self._seen == self._cell.place.number:
            self._begin(self._cell)
        if self._down_until is not None and not self.is_down:
            self.clear()
        return super().take(method, path)

    def _begin(self, cell: Cell) -> None:
        if cell.fault == DOWN:
            self._down_until = self._sim.clock.now() + HOUR * 1000
            self.add(Fault(kind="down"))
        else:
            match = Match(method=cell.place.method, path=cell.place.path)
            self.add(Fault(match=match, times=cell.times, **FAULTS[cell.fault]))


@dataclass
class Station:
    """One simulator, client and database, used for one cell after another."""

    sim: Simulator
    clock: ManualClock
    render: RenderAdapter
    bench: Bench
    empty: bytes
    """A database that is new."""

    async def play(self, scene: Scene, cell: Cell | None = None) -> Counter[str]:
        """From the beginning of the scene to its end, which must be the right one; how often each thing went wrong."""
        self.bench.put(self.empty)
        return await Playing(self, scene, cell).to_the_end()

    @property
    def store(self) -> SqlStore:
        """Where all is written down."""
        return self.bench.store


@asynccontextmanager
async def station() -> AsyncIterator[Station]:
    """With everything of its own."""
    clock = ManualClock()

    async def skip(seconds: float) -> None:
        clock.advance(seconds)

    with bench() as made:
        await made.store.migrate()
        async with running_simulator(WorldSpec(), clock=clock) as sim:
            monotonic = TurnedClock(clock).monotonic
            client = RenderClient(
                sim.api_key, sim.base_url, timeout=PATIENCE, patience=5, write_patience=0, clock=monotonic, sleep=skip
            )
            try:
                yield Station(sim, clock, RenderAdapter(client), made, made.content())
            finally:
                await client.aclose()


@dataclass
class Playing:
    """One cell."""

    station: Station
    scene: Scene
    cell: Cell | None
    heard: Heard = field(default_factory=Heard)
    wrong: list[str] = field(default_factory=list)
    """What must never be and was, seen from within Render."""

    @property
    def clock(self) -> ManualClock:
        return self.station.clock

    @property
    def service(self):
        return self.station.sim.world.services[SERVICE]

    async def to_the_end(self) -> Counter[str]:
        """See Station.play."""
        sim, scene, clock = self.station.sim, self.scene, TurnedClock(self.station.clock)
        began = self._begin()
        store, render = self.station.store, self.station.render
        engine = Engine(FILE, store, render, SceneApp(self, began), self.heard, clock)
        await engine.start()
        await store.record(PassRecord(SERVICE, (), change=scene.change(clock.now())))
        sim.calls.clear()
        sim.gateway.faults = planned = Planned(sim, self.cell)
        for _ in range(MOST_STEPS):
            changes = await store.changes()
            if self._is_over(changes) and not await store.undelivered(clock.now()):
                break
            self._advance(changes, is_down=planned.is_down)
            await engine.step(looks=clock.now() % (SEARCH * 1000) < STEP * 1000)
        await self._check()
        return Counter(call.fault for call in sim.calls if call.fault is not None)

    def _begin(self) -> int:
        """Another world in the same simulator."""
        sim, scene, origin = self.station.sim, self.scene, self.scene.origin
        self.clock.advance(SEARCH - self.clock.now() / 1000 % SEARCH)
        began = self.clock.now()
        spec = ServiceSpec(
            name="holisticos-api", id=SERVICE, plan=origin.plan, instances=origin.instances, env=dict(origin.env)
        )
        world = WorldSpec(services=(spec,), durations=scene.durations(), **scene.world)
        sim.gateway.world = build_world(world, began - 1)
        sim.gateway.faults = Faults()
        sim.gateway.hooks = Hooks()
        sim.hooks.after_write(self._look)
        return began

    def _look(self, call: Call) -> None:
        try:
            check_configured(self.service)
        except AssertionError as error:
            self.wrong.append(f"after {call.method} {call.path}: {error}")

    def _is_over(self, changes: Sequence[Change]) -> bool:
        return len(changes) >= (1 if self._may_end else len(self.scene.endings)) and all(
            change.state.is_final for change in changes
        )

    @property
    def _may_end(self) -> bool:
        return self.cell is not None and self.cell.is_final

    def _advance(self, changes: Sequence[Change], *, is_down: bool) -> None:
        """By a poll; where nothing is due or answered for longer, faster."""
        due = min((change.due_at for change in changes if change.state.is_open), default=0)
        rests = due - self.clock.now() > SEARCH * 1000
        if self.scene.memory:  # an emergency is to hold: it has to be seen
            self.clock.advance(STEP)
        else:
            self.clock.advance(5 * SEARCH if is_down else SEARCH if rests else STEP)

    # What must hold ---------------------------------------------------------------------------------------------------

    async def _check(self) -> None:
        store, sim, scene = self.station.store, self.station.sim, self.scene
        changes = list(reversed(await store.changes()))
        journals = [await store.journal(change.id) for change in changes]
        assert self.wrong == [], self.wrong
        steps: Counter[str] = Counter()
        for change, journal in zip(changes, journals, strict=True):
            check_journal(change, journal)
            steps.update(entry.step.split()[0] for entry in journal)
        asked = [call for call in sim.calls if call.method == "POST" and call.path.endswith("/deploys")]
        back = any(change.state is State.UNDONE for change in changes)
        deploys = sum(call.effective for call in asked)
        assert deploys <= min(steps["ask"], scene.most_deploys + back), journals
        assert len(self.heard.ids) == len(set(self.heard.ids)), self.heard.ids
        states = tuple(change.state for change in changes)
        self.clock.advance(HOUR)
        if not self._may_end or states == scene.endings:
            assert states == scene.endings, changes
            check_runs(self.service, scene.ends_on)
        elif states[-1] is State.UNDONE:
            check_runs(self.service, changes[-1].origin)
        else:
            self._check_given_up(changes[-1])

    def _check_given_up(self, change: Change) -> None:
        """Where the way back was refused as well; a plan and values that fit are all that can be had."""
        assert change.state is State.FAILED, change
        assert "Render refused" in change.outcome, change
        configured = self.service.configured()
        assert fits(configured.plan, configured.env), configured


async def places(at: Station, scene: Scene) -> list[Place]:
    """Of a scene in which nothing goes wrong."""
    await at.play(scene)
    found: dict[tuple[str, str, int], list[Place]] = {}
    writes = 0
    for number, call in enumerate(at.sim.calls, 1):
        place = Place(call.method, _pattern(call.path), writes, number)
        found.setdefault((*place.call, writes), []).append(place)
        writes += call.method != "GET"
    return [place for same in found.values() for place in dict.fromkeys((same[0], same[-1]))]


def _pattern(path: str) -> str:
    """`/services/*/env-vars/*`."""
    return "/".join("*" if place in {2, 4} else part for place, part in enumerate(path.split("/")))


def cells(scene: Scene, where: Sequence[Place]) -> Iterator[Cell]:
    """All of a scene. A read has no effect that could be lost."""
    for place in where:
        for fault in FAULTS:
            if place.method == "GET" and fault.endswith("taken") and not fault.startswith("truncated"):
                continue
            for times in (1, OUTLIVES):
                yield Cell(scene, place, fault, times)
        yield Cell(scene, place, DOWN, 0)


def one_of_each(scene: Scene, where: Sequence[Place], *, turn: int = 0, of: int = 1) -> Iterator[Cell]:
    """Every kind of call meets every fault once; its places, and once or more often, take turns.

    `turn` `of`: every so manieth, so that others are met in another scene.
    """
    kinds = list(dict.fromkeys(place.call for place in where))
    for row, call in enumerate(kinds):
        spots = [place for place in where if place.call == call]
        every = list(cells(scene, spots))
        for column, fault in enumerate((*FAULTS, DOWN)):
            same = [cell for cell in every if cell.fault == fault and cell.place == spots[column % len(spots)]]
            if same and (row + column) % of == turn:
                yield same[column % len(same)]


async def found(scene: Scene) -> list[Place]:
    """See places."""
    async with station() as at:
        return await places(at, scene)


async def play_all(chosen: Iterable[Cell], *, at_once: int = 3, until: float = math.inf) -> Counter[str]:
    """Some beside each other, since much of the time is spent waiting for what never comes. Raises ExceptionGroup."""
    left, counts = iter(chosen), Counter[str]()

    async def work() -> None:
        async with station() as at:
            for cell in left:
                if time.monotonic() > until:
                    return
                try:
                    hit = await at.play(cell.scene, cell)
                    assert hit, "it was never met"
                except Exception as error:
                    error.add_note(str(cell))
                    raise
                counts[cell.scene.name] += 1
                counts[MET] += hit.total()

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(work())
    return counts


async def table(seconds: float = math.inf, seed: int | None = None) -> None:
    """Print how many cells were played, by scene."""
    every = [cell for scene in CHOSEN for cell in cells(scene, await found(scene))]
    if seed is not None:
        random.Random(seed).shuffle(every)
    counts = await play_all(every, until=time.monotonic() + seconds)
    met = counts.pop(MET)
    for name, count in counts.items():
        print(f"{name:44} {count:6} of {sum(cell.scene.name == name for cell in every):6} cells")  # noqa: T201 - see main
    print(f"{MET:44} {met:6}")  # noqa: T201 - see main


def main() -> None:
    """See the module."""
    logging.disable()
    asyncio.run(table(float(sys.argv[1]), int(sys.argv[2])) if len(sys.argv) > 1 else table())


if __name__ == "__main__":
    main()
