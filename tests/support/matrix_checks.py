"""What must hold in the crash matrix: at every write, and in the end."""

from collections import Counter
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

from autoscaler.adapters.store import SqlStore
from autoscaler.core.change import Change, JournalEntry, Rung
from autoscaler.core.durations import HOUR
from autoscaler.core.evaluate import decide
from autoscaler.core.observations import TierChanged
from autoscaler.core.plans import is_smaller, same_plan
from autoscaler.engine.managed import load
from render_client.sim.state import Service
from tests.support.matrix_scenes import SERVICE, TIERS

if TYPE_CHECKING:
    from tests.support.matrix_lives import Life


async def step_under_way(store: SqlStore) -> str:
    """What is written down, before a call to Render, as the one thing under way of the one open change."""
    changes = [change for change in await store.changes() if change.state.is_open]
    assert len(changes) == 1, changes
    under_way = [entry.step for entry in await store.journal(changes[0].id) if entry.outcome is None]
    assert len(under_way) == 1, under_way
    return under_way[0]


def check_step(step: str, write: str) -> None:
    """What Render took is what was written down. A deploy that is given back is asked for as any other."""
    assert step == write or (step.startswith("ask again ") and write.startswith("ask ")), (step, write)


def check_configured(service: Service) -> None:
    """The order property, at this instant: nobody's deploy starts an instance whose env belongs to a larger tier than its plan."""
    configured = service.configured()
    assert fits(configured.plan, configured.env), configured
    for deploy in service.deploys:
        assert deploy.snapshot is None or fits(deploy.snapshot.plan, deploy.snapshot.env), deploy


def fits(plan: str, env: Any) -> bool:
    """Whether no value belongs to tiers on larger plans only."""
    allowed = [tier for tier in TIERS if same_plan(tier.plan, plan) or is_smaller(tier.plan, plan)]
    return all(any(tier.env[name] == value for tier in allowed) for name, value in env.items())


async def check_end(life: "Life") -> None:
    """The right end, at most one deploy an attempt, a complete journal, everything told once and in order, nothing forgotten."""
    scene, render, store = life.scene, life.render, life.bench.store
    changes = list(reversed(await store.changes()))
    assert tuple(change.state for change in changes) == scene.endings, changes
    journals = [await store.journal(change.id) for change in changes]
    for change, journal in zip(changes, journals, strict=True):
        check_journal(change, journal)
    _check_writes(life, [entry for journal in journals for entry in journal])
    tiers = [one for one in await store.tier_changes(SERVICE) if isinstance(one, TierChanged)]
    assert tiers[-1].tier == scene.ends_on.tier, tiers
    _check_told(life)
    now = life.time.now()
    again = await load(life.managed.file, life.managed.seen, store, now)
    assert decide(life.managed.state, now) == decide(again.state, now)
    assert (life.managed.silence, life.managed.verdict) == (again.silence, again.verdict)
    life.time.at += HOUR  # instances that were added last have come up
    check_configured(render.service)
    check_runs(render.service, scene.ends_on)
    if scene.push:
        newest = render.service.deploys[-1]
        assert render.service.serving()[-1].deploy_id == newest.id
        assert newest.source.commit == render.service.commits[-1]


def check_runs(service: Service, rung: Rung) -> None:
    """What is configured runs, and is this tier."""
    configured, serving = service.configured(), service.serving()
    assert (configured.plan, configured.env) == (rung.plan, rung.env), configured
    assert service.details["numInstances"] == rung.instances
    assert len(serving) == rung.instances
    assert {(one.snapshot.plan, tuple(one.snapshot.env.items())) for one in serving} == {
        (rung.plan, tuple(rung.env.items()))
    }, serving
    assert not [deploy for deploy in service.deploys if deploy.status in {"created", "queued", "update_in_progress"}]


def check_journal(change: Change, journal: list[JournalEntry]) -> None:
    """Whole, and in order."""
    assert [entry.number for entry in journal] == list(range(1, len(journal) + 1)), journal
    assert all(entry.outcome and entry.ended_at is not None for entry in journal), journal
    assert all(earlier.at <= later.at for earlier, later in pairwise(journal)), journal


def _check_writes(life: "Life", journal: list[JournalEntry]) -> None:
    """Each write that Render took has an entry of its own, and none was needed more often than without a crash."""
    steps, done = Counter(entry.step for entry in journal), Counter(life.render.writes)
    asked = [entry for entry in journal if entry.step.startswith("ask ")]
    deploys = [op for op in life.render.ops if op.name == "deploy"]
    assert all(count <= steps[step] for step, count in done.items() if not step.startswith("ask ")), (done, steps)
    assert len(deploys) <= len(asked), (deploys, asked)
    assert len(deploys) <= life.scene.most_deploys, deploys


def _check_told(life: "Life") -> None:
    """Told once, or again at once by the process that follows one that was cut off before it could note that it had."""
    told = [one for one, _ in groupby(life.heard.ids)]
    assert len(told) == len(set(told)), life.heard.ids
    assert len(life.heard.ids) - len(told) <= len(life.begins.crashes), life.heard.ids
    assert told[-1].partition(":")[2].rstrip("0123456789") in {"watching", "undone", "done"}, told
