"""next_step(change, world, now): one step of a change, chosen from what was written down and what was just seen.

Facts about Render that decide it: a plan or env var that was written runs only after the next successful deploy; a deploy
request may be queued without telling its id; the list of deploys may lag. So a deploy is recognised by being newer than the
newest one seen before we asked, and asking again waits until the list has had time to show it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from autoscaler.core.change import AppSeen, Attempt, Before, Change, DeploySeen, Direction, Rung, State, World
from autoscaler.core.durations import HOUR, MINUTE, SECOND, format_duration
from autoscaler.core.plans import same_plan

LIST_LAG = 90 * SECOND
"""How long a deploy that we asked for may be missing from the list before we ask again."""
MAX_ATTEMPTS = 3
FOREIGN_DEPLOY_LIMIT = 30 * MINUTE
"""How long preflight waits for somebody else's deploy."""
DEPLOY_LIMIT = 3 * HOUR
"""Render's own limits (build, pre-deploy, health) add up to less."""

_IN_PROGRESS_ENDS = frozenset({"live", "deactivated", "build_failed", "pre_deploy_failed", "update_failed", "canceled"})
_FAILED = frozenset({"build_failed", "pre_deploy_failed", "update_failed"})


@dataclass(frozen=True, slots=True)
class SetPlan:
    """PATCH the plan."""

    plan: str


@dataclass(frozen=True, slots=True)
class SetInstances:
    """POST scale."""

    count: int


@dataclass(frozen=True, slots=True)
class SetEnv:
    """PUT one variable."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class AskDeploy:
    """POST one `deploy_only` deploy."""

    newest_before: str | None


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before `until`."""

    until: int
    why: str


@dataclass(frozen=True, slots=True)
class Become:
    """The change moves on without a call."""

    change: Change
    told: str | None = None
    """What the team hears of it."""


Write = SetPlan | SetInstances | SetEnv | AskDeploy
Step = Write | Wait | Become


def next_step(change: Change, world: World, now: int, look_every: int) -> Step:
    """The one thing to do now. `look_every`: ms between looks at something that only Render can finish."""
    match change.state:
        case State.APPROVED:
            return _preflight(change, world, now, look_every)
        case State.APPLYING:
            return _apply(change, world, now, look_every)
        case State.SOAKING:
            return _soak(change, world, now)
        case State.WATCHING:
            return _watch(change, now)
        case _:
            return Wait(now + HOUR, "nothing is left to do")


def confirmed(change: Change, write: Write) -> Change:
    """The change after Render said yes to a write."""
    match write:
        case SetPlan():
            return replace(change, written=(*change.written, "plan"))
        case SetInstances():
            return replace(change, written=(*change.written, "instances"))
        case SetEnv():
            return replace(change, written=(*change.written, f"env:{write.name}"))
        case AskDeploy():
            return change


def attempted(change: Change, write: AskDeploy, now: int) -> Change:
    """The change before it asks for a deploy: written down first, since asking twice is not the same as asking once."""
    return replace(change, attempts=(*change.attempts, Attempt(now, write.newest_before)))


def refused(change: Change, words: str, now: int) -> Become:
    """Render said no to a write, and would again."""
    if change.walking_back is None:
        return walk_back(change, f"Render refused: {words}", now)
    return _end(change, State.FAILED, f"could not be undone, Render refused: {words}", now)


def walk_back(change: Change, cause: str, now: int) -> Become:
    """Turn round: what preflight saw is restored, in the order of the way back."""
    back = replace(change, state=State.APPLYING, walking_back=cause, written=(), attempts=(), due_at=now)
    return Become(back, f"{_capital(cause)}. Going back to {change.origin.tier} ({change.origin.plan}).")


def _end(change: Change, state: State, outcome: str, now: int) -> Become:
    return Become(replace(change, state=state, outcome=outcome, ended_at=now, due_at=now))


# Preflight --------------------------------------------------------------------------------------------------------------


def _preflight(change: Change, world: World, now: int, look_every: int) -> Step:
    if world.suspended:
        return _end(change, State.FAILED, "the service is suspended; nothing was changed", now)
    if not any(same_plan(world.plan, rung.plan) for rung in (change.origin, change.target)):
        outcome = f"somebody set the plan to {world.plan}; nothing was changed"
        return _end(change, State.SUPERSEDED, outcome, now)
    running = next((deploy for deploy in world.deploys if not _has_ended(deploy)), None)
    if running is not None:
        if now - change.created_at > FOREIGN_DEPLOY_LIMIT:
            limit = format_duration(FOREIGN_DEPLOY_LIMIT)
            outcome = f"deploy {running.id} has been under way for over {limit}; nothing was changed"
            return _end(change, State.FAILED, outcome, now)
        return Wait(now + look_every, f"deploy {running.id} is under way")
    live = next((deploy for deploy in world.deploys if deploy.status == "live"), None)
    if (other := _other_build(world.deploys, live)) is not None:
        outcome = f"build_not_live: deploy_only would ship {other}; deploy what should run, then this can go on"
        return _end(change, State.FAILED, outcome, now)
    before = Before(
        world.plan,
        {name: world.env.get(name) for name in change.target.env},
        live.id if live else None,
        live.commit if live else None,
    )
    return Become(replace(change, state=State.APPLYING, before=before, due_at=now))


