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
    attempt = change.cancels
    if attempt is None or (change.cancel_asked_at is not None and now - change.cancel_asked_at >= CANCEL_LIMIT):
        return None
    listed = _listed(attempt, world)
    is_over = listed.status in ENDED if listed else now - attempt.asked_at >= CANCEL_LIMIT
    if is_over:
        return None
    deploy_id = listed.id if listed else attempt.deploy
    if deploy_id is None:
        return Wait(now + look_every, "a deploy of ours is not listed yet")
    if "cancel" not in change.written:
        return CancelDeploy(deploy_id)
    return Wait(now + look_every, f"deploy {deploy_id} of ours is being cancelled")


def is_ours(one: DeploySeen, attempt: Attempt) -> bool:
    """Known by its id; else taken to be the first that somebody asked for through the API."""
    return one.id == attempt.deploy if attempt.deploy else one.trigger == "api"


def _listed(attempt: Attempt, world: World) -> DeploySeen | None:
    for one in world.deploys:
        if one.id == attempt.newest_before or one.created_at < attempt.newest_at:
            return None
        if is_ours(one, attempt):
            return one
    return None
