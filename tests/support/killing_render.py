"""What the killed workers talk to, as a process of its own: Render, the app and Slack over HTTP; kills at Render; the judge."""

import asyncio
import os
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeVar

from aiohttp import web

from autoscaler.adapters.slack.blocks import fallback
from autoscaler.adapters.store.bodies import load
from autoscaler.core.change import Change, JournalEntry
from autoscaler.core.observations import TierChanged
from autoscaler.ports import Event
from render_client.sim import ServiceSpec, WorldSpec, running_simulator
from render_client.sim.building import build_world
from render_client.sim.calls import Call
from render_client.sim.clock import MANUAL_START
from render_client.sim.controls import fail_next_deploy
from render_client.sim.state import Refused, Service
from tests.support.fake_slack import FakeSlack, fake_slack
from tests.support.health_server import health_server
from tests.support.killing_worker import Point, QuickClock, Running
from tests.support.matrix_checks import check_journal, check_runs, check_step, fits
from tests.support.matrix_lives import SceneApp
from tests.support.matrix_scenes import SERVICE, TIERS, Scene

Value = TypeVar("Value")

OTHERS = {"FEATURE_FLAGS": "beta", "WORKERS": "2"}
"""Env vars that are none of the bot's business."""
_OURS = TIERS[0].env.keys()