def _has_ended(deploy: DeploySeen) -> bool:
    return deploy.status in _IN_PROGRESS_ENDS


def _other_build(deploys: tuple[DeploySeen, ...], live: DeploySeen | None) -> str | None:
    """The build that `deploy_only` would take, if that is not the one that serves: a person rolled it back, or it never came up."""
    if live is None:
        return None
    if live.trigger == "rollback":
        built = next((deploy for deploy in deploys if deploy.status == "deactivated"), None)
        return f"the build that deploy {live.id} rolled back" if built and built.commit != live.commit else None
    for deploy in deploys:
        if deploy.id == live.id:
            break
        if deploy.status in {"update_failed", "pre_deploy_failed"} and deploy.commit != live.commit:
            return f"the build of deploy {deploy.id}, which never came up"
    return None


# Writes -----------------------------------------------------------------------------------------------------------------


def _apply(change: Change, world: World, now: int, look_every: int) -> Step:
    goal = _goal(change)
    if change.walking_back is None and (whose := _foreign(change, world)) is not None:
        return _end(change, State.SUPERSEDED, f"{whose}; what a person set is kept", now)
    for write in _writes(change, goal, world):
        return write
    if change.walking_back is not None and change.live_at is None:
        return _end(change, State.UNDONE, f"{change.walking_back}; {change.origin.plan} never stopped running", now)
    return _deploy(change, world, now, look_every)


def _goal(change: Change) -> Rung:
    """What this walk writes. Back, it is what preflight saw; a variable that was not set gets the tier's own value."""
    if change.walking_back is None or change.before is None:
        return change.target
    seen = {name: value for name, value in change.before.env.items() if value is not None}
    return replace(change.origin, plan=change.before.plan, env={**change.origin.env, **seen})


def _foreign(change: Change, world: World) -> str | None:
    """A value that is neither before nor after, or that differs from what we wrote, is a person's."""
    assert change.before is not None  # noqa: S101 - preflight set it before any write
    if not same_plan(world.plan, change.target.plan) and (
        "plan" in change.written or not same_plan(world.plan, change.before.plan)
    ):
        return f"somebody set the plan to {world.plan}"
    for name, value in change.target.env.items():
        now = world.env.get(name)
        if now != value and (f"env:{name}" in change.written or now != change.before.env.get(name)):
            return f"somebody changed {name}"
    return None


def _writes(change: Change, goal: Rung, world: World) -> Iterator[Write]:
    """What still differs, in the safe order: a tier's values run only on its plan or a larger one (design, section 5).

    On the way back only what still holds our value is restored; anything else is a person's by now.
    """
    if world.instances > goal.instances and not world.render_autoscaling:
        yield SetInstances(goal.instances)  # scale in first; out only once the new plan is live
    back = change.walking_back is not None
    env: list[Write] = [
        SetEnv(name, value)
        for name, value in goal.env.items()
        if world.env.get(name) != value and (not back or world.env.get(name) == change.target.env[name])
    ]
    plan: list[Write] = []
    if not same_plan(world.plan, goal.plan) and (not back or same_plan(world.plan, change.target.plan)):
        plan.append(SetPlan(goal.plan))
    grows = (change.direction is Direction.UP) != back
    yield from [*plan, *env] if grows else [*env, *plan]


# The deploy -------------------------------------------------------------------------------------------------------------


def _deploy(change: Change, world: World, now: int, look_every: int) -> Step:
    newest = world.deploys[0].id if world.deploys else None
    if not change.attempts:
        return AskDeploy(newest)
    attempt = change.attempts[-1]
    ours = _carriers(world.deploys, attempt)
    if live := next((deploy for deploy in ours if deploy.status == "live"), None):
        return _went_live(change, live, world, now)
    if running := next((deploy for deploy in ours if not _has_ended(deploy)), None):
        return _under_way(change, attempt, running, now, look_every)
    if failed := next((deploy for deploy in ours if _failed_by_us(deploy, attempt)), None):
        return _failure(change, f"deploy {failed.id} ended as {failed.status}", now)
    return _ask_again(change, newest, now, look_every, listed=bool(ours))


