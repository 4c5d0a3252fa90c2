"""The one call that is not idempotent: asked for once an attempt, then found again and followed to its end."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import takewhile

from autoscaler.core.change import Attempt, Change, DeploySeen, State, World
from autoscaler.core.durations import HOUR, SECOND, format_duration
from autoscaler.core.plans import same_plan
from autoscaler.core.steps.cancelling import ENDED, is_ours
from autoscaler.core.steps.kinds import AskDeploy, Become, Redeploy, Step, Wait, ended, failed
from autoscaler.core.steps.preflight import LIST_LAG, build_not_live, live_deploy, under_way
from autoscaler.core.steps.writes import scale_out

MAX_ATTEMPTS = 3
AT_ONCE = 5 * SECOND
"""A deploy that ended within so long of ours beginning was cancelled by it."""
DEPLOY_LIMIT = 3 * HOUR
"""Render's own limits (build, pre-deploy, health) add up to less."""

_FAILED = frozenset({"pre_deploy_failed", "update_failed"})
"""Ways in which a `deploy_only` can fail: it builds nothing."""
_ENDED_BADLY = frozenset({*_FAILED, "build_failed", "canceled"})


def deploy(change: Change, world: World, now: int, look_every: int) -> Step:
    """All is written: ask for a deploy, or see what became of the one that was asked for."""
    if not change.attempts:
        return _scaled(change, world, now) if _only_counts(change) else _ask(change, world, now, look_every)
    attempt = change.attempts[-1]
    if attempt.writes is not None and configured(change) > attempt.writes:
        return _ask_again(change, world, now, look_every, listed=True)
    carriers = list(_carriers(change, attempt, world.deploys))
    if live := next((one for one in carriers if one.status == "live"), None):
        return _cancelled_by_ours(change, world, now, look_every) or _went_live(change, live, world, now)
    if running := next((one for one in carriers if one.status not in ENDED), None):
        return _follow(change, attempt, running, now, look_every)
    fatal = _FAILED | {"build_failed"} if attempt.commit else _FAILED
    if ours := next((one for one in carriers if is_ours(one, attempt) and one.status in fatal), None):
        given = _cancelled_by_ours(change, world, now, look_every)
        return given or failed(change, f"deploy {ours.id} ended as {ours.status}", now)
    return _ask_again(change, world, now, look_every, listed=bool(carriers))


def never_ran(change: Change, world: World) -> bool:
    """Whether what served before the change still serves, and nothing that began since can take its place.

    With a disk a deploy stops the old instance before it starts its own, so one that failed in that has left nothing running.
    """
    before = change.before.live_deploy if change.before else None
    replaced = {"live", "deactivated", *(("update_failed", "canceled") if world.has_disk else ())}
    for one in world.deploys:
        if one.id == before:
            return one.status == "live"
        if one.status not in ENDED or one.status in replaced:
            return False
    return False


def configured(change: Change) -> int:
    """How many writes of plan and env this walk has made so far: only what is deployed after them carries them."""
    return sum(what == "plan" or what.startswith("env:") for what in change.written)


def _only_counts(change: Change) -> bool:
    """Whether nothing but the number of instances changes, which needs no deploy. Who asks by hand may want one for what waits."""
    origin, target = change.origin, change.target
    same = same_plan(origin.plan, target.plan) and dict(origin.env) == dict(target.env)
    forward = change.walking_back is None and not change.by_hand and not change.follows
    return forward and same and origin.instances != target.instances and configured(change) == 0


def _scaled(change: Change, world: World, now: int) -> Step:
    for write in scale_out(change, world):
        return write
    return _soaking(_counted(change, world), now, now, "")


def _ask(change: Change, world: World, now: int, look_every: int) -> Step:
    """Not while somebody's deploy is under way, which ours would cancel, and not if ours would ship another build.

    Where it can't wait for a person (an emergency, a way back), or `deploy_only` was refused, the live commit is built anew.
    """
    running = under_way(world.deploys)
    if running is not None and now - running.created_at < DEPLOY_LIMIT:
        return Wait(now + look_every, f"deploy {running.id} is under way")
    live = live_deploy(world.deploys)
    served = live.commit if live else None
    problem = build_not_live(world.deploys)
    by_commit = change.pinned or (problem is not None and (change.is_urgent or change.walking_back is not None))
    if by_commit and served is not None:
        return AskDeploy(world.deploys[0], served, commit=served)
    if problem is not None:
        return failed(change, problem, now)
    return AskDeploy(world.deploys[0], served)


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
        after_ours = attempt.deploy is not None or is_ours(one, attempt) or one.created_at >= attempt.asked_at
        if after_ours and one.trigger != "rollback":
            yield one
        if one.id == attempt.deploy:
            return


def _follow(change: Change, attempt: Attempt, running: DeploySeen, now: int, look_every: int) -> Step:
    if now - attempt.asked_at > DEPLOY_LIMIT:
        return failed(change, f"deploy {running.id} has not ended within {format_duration(DEPLOY_LIMIT)}", now)
    if attempt.deploy is None and is_ours(running, attempt):
        return Become(with_deploy(change, running.id))
    return Wait(now + look_every, f"deploy {running.id}: {running.status}")


def with_deploy(change: Change, deploy_id: str) -> Change:
    """The change once the last attempt's deploy is known."""
    return replace(change, attempts=(*change.attempts[:-1], replace(change.attempts[-1], deploy=deploy_id)))