@dataclass
class Place:
    """Render of one run, with what is seen of it at every write."""

    scene: Scene
    clock: QuickClock
    database: Path
    kills: Sequence[Point]
    """Of the first worker, of the second …"""
    running: Running
    tell: Callable[[Point], None]
    problems: list[str] = field(default_factory=list)
    deploys: int = 0
    """That Render took."""
    _seen: Counter[tuple[int, str]] = field(default_factory=Counter)
    _used: set[int] = field(default_factory=set)
    """The numbers of the journal's entries whose writes Render took."""

    def __post_init__(self) -> None:
        origin = self.scene.origin
        spec = ServiceSpec(name="holisticos-api", id=SERVICE, plan=origin.plan, env={**origin.env, **OTHERS})
        self.world = build_world(WorldSpec(services=(spec,), durations=self.scene.durations()), MANUAL_START - 1)
        if self.scene.fails:
            fail_next_deploy(self.service)

    @property
    def service(self) -> Service:
        self.world.advance(self.clock.now())
        return self.world.services[SERVICE]

    def before(self, call: Call) -> None:
        """A write is about to take effect; where the process is killed before it, it never does."""
        step, value = _words(call)
        self._seen[self.running.number, step + value] += 1
        self.tell(self._point(call))
        with self._noting(f"before the write of {step}"):
            check_step(self._under_way()[1], step)
        if self._kills(call, "before"):
            raise Refused(503, "who asked is dead")

    def after(self, call: Call) -> None:
        """It has, and is not answered yet."""
        step, _ = _words(call)
        with self._noting(f"after the write of {step}"):
            self._check_order()
            number, _ = self._under_way()
            assert number not in self._used, f"entry {number} of the journal stands for two writes"
            self._used.add(number)
        self.deploys += step.startswith("ask ")
        self._kills(call, "after")

    def _point(self, call: Call) -> Point:
        what = "".join(_words(call))
        times = self._seen[self.running.number, what]
        return Point("write", what if times == 1 else f"{what} ({times})")

    def _kills(self, call: Call, when: str) -> bool:
        number = self.running.number
        if number >= len(self.kills) or self.kills[number] != replace(self._point(call), when=when):
            return False
        os.kill(self.running.process, signal.SIGKILL)
        return True

    def _under_way(self) -> tuple[int, str]:
        """The number and the words of the one step that is written down and has not ended."""
        found = [(one.number, one.step) for one in _values(self.database, JournalEntry) if one.outcome is None]
        assert len(found) == 1, f"not one step is under way: {found}"
        return found[0]

    def _check_order(self) -> None:
        """Nobody's deploy, at this instant, starts an instance whose env belongs to a larger tier than its plan."""
        configured, deploys = self.service.configured(), self.service.deploys
        for one in (configured, *(deploy.snapshot for deploy in deploys if deploy.snapshot is not None)):
            ours = {name: value for name, value in one.env.items() if name in _OURS}
            assert fits(one.plan, ours), one

    @contextmanager
    def _noting(self, where: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever is wrong is told with all the rest
            self.problems.append(f"{where}: {error!r}")

    def judge(self, slack: FakeSlack) -> str:
        """At the end: note what is wrong; the journal, to be shown with it."""
        journal: list[JournalEntry] = []
        with self._noting("in the end"):
            self._check_end()
        with self._noting("deploys"):
            self._check_deploys()
        with self._noting("told"):
            self._check_told([message.text for message in slack.messages])
        with self._noting("the file"):
            self._check_file()
            journal = _values(self.database, JournalEntry)
        return "\n".join(f"{one.number:3} {one.at - MANUAL_START:7} ms  {one.step}: {one.outcome}" for one in journal)

    def _check_end(self) -> None:
        change, *others = _values(self.database, Change)
        assert (change.state, others) == (self.scene.endings[0], []), (change, others)
        check_journal(change, _values(self.database, JournalEntry))
        tiers = [one.tier for one in _values(self.database, TierChanged)]
        assert tiers[-1] == self.scene.ends_on.tier, tiers
        assert all(before != after for before, after in pairwise(tiers)), f"somebody else's change was seen: {tiers}"
        self._check_order()
        rung = self.scene.ends_on
        check_runs(self.service, replace(rung, env={**rung.env, **OTHERS}))

    def _check_deploys(self) -> None:
        """At most one an attempt; and no crash costs one more, for the list of deploys shows it at once."""
        asked = [one for one in _values(self.database, JournalEntry) if one.step.startswith("ask ")]
        assert self.deploys <= min(len(asked), self.scene.most_deploys), (self.deploys, asked)

    def _check_file(self) -> None:
        with closing(sqlite3.connect(self.database)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]

    def _check_told(self, told: list[str]) -> None:
        """Each event once and in order, or again at once by the process that follows one that could not note it any more."""
        (change,), events = _values(self.database, Change), _values(self.database, Event)
        assert all(event.thread == change.id for event in events), f"something else was told: {told}"
        wanted = [fallback(event.message) for event in events]
        wanted[0] = fallback([event.head or event.message for event in events if event.head or event is events[0]][-1])
        assert [one for one, _ in groupby(told)] == wanted, (told, wanted)
        assert len(told) - len(wanted) <= len(self.kills), told


_QUERIES: dict[type, str] = {
    Change: "SELECT body FROM changes ORDER BY created_at",
    JournalEntry: "SELECT body FROM journal ORDER BY change_id, number",
    TierChanged: "SELECT body FROM observations WHERE kind = 'tier_changed' ORDER BY number",
    Event: "SELECT body FROM events ORDER BY number",
}


def _values(database: Path, shape: type[Value]) -> list[Value]:
    """All that the store has of them, as committed."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        return [load(shape, body) for (body,) in connection.execute(_QUERIES[shape])]


def _words(call: Call) -> tuple[str, str]:
    """A write as the journal has it, and the value that it does not have."""
    match call.method, call.path.rpartition("/")[2]:
        case "PATCH", _:
            return f"set plan {call.body['serviceDetails']['plan']}", ""
        case "PUT", name:
            return f"set {name}", f" to {call.body['value']}"
        case "POST", "deploys":
            return f"ask for a deploy ({call.body['deployMode']})", ""
        case other:
            return str(other), ""


async def serve(place: Place, lane: Connection) -> None:
    """Until the lane asks for the verdict."""
    app = SceneApp(place)

    async def health(_: web.Request) -> web.Response:
        return web.json_response((await app.fetch(None)).body)

    asked = asyncio.Event()
    async with (
        running_simulator(place.world, clock=place.clock) as render,
        health_server() as server,
        fake_slack() as slack,
    ):
        server.handler = health
        render.hooks.before_write(place.before)
        render.hooks.after_write(place.after)
        asyncio.get_running_loop().add_reader(lane.fileno(), asked.set)
        environment = {
            "RENDER_API_KEY": render.api_key,
            "RENDER_API_URL": render.base_url,
            "SLACK_BOT_TOKEN": slack.token,
            "SLACK_API_URL": slack.base_url,
        }
        lane.send((environment, server.url))
        await asked.wait()
        lane.recv()
        lane.send((place.judge(slack), place.problems))
