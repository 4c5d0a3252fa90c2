"""next_step(change, world, now): one step of a change, chosen from what was written down and what was just seen.

Facts about Render that decide it: a plan or env var that was written runs only after the next successful deploy; a deploy
request may be queued without telling its id; the list of deploys may lag. So a deploy is recognised by its id, or by being
newer than the newest one seen before we asked, and asking again waits until the list has had time to show it.
"""

from dataclasses import replace

from autoscaler.core.change import Attempt, Change, State, World
from autoscaler.core.durations import HOUR
from autoscaler.core.steps.deploy import deploy, never_ran, with_deploy
from autoscaler.core.steps.kinds import (
    AskDeploy,
    Become,
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
from autoscaler.core.steps.preflight import preflight
from autoscaler.core.steps.verify import soak, watch
from autoscaler.core.steps.writes import missing, person, scale_out

__all__ = [
    "AskDeploy",
    "Become",
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
    "refused",
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
            return watch(change, now)
        case _:
            return Wait(now + HOUR, "nothing is left to do")


def attempted(change: Change, write: AskDeploy, now: int) -> Change:
    """The change before it asks for a deploy: written down first, since asking twice is not the same as asking once."""
    attempt = Attempt(now, write.newest.id, newest_at=write.newest.created_at)
    return replace(change, attempts=(*change.attempts, attempt))


def confirmed(change: Change, write: Write, deploy_id: str | None = None) -> Change:
    """The change after Render said yes to a write; `deploy_id` is what it said to a request for a deploy."""
    match write:
        case SetPlan():
            return replace(change, written=(*change.written, "plan"))
        case SetInstances():
            return replace(change, written=(*change.written, "instances"))
        case SetEnv():
            return replace(change, written=(*change.written, f"env:{write.name}"))
        case AskDeploy():
            return with_deploy(change, deploy_id) if deploy_id else change


def refused(change: Change, words: str, now: int) -> Become:
    """Render said no to a write, and would again."""
    return failed(change, f"Render refused: {words}", now)


def abandoned(change: Change, words: str, now: int) -> Become:
    """The service is gone: there is nothing left to carry on."""
    if change.state is State.WATCHING:
        return ended(change, State.DONE, f"{change.outcome}; since then the service is gone", now)
    return ended(change, State.FAILED, f"the service is gone: {words}", now)


def withdrawn(change: Change, why: str, now: int) -> Become:
    """It has not begun, and may not begin any more."""
    return ended(change, State.SUPERSEDED, f"{why}; nothing was changed", now)


def _apply(change: Change, world: World, now: int, look_every: int) -> Step:
    back = change.walking_back
    if back is None and (whose := person(change, world)) is not None:
        return overtake(change, whose, now)
    for write in missing(change, world):
        return write
    if back is not None and (change.overtaken or never_ran(change, world)):
        for write in scale_out(change, world):
            return write
        if change.overtaken:
            return ended(change, State.SUPERSEDED, f"{back}; what a person set is kept", now)
        return ended(change, State.UNDONE, f"{back}; {change.origin.plan} never stopped running", now)
    return deploy(change, world, now, look_every)
