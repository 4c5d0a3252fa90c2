"""A policy test, played: its polls are read, folded, decided and judged as live ones are, and what comes is compared."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain

from autoscaler.core.facts import Facts
from autoscaler.core.guards import Verdict
from autoscaler.core.money import month_bounds, spend
from autoscaler.core.observations import Masked, Observation, Reading, Signal, TierChanged
from autoscaler.core.policy import Policy, Tier
from autoscaler.core.readings import signals
from autoscaler.core.rehearsal import Rehearsal, RehearsedChange, Terms
from autoscaler.engine.policytest_app import App
from autoscaler.policyfile.cases_check import Script

_ENDS_AN_INSTANCE = frozenset({"oom_kills", "server_failed"})
"""Signals after which Render starts the process again."""
_INSTANCE = "srv-test-1"


@dataclass(frozen=True, slots=True)
class Look:
    """What came of one poll."""

    verdict: Verdict
    tier: str | None
    """The rung that ran."""


@dataclass(frozen=True, slots=True)
class Played:
    """One test from its start to its end."""

    script: Script
    looks: tuple[Look, ...]
    """One a poll, in order."""
    changes: tuple[RehearsedChange, ...]
    alerts: tuple[tuple[int, str], ...]
    """When which alert was raised, ms UTC."""


def play(policy: Policy, script: Script) -> Played:
    """Every poll of the test, and a look after each."""
    terms = Terms(tier=script.tier, every=script.every, consents=script.approved)
    rehearsal = Rehearsal(policy, terms, lambda facts, now: _known(script, rehearsal, facts, now))
    app = App(script, policy)
    events = sorted(_events(policy, script, app), key=lambda event: event.at)
    looks: list[Look] = []
    alerts: list[tuple[int, str]] = []
    running = _running(policy, rehearsal, script.start.at)
    for at in range(script.start.at, script.start.at + script.lasts + 1, script.every):
        while events and events[0].at <= at:
            rehearsal.observe(events.pop(0))
        before, running = running, _running(policy, rehearsal, at)
        if running is not before:
            app.restart(at, f"srv-test-{running.name}-{at}")
        seen = app.poll(at, running)
        for observation in (seen, *(signals(seen) if isinstance(seen, Reading) else ())):
            if observation is not None:
                rehearsal.observe(observation)
        verdict = rehearsal.look(at)
        told = looks[-1].verdict.alerts if looks else ()
        alerts += [(at, name) for name in verdict.alerts if name not in told]
        looks.append(Look(verdict, rehearsal.tier))
    return Played(script, tuple(looks), rehearsal.changes, tuple(alerts))


def _running(policy: Policy, rehearsal: Rehearsal, now: int) -> Tier:
    """What runs at that time; a plan off the ladder is taken for the rung before it."""
    live = [(change.live_at, change.target) for change in rehearsal.changes if change.live_at is not None]
    live += [(change.at, change.tier) for change in rehearsal.tenancy if change.tier is not None]
    at_last = max((moved for moved in live if moved[0] <= now), key=lambda moved: moved[0])
    return policy.tiers[policy.rank(at_last[1])]


def _events(policy: Policy, script: Script, app: App) -> Iterator[Observation]:
    """What happens beside the polls; instances that end or are replaced are shown by the app itself."""
    case, start = script.case, script.start
    for number, at in enumerate(chain.from_iterable(times.at(start) for times in case.deploys)):
        app.restart(at, f"srv-test-deployed-{number + 1}")
    for at in chain.from_iterable(times.at(start) for times in case.restarts):
        app.restart(at, _INSTANCE)
    for name, listed in case.signals.items():
        for at in chain.from_iterable(times.at(start) for times in listed):
            yield Signal(at, name)
            if name in _ENDS_AN_INSTANCE:
                app.restart(at, _INSTANCE)
    for event in case.by_hand:
        tier = policy.tier(event.what)
        plan, count = (tier.plan, tier.instances) if tier else (event.what, 1)
        assert event.last is not None  # noqa: S101 - `cases_check` looked
        yield TierChanged(event.last.at(start), tier.name if tier else None, plan, count)
    for span in case.masks:
        yield Masked(span.first.at(start), span.last.at(start), "as the test says")


def _known(script: Script, rehearsal: Rehearsal, facts: Facts, now: int) -> Facts:
    """With what the test says was so before it began, and is."""
    known, start = script.case.facts, script.start.at
    ended, month = facts.last_change_ended, facts.spend
    if ended is None and known.last_change is not None:
        ended = start - known.last_change
    if known.spent is not None and month_bounds(start) == month_bounds(now):
        assumed = spend(rehearsal.policy, rehearsal.tenancy[:1], start).so_far
        month = replace(month, so_far=month.so_far + known.spent - assumed, estimated=False)
    return replace(
        facts,
        suspended=known.suspended,
        has_disk=known.disk,
        observer_suspect="many services" if known.observer_suspect else facts.observer_suspect,
        last_change_ended=ended,
        changes_today=(*([start] * known.changes_today), *facts.changes_today),
        spend=month,
    )
