"""next_step(change, world, now): one step of a change, chosen from what was written down and what was just seen.

Facts about Render that decide it: a plan or env var that was written runs only after the next successful deploy; a deploy
request may be queued without telling its id; the list of deploys may lag. So a deploy is recognised by its id, or by being
newer than the newest one seen before we asked, and asking again waits until the list has had time to show it.
"""

from dataclasses import replace

from autoscaler.core.change import Attempt, Change, State, World
from autoscaler.core.durations import HOUR
from autoscaler.core.steps.cancelling import cancelling
from autoscaler.core.steps.deploy import configured, deploy, never_ran, owed, with_deploy
from autoscaler.core.steps.kinds import (
    AskDeploy,
    Become,
    CancelDeploy,
    Redeploy,
    SetEnv,
    SetInstances,
    SetPlan,
    Step,
    Wait,
    Write,
    ended,
    failed,
    overtake,
)
from autoscaler.core.steps.preflight import preflight, under_way
from autoscaler.core.steps.verify import soak, watch
from autoscaler.core.steps.writes import foreign_plan, missing, person, scale_out

__all__ = [
    "AskDeploy",
    "Become",
    "CancelDeploy",
    "Redeploy",
    "SetEnv",
    "SetInstances",
    "SetPlan",
    "Step",
    "Wait",
    "Write",
    "abandoned",
    "attempted",
    "confirmed",
    "next_step",
    "outrun",
    "refused",
    "unattempted",
    "withdrawn",
]


def next_step(change: Change, world: World, now: int, look_every: int) -> Step:
    """The one thing to do now. `look_every`: ms between looks at something that only Render can finish."""
    match change.state:
        case State.APPROVED:
            return preflight(change, world, now, look_every)
        case State.APPLYING:
            return _apply(change, world, now, look_every)
        case State.SOAKING:
            return soak(change, world, now, look_every)
        case State.WATCHING:
            return watch(change, world, now)
        case _:
            return Wait(now + HOUR, "nothing is left to do")


def attempted(change: Change, write: Write, now: int) -> Change:
    """The change before a write that is not the same twice as once: what was asked for is written down first."""
    match write:
        case AskDeploy(newest, served, commit):
            attempt = Attempt(now, newest.id, None, newest.created_at, commit, served, configured(change))
            return replace(change, attempts=(*change.attempts, attempt))
        case Redeploy(deploy=theirs):
            return replace(change, given_back=(*change.given_back, theirs), gave_back_at=now)
        case CancelDeploy():
            return replace(change, cancel_asked_at=change.cancel_asked_at or now)
        case _:
            return change


def unattempted(change: Change, write: Write) -> Change:
    """The change after a write of which is known that it never reached Render."""
    match write:
        case AskDeploy():
            return replace(change, attempts=change.attempts[:-1])
        case Redeploy():
            return replace(change, given_back=change.given_back[:-1], gave_back_at=None)
        case _:
            return change


def confirmed(change: Change, write: Write, deploy_id: str | None = None) -> Change:
    """The change after Render said yes to a write; `deploy_id` is what it said to a request for a deploy."""
    match write:
        case SetPlan():
            return replace(change, written=(*change.written, "plan"))
        case SetInstances():
            return replace(change, written=(*change.written, "instances"))
        case SetEnv():
            return replace(change, written=(*change.written, f"env:{write.name}"))
        case CancelDeploy():
            return replace(change, written=(*change.written, "cancel"))
        case AskDeploy():
            return with_deploy(change, deploy_id) if deploy_id else change
        case Redeploy():
            return replace(change, gave_back_at=None)


def refused(change: Change, write: Write, words: str, now: int, *, bad_request: bool = False) -> Become:
    """Render said no to a write, and would again. `bad_request`: to the way in which it was asked (400)."""
    if isinstance(write, Redeploy):
        return Become(
            replace(change, gave_back_at=None),
            f"The deploy of commit {write.commit[:7]} that mine had cancelled could not be asked for again: {words.removesuffix('.')}",
        )
    if isinstance(write, CancelDeploy):
        return Become(replace(change, written=(*change.written, "cancel")))
    if isinstance(write, AskDeploy) and bad_request and write.commit is None and write.served is not None:
        return Become(replace(change, pinned=True, attempts=change.attempts[:-1]))
    return failed(change, f"Render refused: {words.removesuffix('.')}", now)


def abandoned(change: Change, words: str, now: int) -> Become:
    """The service is gone: there is nothing left to carry on."""
    if change.state is State.WATCHING:
        return ended(change, State.DONE, f"{change.outcome}; since then the service is gone", now)
    return ended(change, State.FAILED, f"the service is gone: {words.removesuffix('.')}", now)


def outrun(change: Change, now: int) -> Become:
    """It was only watched, and a newer change of the service has begun: what runs is that one's affair now."""
    return Become(
        replace(change, state=State.DONE, outcome=f"{change.outcome}; since then a newer change has begun", due_at=now)
    )


def withdrawn(change: Change, why: str, now: int) -> Become:
    """It has not begun, and may not begin any more."""
    return ended(change, State.SUPERSEDED, f"{why}; nothing was changed", now)


def _apply(change: Change, world: World, now: int, look_every: int) -> Step:
    back = change.walking_back
    if back is None and (whose := _taken_over(change, world)) is not None:
        return overtake(change, whose, now)
    if back is not None and not change.overtaken and (whose := foreign_plan(change, world)) is not None:
        return Become(replace(change, overtaken=True, walking_back=f"{back}; {whose} meanwhile"))
    step = cancelling(change, world, now, look_every) or _next_write(change, world, now, look_every)
    if step is not None:
        return step
    if back is not None and (change.overtaken or world.suspended or never_ran(change, world)):
        return _restored(change, world, back, now, look_every)
    if change.follows and (world.suspended or world.has_disk):
        why = "it is suspended" if world.suspended else "a deploy would take it down, since it has a disk"
        outcome = f"{why}: the env values of {change.target.tier} are set, and run from the next deploy on"
        return ended(change, State.DONE, outcome, now)
    return deploy(change, world, now, look_every)


def _taken_over(change: Change, world: World) -> str | None:
    return "somebody suspended the service" if world.suspended and not change.follows else person(change, world)


def _next_write(change: Change, world: World, now: int, look_every: int) -> Step | None:
    """An emergency sets its plan beside somebody's deploy, and the rest when that has come to its end."""
    write = next(missing(change, world), None)
    if isinstance(write, SetEnv) and change.emergency and (running := under_way(world.deploys)) is not None:
        return Wait(now + look_every, f"deploy {running.id} is under way; the plan is set")
    return write


def _restored(change: Change, world: World, back: str, now: int, look_every: int) -> Step:
    """What is configured is as it was, and nothing has to be deployed for it."""
    for write in scale_out(change, world):
        return write
    if not world.suspended and (step := owed(change, world, now, look_every)) is not None:
        return step
    if change.overtaken:
        return ended(change, State.SUPERSEDED, f"{back}; what a person set is kept", now)
    if world.suspended:
        return ended(change, State.SUPERSEDED, f"{back}; it is suspended, and starts on {world.plan} again", now)
    return ended(change, State.UNDONE, f"{back}; {change.origin.plan} never stopped running", now)
