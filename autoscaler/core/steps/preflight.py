"""Before the first write: may this change begin on what is there now?"""

from dataclasses import replace

from autoscaler.core.change import Before, Change, DeploySeen, State, World
from autoscaler.core.durations import MINUTE, SECOND, format_duration
from autoscaler.core.plans import same_plan
from autoscaler.core.steps.cancelling import ENDED, cancelling, is_ours
from autoscaler.core.steps.kinds import Become, Step, Wait, ended

LIST_LAG = 90 * SECOND
"""How long a deploy may be missing from the list."""
FOREIGN_DEPLOY_LIMIT = 30 * MINUTE
"""How long preflight waits for somebody else's deploy."""


def preflight(change: Change, world: World, now: int, look_every: int) -> Step:
    """Nothing is written before all of this holds."""
    if (objection := _objection(change, world)) is not None:
        state, outcome = objection
        return ended(change, state, f"{outcome}; nothing was changed", now)
    step = cancelling(change, world, now, look_every) or _in_the_way(change, world, now, look_every)
    if step is not None:
        return step
    live = live_deploy(world.deploys)
    change = _from_what_runs(change, live)
    is_known = live is not None and (change.leftover is None or live.id == change.found_live)
    env = change.origin.env if change.follows else world.env  # a value that was set since then is a person's
    before = Before(
        world.plan,
        {name: env.get(name) for name in change.target.env},
        live.id if live and is_known else None,
        live.commit if live else None,
        world.instances,
    )
    return Become(replace(change, state=State.APPLYING, before=before, due_at=now))


def _in_the_way(change: Change, world: World, now: int, look_every: int) -> Step | None:
    """Somebody's deploy, or a build that ours must not ship. What is urgent goes beside the one and around the other."""
    running = None if change.is_urgent else under_way(world.deploys)
    if running is not None:
        if now - change.created_at <= FOREIGN_DEPLOY_LIMIT:
            return Wait(now + look_every, f"deploy {running.id} is under way")
        limit = format_duration(FOREIGN_DEPLOY_LIMIT)
        outcome = f"deploy {running.id} has been under way for over {limit}; nothing was changed"
        return ended(change, State.FAILED, outcome, now)
    live = live_deploy(world.deploys)
    if live is None and now - change.created_at < LIST_LAG:
        return Wait(now + look_every, "the list of deploys does not show which one is live")
    problem = build_not_live(world.deploys)
    by_commit = change.is_urgent and live is not None and live.commit is not None
    return None if problem is None or by_commit else ended(change, State.FAILED, problem, now)


def _from_what_runs(change: Change, live: DeploySeen | None) -> Change:
    """Should the deploy that was to be cancelled have gone live first, then its tier is what runs, and where the way back leads."""
    unwanted = change.cancels
    if unwanted is None or change.leftover is None or live is None or live.id == unwanted.newest_before:
        return change
    if live.created_at < unwanted.newest_at or not is_ours(live, unwanted):
        return change
    return replace(change, origin=change.leftover, leftover=None, cancels=None)


def _objection(change: Change, world: World) -> tuple[State, str] | None:
    rungs = [rung for rung in (change.origin, change.target, change.leftover) if rung is not None]
    if world.suspended and not change.follows:
        return State.FAILED, "the service is suspended"
    if not any(same_plan(world.plan, rung.plan) for rung in rungs):
        return State.SUPERSEDED, f"somebody set the plan to {world.plan}"
    if not world.render_autoscaling and world.instances not in {rung.instances for rung in rungs}:
        return State.SUPERSEDED, f"somebody set {world.instances} instances"
    if change.target.instances > 1 and world.has_disk:
        return State.FAILED, "it has a disk, so it runs as one instance"
    if change.target.instances != change.origin.instances and world.render_autoscaling:
        return State.FAILED, "Render's own autoscaling sets the number of instances"
    return None


def live_deploy(deploys: tuple[DeploySeen, ...]) -> DeploySeen | None:
    """The one that serves now."""
    return next((deploy for deploy in deploys if deploy.status == "live"), None)


def under_way(deploys: tuple[DeploySeen, ...]) -> DeploySeen | None:
    """The newest that has not come to its end. Behind the live one there can be none, whatever its status says."""
    for deploy in deploys:
        if deploy.status == "live":
            return None
        if deploy.status not in ENDED:
            return deploy
    return None


def build_not_live(deploys: tuple[DeploySeen, ...]) -> str | None:
    """Why a `deploy_only` might ship another build than the one that serves, or None when it can't.

    It takes the newest build that succeeded. One that a person rolled back, or cancelled, or that never came up, must not
    return because the plan changes; whether a cancelled deploy had been built already, nobody can see.
    """
    live = live_deploy(deploys)
    if live is None:
        return "build_not_live: none of the latest deploys is live, so nobody knows what deploy_only would ship"
    for deploy in deploys[: deploys.index(live)]:
        if deploy.status in {"update_failed", "pre_deploy_failed", "canceled"} and deploy.commit != live.commit:
            return _would_ship(f"the build of deploy {deploy.id}, which never went live")
    if live.trigger == "rollback":
        built = next((deploy for deploy in deploys if deploy.status == "deactivated"), None)
        if built and built.commit != live.commit:
            return _would_ship(f"the build that deploy {live.id} rolled back")
    return None


def _would_ship(build: str) -> str:
    return f"build_not_live: deploy_only would ship {build}; deploy what should run, then this can go on"
