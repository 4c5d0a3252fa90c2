"""The engine over a Render without HTTP, and people, pushes and bad luck that get between any two of its calls.

town = Town(tmp_folder, world={"overlap": "wait"})
town.plan(after=3, act=("plan", "starter"))     # before the fourth call of ours from now
town.pass_time(20)                               # twenty polls
town.check()
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autoscaler.adapters.store import open_store
from autoscaler.core.change import Change, State
from autoscaler.core.plans import is_smaller, same_plan
from autoscaler.engine import drift
from autoscaler.engine.adoption import adopt
from autoscaler.engine.due import DueQueue
from autoscaler.engine.managed import Managed
from autoscaler.engine.outbox import deliver
from autoscaler.engine.reconciler import Reconciler
from autoscaler.engine.reload import Reloader, Rota
from autoscaler.engine.tick import Ticker
from autoscaler.errors import OutsideError, UnavailableError
from autoscaler.policyfile import load_text
from render_client.sim import Disk, Durations, ManualClock, ServiceSpec, WorldSpec, suspension
from render_client.sim.building import build_world
from render_client.sim.state import Deploy, Refused, Service
from tests.support.crashing import Heard, Killed, PlainRender
from tests.support.loaded_app import LoadedApp
from tests.support.meddling import Others
from tests.support.rig import MVP_ENV, POLICY, SERVICE, TurnedClock

POLL = 10
DRIFT = 60
_TEXT = POLICY.replace(
    "emergency:", "  - {name: large, plan: pro, env: {MAX_CONCURRENT: 40, DB_POOL_SIZE: 12}}\nemergency:"
).replace("max_changes: 20 per day", "max_changes: 90 per day, respect: 2m")
FILES = tuple(load_text(text, "policy.yaml") for text in (_TEXT, _TEXT.replace("CURRENT: 20", "CURRENT: 24")))
"""The policy, and its other edition: one value of the middle tier is another."""
TIERS = FILES[0].policy.tiers
KINDS: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    "pre-deploy": {"pre_deploy_command": "migrate"},
    "disk": {"disk": Disk()},
    "image": {"image": "docker.io/holisticos/api:1"},
}
"""Of services."""


@dataclass
class Town:
    """One service, our engine, and everybody else."""

    folder: Path
    world: Mapping[str, Any] = field(default_factory=dict)
    """What this Render does where nobody knows: options of the simulator."""
    rung: int = 0
    kind: str = "plain"
    clock: ManualClock = field(default_factory=ManualClock)
    calls: int = 0
    lives: bool = True
    deaths: int = 0
    edition: int = 0
    """Of the policy file."""

    def __post_init__(self) -> None:
        tier = TIERS[self.rung]
        spec = ServiceSpec(name="holisticos-api", id=SERVICE, plan=tier.plan, env=dict(tier.env), **KINDS[self.kind])
        durations = Durations(build=40, update=15, drain=0)
        world = WorldSpec(services=(spec,), durations=durations, **self.world)
        self.render = PlainRender(build_world(world, self.clock.now() - 1), self.clock)
        self.others = Others(self.render, self.clock)
        self.app = LoadedApp(self.render, self.clock, POLL)
        self.url = f"sqlite:///{self.folder}/bot.db"
        self.heard = Heard()
        self.acts: list[tuple[int, Callable[[], None]]] = []
        self.judged: set[str] = set()
        self.dies_before = self.dies_after = -1
        """At which call of ours the worker is killed: before it is made, or before its answer is known."""
        self.unanswered: dict[int, bool] = {}
        """Which calls of ours get no answer, and whether they are taken all the same."""

    async def start(self) -> None:
        """As a worker starts."""
        self.store = open_store(self.url)
        clock = TurnedClock(self.clock)
        self.fleet: dict[str, Managed] = {}
        await adopt(FILES[self.edition], self._between, self.store, clock, self.fleet)
        self.ticker = Ticker(self.store, self.app, clock, dry_run=False)
        self.reconciler = Reconciler(self.store, self._between, clock, self.fleet)

    @property
    def managed(self) -> Managed:
        return self.fleet[SERVICE]

    async def edit(self) -> None:
        """Somebody saves the other edition of the policy, and the worker that runs follows it."""
        self.edition = 1 - self.edition
        if self.lives:
            rota: Any = Rota(self.fleet, {}, DueQueue(), DueQueue(), TurnedClock(self.clock), print, print)
            watch: Any = None  # it is told here what is in force
            await Reloader(watch, self.store, rota)._renew(self.managed, FILES[self.edition])

    def kill(self, after: int, *, answered: bool) -> None:
        """Let the worker die at the call that is so many calls ahead."""
        at = self.calls + 1 + after
        self.dies_before, self.dies_after = (at, -1) if not answered else (-1, at)

    def lose(self, after: int, *, taken: bool) -> None:
        """Let the call that is so many calls ahead get no answer."""
        self.unanswered[self.calls + 1 + after] = taken

    async def restart(self) -> None:
        """Another process on the same database."""
        await self.store.close()
        await self.start()
        self.lives = True

    async def end(self) -> None:
        await self.store.close()

    @property
    def service(self) -> Service:
        return self.render.service

    @property
    def _between(self) -> Any:
        return _Between(self)

    def plan(self, after: int, act: tuple[str, ...]) -> None:
        """Let others do that before the call of ours that is so many calls ahead."""
        self.acts.append((self.calls + after, lambda: self.others.act(*act)))

    def before_a_call(self) -> None:
        self.calls += 1
        if self.calls == self.dies_before:
            raise Killed
        due = [act for at, act in self.acts if at < self.calls]
        self.acts = [(at, act) for at, act in self.acts if at >= self.calls]
        for act in due:
            with suppress(Refused):
                act()
        self.check()

    # What we do -------------------------------------------------------------------------------------------------------

    async def pass_time(self, polls: int) -> None:
        """Poll by poll; a worker that is killed, or does not get started, is followed by another one at the next poll."""
        for _ in range(polls):
            self.clock.advance(POLL)
            self.check()
            try:
                if not self.lives:
                    await self.restart()
                await self._poll()
            except Killed:
                self.lives = False
                self.deaths += 1
                self.others.log.append((self.clock.now(), "killed"))
                self.interrupted()
            except OutsideError:
                self.interrupted()
            self.check()

    def interrupted(self) -> None:
        """The interval within which the env fits is that of a worker that lives, and of a Render that answers it."""
        if self.others.is_excused:
            self.others.excuse()

    async def _poll(self) -> None:
        clock = TurnedClock(self.clock)
        if self.clock.now() // 1000 % DRIFT < POLL:
            with suppress(OutsideError):  # the worker logs it and goes on
                await drift.look(self.managed, self._between, self.store, clock)
        await self.ticker.tick(self.managed)
        for change in await self.store.due_changes(self.clock.now()):
            await self.reconciler.advance(change)
        await deliver(self.store, self.heard, clock)

    # What must hold ---------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """The order property, at this instant: no deploy begins an instance whose env belongs to a larger tier than its plan."""
        others = self.others
        for deploy in self.service.deploys:
            if deploy.snapshot is None or deploy.id in self.judged:
                continue
            self.judged.add(deploy.id)
            if not others.is_excused and deploy.id not in others.rolled_back:
                assert self.fits(deploy.snapshot.plan, deploy.snapshot.env), _tell(deploy)
        if not others.is_excused and not self.service.suspended:
            configured = self.service.configured()
            assert self.fits(configured.plan, configured.env), f"configured {configured}"

    def fits(self, plan: str, env: Any) -> bool:
        """Whether no value that is not a person's belongs to a larger tier only, in either edition of the policy."""
        tiers = [tier for file in FILES for tier in file.policy.tiers]
        allowed = [tier for tier in tiers if same_plan(tier.plan, plan) or is_smaller(tier.plan, plan)]
        larger = [tier for tier in tiers if tier not in allowed]
        for name in MVP_ENV:
            too_large = {tier.env[name] for tier in larger} - {tier.env[name] for tier in allowed}
            if env.get(name) in too_large and (name, env.get(name)) not in self.others.persons:
                return not allowed  # on a plan below the ladder nothing fits
        return True

    async def at_rest(self, polls: int = 120) -> list[Change]:
        """In the end, calm and left alone: nothing is open, what is configured runs, the record is whole."""
        self.acts.clear()
        self.unanswered.clear()
        self.dies_before = self.dies_after = -1
        self.app.load = "calm"
        self.service.fail_next = None
        with suppress(Refused):
            suspension.resume(self.render.world, self.service, self.clock.now())
        await self.pass_time(polls)
        changes = await self.store.changes()
        assert not [change for change in changes if change.state.is_open], changes
        self._check_running(changes)
        for change in changes:
            journal = await self.store.journal(change.id)
            assert [entry.number for entry in journal] == list(range(1, len(journal) + 1))
            assert all(entry.outcome for entry in journal), journal
            asked = [entry for entry in journal if entry.step.startswith("ask ") or entry.step.startswith("ask again")]
            assert len(change.attempts) <= 3, change
            assert len(asked) <= 3 * 2 + len(change.given_back), journal
        return changes

    def _check_running(self, changes: list[Change]) -> None:
        """What is configured runs, unless somebody has left it so; with a disk nothing is deployed for env values alone.

        Where that deploy failed, people were told that the values wait for the next one.
        """
        others = self.others
        if others.saved_only or others.rolled_back or self.kind == "disk":
            return
        instance = self.service.serving()[-1]
        configured, running = self.service.configured(), instance.snapshot
        assert same_plan(configured.plan, running.plan), (configured, running, changes)
        waits = [one for one in changes if one.follows and one.state is State.FAILED and one.attempts]
        deployed_at = next(one.created_at for one in self.service.deploys if one.id == instance.deploy_id)
        if any(one.created_at >= deployed_at for one in waits):
            return
        for name in set(MVP_ENV) - {name for name, _ in others.persons}:
            assert configured.env.get(name) == running.env.get(name), (configured, running, changes)

    async def people_come_once_more(self) -> None:
        """After all that: what somebody sets is there again whenever its rung is, and a plan that somebody sets is followed."""
        tier = self.managed.state.tier
        if tier == TIERS[0].name and not self.managed.sight.not_deployed:  # else their deploy brings another plan, too
            self.others.act("env", "DB_POOL_SIZE", "77")
            await self.pass_time(DRIFT // POLL + 2)
            if await self.comes("busy", 60, lambda now: now != tier) and await self.comes(
                "calm", 90, lambda now: now == tier
            ):
                assert self.service.configured().env["DB_POOL_SIZE"] == "77"
        for plan in ("standard", "starter"):
            self.others.act("plan", plan)
            await self.pass_time(DRIFT // POLL + 3)

    async def comes(self, load: str, polls: int, there: Callable[[str | None], bool]) -> bool:
        """Whether under that load it gets there within so many polls."""
        self.app.load = load
        for _ in range(polls):
            if there(self.managed.state.tier):
                return True
            await self.pass_time(1)
        return False


class _Between:
    """A RenderPort before each of whose calls the others have their turn."""

    def __init__(self, town: Town) -> None:
        self._town = town

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._town.render, name)

        async def called(*arguments: Any, **named: Any) -> Any:
            town = self._town
            town.before_a_call()
            taken = town.unanswered.pop(town.calls, None)
            if taken is not None:
                town.interrupted()
            if taken is False:
                raise UnavailableError("Render is away")
            result = await call(*arguments, **named)
            town.check()
            if town.calls == town.dies_after:
                raise Killed
            if taken:
                raise UnavailableError("no answer", may_have_acted=True)
            return result

        return called


def _tell(deploy: Deploy) -> str:
    return f"{deploy.trigger} {deploy.id} began {deploy.snapshot}"
