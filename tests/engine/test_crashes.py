"""Killed after any call of any port, a worker is followed by one that ends the change as if nothing had been."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from autoscaler.adapters.store import open_store
from autoscaler.core.change import State
from autoscaler.core.evaluate import decide
from autoscaler.core.observations import TierChanged
from autoscaler.engine.managed import load
from autoscaler.policyfile import load_text
from autoscaler.ports import PassRecord
from render_client.sim import Durations, ManualClock, ServiceSpec, WorldSpec
from render_client.sim.building import build_world
from render_client.sim.controls import fail_next_deploy
from tests.support.crashing import Countdown, Heard, Killed, PlainRender, Process, copied
from tests.support.played import DOWN, SERVICE, UP
from tests.support.rig import POLICY

STEP = 10
FILE = load_text(POLICY, "policy.yaml")
MOST_STEPS = 30
ASK = "ask for a deploy (deploy_only)"


def begun(change, tells, *, fails=False):
    """A Render on the origin's tier and the change that starts now."""
    clock = ManualClock()
    spec = ServiceSpec(name="holisticos-api", id=SERVICE, plan=change.origin.plan, env=dict(change.origin.env))
    world = WorldSpec(services=(spec,), durations=Durations(update=5, drain=0), list_lag=0 if tells else 10)
    render = PlainRender(build_world(world, clock.now() - 1), clock, tells=tells)
    if fails:
        fail_next_deploy(render.service)
    now = clock.now()
    return render, replace(change, created_at=now, due_at=now, soak=10_000, watch=20_000)


async def work(url, render, change, heard, countdown):
    """One process until the change is over, or until it is killed."""
    process = Process(url, FILE, render, heard, countdown)
    try:
        await process.start()
        if await process.store.change(change.id) is None:
            await process.store.record(PassRecord(SERVICE, (), change=change))
        for _ in range(MOST_STEPS):
            await process.step(STEP)
            (now,) = await process.raw.changes()
            if now.state.is_final and not await process.raw.undelivered(render.clock.now()):
                return await told(process, render)
    finally:
        await process.end()
    raise AssertionError(f"not over after {MOST_STEPS} steps: {now}")


async def told(process, render):
    """What the store holds in the end; the state in memory is what it tells."""
    managed, now = process.managed, render.clock.now()
    again = await load(managed.file, managed.seen, process.raw, now)
    assert decide(managed.state, now) == decide(again.state, now)
    assert (managed.silence, managed.verdict) == (again.silence, again.verdict)
    (change,) = await process.raw.changes()
    return change, await process.raw.journal(change.id), await process.raw.tier_changes(SERVICE)


def check(change, journal, tiers, render, heard, expected, ending):
    """The right end, at most one deploy an attempt, a complete journal, everything told in order."""
    rung = expected
    assert change.state is ending, change
    configured = render.service.configured()
    assert (configured.plan, configured.env) == (rung.plan, rung.env)
    running = render.service.serving()[-1].snapshot
    assert (running.plan, running.env) == (rung.plan, rung.env)
    assert [entry.number for entry in journal] == list(range(1, len(journal) + 1))
    assert all(entry.outcome for entry in journal)
    steps, done = Counter(entry.step for entry in journal), Counter(render.writes)
    assert all(done[step] <= steps[step] for step in done), (done, steps)
    assert done[ASK] == 1
    assert [one.tier for one in tiers if isinstance(one, TierChanged)][-1] == rung.tier
    kinds = list(dict.fromkeys(one.partition(":")[2].strip("0123456789") for one in heard.ids))
    assert kinds[-1] in {"watching", "undone"}


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A migrated, empty database in one file."""
    file = tmp_path_factory.mktemp("store") / "template.db"

    async def migrate():
        store = open_store(f"sqlite:///{file}")
        await store.migrate()
        await store.close()

    asyncio.run(migrate())
    return file


@pytest.mark.parametrize(
    ("change", "tells", "fails"),
    ((UP, True, False), (DOWN, False, False), (UP, False, True)),
    ids=("an up", "a down whose deploy has no id", "an up whose deploy fails"),
)
async def test_after_a_crash_at_any_point_the_change_ends_as_if_nothing_had_been(
    template, tmp_path, change, tells, fails
):
    expected, ending = (change.origin, State.UNDONE) if fails else (change.target, State.DONE)
    render, first = begun(change, tells, fails=fails)
    heard, countdown = Heard(), Countdown()
    check(*await work(copied(template, tmp_path), render, first, heard, countdown), render, heard, expected, ending)
    points = len(countdown.calls)
    assert points > 60
    for point in range(1, points + 1):
        render, change_now = begun(change, tells, fails=fails)
        url, heard, countdown = copied(template, tmp_path), Heard(), Countdown(point)
        try:
            result = await work(url, render, change_now, heard, countdown)
        except Killed:
            result = await work(url, render, change_now, heard, Countdown())
        check(*result, render, heard, expected, ending)
