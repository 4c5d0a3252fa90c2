"""An emergency over a slower change of our own (design, section 5, Emergency)."""

from dataclasses import replace

from autoscaler.core.change import Change, Direction, State
from autoscaler.core.policy import Policy, Tier
from autoscaler.core.steps.kinds import Become, ended, walk_back


def yields(change: Change, policy: Policy, target: Tier | None) -> bool:
    """Whether an open change makes way for an emergency that asks for `target` (None: there is no larger tier).

    What goes back already, or is on its way to as large a tier, is as fast as anything that would begin now.
    """
    if change.emergency or change.walking_back is not None:
        return False
    if change.direction is Direction.DOWN:
        return True
    if target is None:
        return False
    wanted = policy.tier(change.target.tier)
    return change.state is State.APPROVED or wanted is None or policy.rank(wanted.name) < policy.rank(target.name)


def in_place_of(emergency: Change, earlier: Change) -> Change:
    """The emergency, knowing what the earlier change had begun: its values are no person's, and its deploy is cancelled."""
    if earlier.state is not State.APPLYING:
        return emergency
    unwanted = earlier.attempts[-1] if earlier.attempts else None
    live = earlier.before.live_deploy if earlier.before else None
    asked = (*earlier.earlier, *earlier.attempts)
    return replace(emergency, leftover=earlier.target, found_live=live, cancels=unwanted, earlier=asked)


def replaced(earlier: Change, emergency: Change, now: int) -> Become:
    """The end of the earlier change."""
    return ended(earlier, State.SUPERSEDED, f"an emergency took its place (change {emergency.id})", now)


def turned_round(earlier: Change, reason: str, now: int) -> Become:
    """A downgrade from the largest tier, when there is nothing larger to go to: it goes back."""
    if earlier.before is None:
        return ended(earlier, State.SUPERSEDED, f"emergency: {reason}; nothing was changed", now)
    return walk_back(earlier, f"emergency: {reason}", now)
