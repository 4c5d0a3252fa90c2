"""Gather what an explanation is made of: what guards would say of each way, and how each metric went."""

from collections.abc import Sequence

from autoscaler.core.durations import DAY
from autoscaler.core.evaluate import Ask, suppose
from autoscaler.core.guards import Verdict
from autoscaler.core.observations import Missed, Observation, Reading
from autoscaler.core.why import Why
from autoscaler.engine.managed import Managed, load, rung
from autoscaler.engine.tick import Ticker
from autoscaler.policyfile import PolicyFile
from autoscaler.ports import History, ServiceSeen
from autoscaler.report.explain import Explanation, explain
from autoscaler.report.trends import span, trend

_WAYS = ((Ask.UP, True), (Ask.UP, False), (Ask.DOWN, False))
"""What can be asked for, and whether as an emergency."""


async def explained(
    ticker: Ticker, managed: Managed, verdict: Verdict, history: History, *, unrecorded: Sequence[Observation] = ()
) -> Explanation:
    """Explain a verdict of this very moment. `unrecorded`: what this pass has seen and nobody has stored. Raises StoreError."""
    state = managed.state
    decisions = (suppose(state, verdict.at, ask, emergency=emergency) for ask, emergency in _WAYS)
    supposed = [await ticker.verdict(managed, decision) for decision in decisions if decision is not None]
    wanted = {progress.condition for progress in verdict.progress}
    conditions = {one.text: one for one in managed.policy.conditions() if one.text in wanted}
    longest = max((span(condition, state.every) for condition in conditions.values()), default=DAY)
    observations = [*await history.observations(managed.service_id, verdict.at - longest), *unrecorded]
    polls = (one.at for one in reversed(observations) if isinstance(one, Reading | Missed))
    return explain(
        verdict,
        policy=managed.policy,
        supposed=supposed,
        trends={text: trend(one, observations, verdict.at, state.every) for text, one in conditions.items()},
        plan=managed.seen.plan,
        polled_at=next(polls, None),
        kept=_kept(managed),
    )


def _kept(managed: Managed) -> tuple[tuple[str, str], ...]:
    tier = managed.policy.tier(managed.state.tier or "")
    if tier is None:
        return ()
    runs = rung(managed, tier)
    return tuple((name, runs.env[name]) for name in runs.theirs)


async def remembered(file: PolicyFile, last: Verdict, history: History, now: int) -> Managed:
    """The service of a policy as the worker knows it, by what it has recorded; Render is not asked. Raises StoreError."""
    changes = await history.tier_changes(last.service_id)
    obstacles = {blocker.why for blocker in last.blockers}
    seen = ServiceSeen(
        id=last.service_id,
        name=last.service,
        plan=changes[-1].plan if changes else "",
        instances=changes[-1].instances if changes else 1,
        suspended=Why.SUSPENDED in obstacles,
        has_disk=Why.DISK_DOWNTIME in obstacles,
        render_autoscaling=False,
    )
    managed = await load(file, seen, history, now, measured_cadence=True)
    if Why.UNREACHABLE not in obstacles:  # the worker asks Render as well; when that was silent, its last word said so
        managed.sight.render_answered_at = now
    return managed
