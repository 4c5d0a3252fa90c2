"""A deploy of ours that is not wanted any more is cancelled before anything else is written (design, section 5, Emergency)."""

from autoscaler.core.change import Attempt, Change, DeploySeen, World
from autoscaler.core.durations import MINUTE
from autoscaler.core.steps.kinds import CancelDeploy, Step, Wait

CANCEL_LIMIT = MINUTE
"""How long a cancelled deploy is waited for; after that ours takes its place."""

ENDED = frozenset({"live", "deactivated", "build_failed", "pre_deploy_failed", "update_failed", "canceled"})
"""Deploys of any other status, also of one that Render may add, are under way."""


def cancelling(change: Change, world: World, now: int, look_every: int) -> Step | None:
    """Cancel it, wait for its end; None when there is nothing to wait for."""
    unwanted = _unwanted(change.cancels, world) if change.cancels else None
    if unwanted is None or now - (change.cancel_asked_at or now) >= CANCEL_LIMIT:
        return None
    if "cancel" not in change.written:
        return CancelDeploy(unwanted.id)
    return Wait(now + look_every, f"deploy {unwanted.id} of ours is being cancelled")


def is_ours(one: DeploySeen, attempt: Attempt) -> bool:
    """Known by its id; else taken to be the first that somebody asked for through the API."""
    return one.id == attempt.deploy if attempt.deploy else one.trigger == "api"


def _unwanted(attempt: Attempt, world: World) -> DeploySeen | None:
    for one in world.deploys:
        if one.id == attempt.newest_before or one.status == "live":
            return None
        if one.status not in ENDED and is_ours(one, attempt):
            return one
    return None
