"""What guards may know of one service, gathered when there is something to guard: from the store, from Render's last look, from the fleet."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import takewhile

from autoscaler.core.change import Change, Direction, State
from autoscaler.core.consent import declined_until
from autoscaler.core.durations import DAY, MINUTE
from autoscaler.core.evaluate import Ask, Decision
from autoscaler.core.facts import Facts
from autoscaler.core.money import Spend, spend
from autoscaler.core.steps.emergency import yields
from autoscaler.engine.managed import Managed
from autoscaler.ports import History

AT_ONCE = 10 * MINUTE
"""Services that fall silent within so long of each other went at once."""
SUSPICIOUS, SUSPICIOUS_SHARE = 3, 0.2
"""So many services, and more than this share of the fleet: then it is rather the observer (design, Evidence 5)."""


async def gather(managed: Managed, store: History, decision: Decision) -> Facts:
    """The store is asked only when something is asked for. Raises StoreError."""
    seen = managed.seen
    facts = Facts(
        service_id=seen.id,
        service=seen.name,
        spend=Spend(0.0, estimated=True, month_left=1.0),
        tier_known=managed.state.tier_known,
        suspended=seen.suspended,
        has_disk=seen.has_disk,
        render_autoscaling=seen.render_autoscaling,
        image_backed=seen.image_backed,
        build_not_live=managed.sight.build_not_live,
        not_deployed=managed.sight.not_deployed,
    )
    if decision.ask is Ask.HOLD:
        return facts
    recent = await store.changes(seen.id, limit=100)
    pause = await store.paused(seen.id)
    under_way = next((change for change in recent if change.state.is_open), None)
    makes_way = under_way is not None and decision.emergency and _makes_way(under_way, managed, decision)
    begun = [change for change in recent if not change.was_only_asked]
    ended = [change.ended_at for change in begun if change.ended_at is not None and not change.follows]
    failures = _failures(begun, decision.target)
    today = (change.created_at for change in recent if decision.at - change.created_at < DAY and _counts(change))
    return replace(
        facts,
        spend=spend(managed.policy, await store.tier_changes(seen.id), decision.at),
        open_change=under_way.id if under_way and not makes_way else None,
        preempts=under_way.id if under_way and makes_way else "",
        last_change_ended=max(ended, default=None),
        pause=pause if pause and (pause.until is None or decision.at < pause.until) else None,
        changes_today=tuple(today),
        declined=declined_until(
            recent, decision.target, managed.file.digest, decision.reasons, emergency=decision.emergency
        )
        if decision.target
        else None,
        failed_tries=len(failures),
        failed_at=failures[0].ended_at if failures else None,
        doubts=tuple(_doubts(managed)),
        observer_suspect=_observer_suspect(managed),
    )


def _counts(change: Change) -> bool:
    """Whether it is one of the day's changes: one that met an obstacle before its first write changed nothing."""
    is_return = change.scheduled and change.direction is Direction.DOWN
    return change.before is not None and not change.is_urgent and not is_return


def _failures(recent: Sequence[Change], target: str | None) -> list[Change]:
    """The latest changes to that tier that failed by themselves, newest first, up to the last that did not."""
    ended = (one for one in recent if one.state.is_final or one.state is State.WATCHING)
    tried = (one for one in ended if one.target.tier == target and one.state is not State.SUPERSEDED)
    return list(takewhile(lambda one: one.before is not None and one.state in {State.UNDONE, State.FAILED}, tried))


def _makes_way(change: Change, managed: Managed, decision: Decision) -> bool:
    target = managed.policy.tier(decision.target) if decision.target else None
    return yields(change, managed.policy, target)


def _doubts(managed: Managed) -> Iterator[str]:
    """Why the silence may have another cause than the app."""
    if managed.silence is None:
        return
    sight, since = managed.sight, managed.silence[0]
    heard = sight.render_answered_at is not None and sight.render_answered_at >= since
    if not heard and not any(_answers(other, since) for other in sight.fleet.values() if other is not managed):
        yield "neither Render nor another app has answered me since"
    if managed.seen.maintenance:
        yield "it is in maintenance mode"
    if sight.switching:
        yield "a deploy is switching over"


def _answers(other: Managed, since: int) -> bool:
    reading = other.last_reading
    return other.silence is None and reading is not None and reading.at >= since


def _observer_suspect(managed: Managed) -> str:
    """Only of a service that is silent itself: one that answers is seen well."""
    if managed.silence is None:
        return ""
    fleet, since = managed.sight.fleet, managed.silence[0]
    gone = sum(one.silence is not None and abs(one.silence[0] - since) <= AT_ONCE for one in fleet.values())
    if gone < SUSPICIOUS or gone <= SUSPICIOUS_SHARE * len(fleet):
        return ""
    return f"{gone} of {len(fleet)} services"
