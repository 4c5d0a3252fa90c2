"""On which terms a policy is played a recording."""

from autoscaler.core.backtest import Backtest, backtest
from autoscaler.core.policy import Policy
from autoscaler.core.recording import Recording
from autoscaler.core.rehearsal import Terms
from autoscaler.errors import UsageError

JITTER = 0.1
"""Polls that lie so much closer or further apart than the policy says are still its own."""


def rehearse(
    name: str, policy: Policy, recording: Recording, *, tier: str | None = None, curves: bool = False
) -> Backtest:
    """From `tier`, or the rung that was recorded, or the smallest. Raises UsageError for a tier that the policy does not have."""
    begin = tier or recording.tier or policy.tiers[0].name
    asked = policy.every
    every = asked if abs(recording.every - asked) <= asked * JITTER else recording.every
    try:
        return backtest(name, policy, recording, Terms(begin, every), curves=curves)
    except ValueError as problem:
        raise UsageError(
            f"{recording.where} can't be played from '{begin}': {problem}. Choose one with --tier."
        ) from None
