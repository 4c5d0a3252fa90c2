"""The one call that is not idempotent: asked for once an attempt, then found again and followed to its end."""

from collections.abc import Iterator
from dataclasses import replace

from autoscaler.core.change import Attempt, Change, DeploySeen, State, World
from autoscaler.core.durations import HOUR, SECOND, format_duration
from autoscaler.core.steps.kinds import AskDeploy, Become, Step, Wait, ended, failed
from autoscaler.core.steps.preflight import ENDED, build_not_live, under_way
from autoscaler.core.steps.writes import scale_out

LIST_LAG = 90 * SECOND
"""How long a deploy that we asked for may be missing from the list before we ask again."""
MAX_ATTEMPTS = 3
DEPLOY_LIMIT = 3 * HOUR
"""Render's own limits (build, pre-deploy, health) add up to less."""

_FAILED = frozenset({"pre_deploy_failed", "update_failed"})
"""Ways in which a `deploy_only` can fail: it builds nothing."""


def deploy(change: Change, world: World, now: int, look_every: int) -> Step:
    """All is written: ask for a deploy, or see what became of the one that was asked for."""
    if not change.attempts:
        return _ask(change, world, now, look_every)
    attempt = change.attempts[-1]
    carriers = list(_carriers(change, attempt, world.deploys))
    if live := next((one for one in carriers if one.status == "live"), None):
        return _went_live(change, live, world, now)
    if running := next((one for one in carriers if one.status not in ENDED), None):
        return _follow(change, attempt, running, now, look_every)
    if ours := next((one for one in carriers if _is_ours(one, attempt) and one.status in _FAILED), None):
        return failed(change, f"deploy {ours.id} ended as {ours.status}", now)
    return _ask_again(change, world, now, look_every, listed=bool(carriers))


def never_ran(change: Change, world: World) -> bool:
    """Whether what served before the change still serves, and nothing that began since can take its place."""
    for one in world.deploys:
        if change.before is not None and one.id == change.before.live_deploy:
            return one.status == "live"
        if one.status not in ENDED or one.status in {"live", "deactivated"}:
            return False
    return False


def _ask(change: Change, world: World, now: int, look_every: int) -> Step:
    """Not while somebody's deploy is under way, which ours would cancel, and not if ours would ship another build."""
    running = under_way(world.deploys)
    if running is not None and now - running.created_at < DEPLOY_LIMIT:
        return Wait(now + look_every, f"deploy {running.id} is under way")
    if (problem := build_not_live(world.deploys)) is not None:
        return failed(change, problem, now)
    return AskDeploy(world.deploys[0])


def _ask_again(change: Change, world: World, now: int, look_every: int, *, listed: bool) -> Step:
    """Ours was cancelled, or never showed up."""
    attempt = change.attempts[-1]
    patience = LIST_LAG if attempt.deploy is None else DEPLOY_LIMIT  # what has an id is there, listed or not
    if not listed and now - attempt.asked_at < patience:
        return Wait(now + look_every, "the deploy is not listed yet")
    if len(change.attempts) < MAX_ATTEMPTS:
        return _ask(change, world, now, look_every)
    return failed(change, f"no deploy went live after {MAX_ATTEMPTS} requests", now)


def _carriers(change: Change, attempt: Attempt, deploys: tuple[DeploySeen, ...]) -> Iterator[DeploySeen]:
    """Deploys that carry our settings: ours, and any newer but a rollback, which brings old env vars.

    Ours is known by its id, or else by being newer than the newest before it. The list may lag, or be an older one: somebody
    else's deploy that shows up late may have begun before our settings were written, unless it was made after we asked.
    """
    listed = {one.id for one in deploys}
    if attempt.deploy and attempt.deploy not in listed and attempt.newest_before in listed:
        return  # ours is still to be listed; what is there came before it
    earlier = {attempt.newest_before, change.before.live_deploy if change.before else None}
    for one in deploys:
        if one.id in earlier or one.created_at < attempt.newest_at:
            return
        after_ours = attempt.deploy is not None or _is_ours(one, attempt) or one.created_at >= attempt.asked_at
        if after_ours and one.trigger != "rollback":
            yield one
        if one.id == attempt.deploy:
            return


def _is_ours(one: DeploySeen, attempt: Attempt) -> bool:
    return one.id == attempt.deploy if attempt.deploy else one.trigger == "api"


def _follow(change: Change, attempt: Attempt, running: DeploySeen, now: int, look_every: int) -> Step:
    if now - attempt.asked_at > DEPLOY_LIMIT:
        return failed(change, f"deploy {running.id} has not ended within {format_duration(DEPLOY_LIMIT)}", now)
    if attempt.deploy is None and _is_ours(running, attempt):
        return Become(with_deploy(change, running.id))
    return Wait(now + look_every, f"deploy {running.id}: {running.status}")


def with_deploy(change: Change, deploy_id: str) -> Change:
    """The change once the last attempt's deploy is known."""
    return replace(change, attempts=(*change.attempts[:-1], replace(change.attempts[-1], deploy=deploy_id)))


def _went_live(change: Change, live: DeploySeen, world: World, now: int) -> Step:
    for write in scale_out(change, world):
        return write
    if change.walking_back is not None:
        return ended(change, State.UNDONE, f"{change.walking_back}; back on {change.origin.plan}", now)
    live_at = min(live.finished_at or now, now)
    known = with_deploy(change, live.id)
    soaking = replace(known, state=State.SOAKING, live_at=live_at, due_at=max(now, live_at + change.soak))
    note = ""
    if change.before and change.before.commit and live.commit and live.commit != change.before.commit:
        note = f" It also brought commit {live.commit[:7]}."
    return Become(soaking, f"Live on {change.target.plan}; watching it for {format_duration(change.soak)}.{note}")