def owed(change: Change, world: World, now: int, look_every: int) -> Redeploy | Wait | None:
    """What ours had cancelled, where nothing of ours is deployed any more: after whatever else is under way."""
    step = _cancelled_by_ours(change, world, now, look_every)
    running = under_way(world.deploys)
    if isinstance(step, Redeploy) and running is not None and now - running.created_at < DEPLOY_LIMIT:
        return Wait(now + look_every, f"deploy {running.id} is under way")
    return step


def _cancelled_by_ours(change: Change, world: World, now: int, look_every: int) -> Redeploy | Wait | None:
    """Somebody's deploy that began between our last look and our request, and did not survive it: it is asked for again.

    Whichever request of ours it was, also one of a change whose place this one took.
    """
    for attempt in (*change.earlier, *change.attempts):
        found = _cancelled_by(attempt, world, change.given_back)
        if found is not None and (step := _give_back(change, *found, now, look_every)) is not None:
            return step
    return None


def _cancelled_by(
    attempt: Attempt, world: World, given_back: tuple[str, ...]
) -> tuple[DeploySeen, tuple[DeploySeen, ...]] | None:
    """Their deploy, and what is newer than ours: cancelled, or, where deploys wait for each other, replaced by the build from before.

    One that only has our commit brings nothing that ours does not; a rollback brings env vars, which no request can. Once
    somebody has deployed something newer, that is what they want to have live.
    """
    ours = next((one for one in world.deploys if is_ours(one, attempt) and one.created_at >= attempt.newest_at), None)
    if ours is None:
        return None
    place = world.deploys.index(ours)
    newer = world.deploys[:place]
    if any(one.status not in _ENDED_BADLY and (one.trigger == "rollback" or _is_news(one, ours)) for one in newer):
        return None
    for one in takewhile(lambda one: _is_after(one, attempt), world.deploys[place + 1 :]):
        by_us = one.status == "canceled" and abs((one.finished_at or 0) - ours.created_at) <= AT_ONCE
        was_live = one.status == "deactivated" and ours.status in {"live", "deactivated"}
        if was_live and given_back and one.id not in given_back:
            break  # it is ours, and what was taken for that is what was given back
        if (by_us or was_live) and one.trigger != "rollback" and _is_news(one, ours):
            return one, newer
        if was_live:
            break  # older ones were replaced by that, and not by ours
    return None


def _is_after(one: DeploySeen, attempt: Attempt) -> bool:
    """Whether it began after our last look before the request."""
    return one.id != attempt.newest_before and one.created_at >= attempt.newest_at


def _give_back(
    change: Change, theirs: DeploySeen, newer: tuple[DeploySeen, ...], now: int, look_every: int
) -> Redeploy | Wait | None:
    """Once. Again only where nobody knows whether Render took the request, and what it asked for is not listed in time."""
    asked = change.given_back.count(theirs.id)
    if asked and (change.gave_back_at is None or asked >= MAX_ATTEMPTS or change.given_back[-1] != theirs.id):
        return None
    if asked and any(one.trigger == "api" and one.commit == theirs.commit for one in newer):
        return None
    if asked and now - (change.gave_back_at or 0) < LIST_LAG:
        return Wait(now + look_every, f"the deploy that gives {theirs.id} back is not listed yet")
    return Redeploy(theirs.id, theirs.commit or "")


def _is_news(one: DeploySeen, ours: DeploySeen) -> bool:
    return one.commit is not None and one.commit != ours.commit


def _went_live(change: Change, live: DeploySeen, world: World, now: int) -> Step:
    attempt = change.attempts[-1]
    if _shipped_another(live, attempt, world.deploys) and len(change.attempts) < MAX_ATTEMPTS:
        return AskDeploy(world.deploys[0], attempt.served, commit=attempt.served)
    for write in scale_out(change, world):
        return write
    if change.walking_back is not None:
        return ended(change, State.UNDONE, f"{change.walking_back}; back on {change.origin.plan}", now)
    if change.follows:
        return ended(change, State.DONE, f"{change.target.tier} runs with its own env values", now)
    note = ""
    if change.before and change.before.commit and live.commit and live.commit != change.before.commit:
        note = f" It also brought commit {live.commit[:7]}."
    known = _counted(with_deploy(change, live.id), world)
    return _soaking(known, min(live.finished_at or now, now), now, note)


def _soaking(change: Change, live_at: int, now: int, note: str) -> Become:
    soaking = replace(change, state=State.SOAKING, live_at=live_at, due_at=max(now, live_at + change.soak))
    return Become(soaking, f"Live on {change.target.plan}; watching it for {format_duration(change.soak)}.{note}")


def _counted(change: Change, world: World) -> Change:
    """With as many instances as there are: Render's own autoscaling, switched on meanwhile, sets them and not we."""
    target = change.target
    if not world.render_autoscaling or target.instances == world.instances:
        return change
    monthly = target.monthly / target.instances * world.instances
    return replace(change, target=replace(target, instances=world.instances, monthly=monthly))


def _shipped_another(live: DeploySeen, attempt: Attempt, deploys: tuple[DeploySeen, ...]) -> bool:
    """Whether our `deploy_only` took a build that nobody was deploying: which one it takes is not documented.

    One that somebody deployed meanwhile is what they wanted to have live.
    """
    if not is_ours(live, attempt) or attempt.commit is not None or attempt.served is None or live.commit is None:
        return False
    meanwhile = {one.commit for one in deploys if one is not live and one.created_at > attempt.newest_at}
    return live.commit != attempt.served and live.commit not in meanwhile