def _ask_again(change: Change, newest: str | None, now: int, look_every: int, *, listed: bool) -> Step:
    """Ours was cancelled, or never showed up."""
    if not listed and now - change.attempts[-1].asked_at < LIST_LAG:
        return Wait(now + look_every, "the deploy is not listed yet")
    if len(change.attempts) < MAX_ATTEMPTS:
        return AskDeploy(newest)
    return _failure(change, f"no deploy went live after {MAX_ATTEMPTS} requests", now)


def _carriers(deploys: tuple[DeploySeen, ...], attempt: Attempt) -> list[DeploySeen]:
    """Deploys that carry our settings: any newer than the newest before we asked, but a rollback, which brings old env vars."""
    newer: list[DeploySeen] = []
    for deploy in deploys:
        if deploy.id == attempt.newest_before:
            break
        if deploy.trigger != "rollback":
            newer.append(deploy)
    return newer


def _failed_by_us(deploy: DeploySeen, attempt: Attempt) -> bool:
    """A failed deploy that is ours; somebody else's failed build says nothing about our settings."""
    mine = deploy.id == attempt.deploy or (attempt.deploy is None and deploy.trigger == "api")
    return mine and deploy.status in _FAILED


def _under_way(change: Change, attempt: Attempt, running: DeploySeen, now: int, look_every: int) -> Step:
    if now - attempt.asked_at > DEPLOY_LIMIT:
        limit = format_duration(DEPLOY_LIMIT)
        return _failure(change, f"deploy {running.id} has not ended within {limit}", now)
    if attempt.deploy is None and running.trigger == "api":
        known = replace(attempt, deploy=running.id)
        return Become(replace(change, attempts=(*change.attempts[:-1], known), due_at=now))
    return Wait(now + look_every, f"deploy {running.id}: {running.status}")


def _failure(change: Change, cause: str, now: int) -> Become:
    if change.walking_back is None:
        return walk_back(change, cause, now)
    return _end(change, State.FAILED, f"could not be undone: {cause}", now)


def _went_live(change: Change, live: DeploySeen, world: World, now: int) -> Step:
    if change.walking_back is not None:
        return _end(change, State.UNDONE, f"{change.walking_back}; back on {change.origin.plan}", now)
    if world.instances < change.target.instances and not world.render_autoscaling:
        return SetInstances(change.target.instances)
    known = replace(change.attempts[-1], deploy=live.id)
    live_at = min(live.finished_at or now, now)
    soaking = replace(
        change,
        state=State.SOAKING,
        live_at=live_at,
        attempts=(*change.attempts[:-1], known),
        due_at=max(now, live_at + change.soak),
    )
    note = ""
    if change.before and change.before.commit and live.commit and live.commit != change.before.commit:
        note = f" It also brought commit {live.commit[:7]}."
    return Become(soaking, f"Live on {change.target.plan}; watching it for {format_duration(change.soak)}.{note}")


# Soak and watch ---------------------------------------------------------------------------------------------------------


def _soak(change: Change, world: World, now: int) -> Step:
    live_at = change.live_at or now
    if now < live_at + change.soak:
        return Wait(live_at + change.soak, "soaking")
    if world.app is None or world.app.at < live_at:
        return walk_back(change, f"no answer from the new instance within {format_duration(change.soak)}", now)
    outcome = f"{change.target.plan} is live" + _mismatch(change.target, world.app)
    watching = replace(change, state=State.WATCHING, outcome=outcome, ended_at=now, due_at=live_at + change.watch)
    return Become(watching)


def _mismatch(target: Rung, app: AppSeen) -> str:
    """What the app itself says it runs with, where that is not what we wrote."""
    wrong = [
        f"{name}={app.settings[name]} instead of {value}"
        for name, value in target.env.items()
        if name in app.settings and not _same_value(app.settings[name], value)
    ]
    if wrong:
        return f", but the app says it runs with {', '.join(wrong)}"
    told = sum(name in app.settings for name in target.env)
    return f" and the app confirms {told} of {len(target.env)} settings" if told else " and the app answers"


def _same_value(one: str, other: str) -> bool:
    """Equal as text, or as numbers: an app that reads `5.0` may report `5`."""
    try:
        return one == other or float(one) == float(other)
    except ValueError:
        return False


def _watch(change: Change, now: int) -> Step:
    until = (change.live_at or change.created_at) + change.watch
    if now < until:
        return Wait(until, "watching")
    return Become(replace(change, state=State.DONE, due_at=now))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
