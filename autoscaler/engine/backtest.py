"""On which terms a policy is played a recording, and Render's own metrics as one."""

from collections.abc import Iterator, Sequence

from autoscaler.core.backtest import Backtest, backtest
from autoscaler.core.observations import Observation, Reading, Signal
from autoscaler.core.policy import Policy, Tier
from autoscaler.core.recording import Recording, Span, recorded
from autoscaler.core.rehearsal import Terms
from autoscaler.core.samples import STEP, Sample, measured
from autoscaler.engine.drift import tier_of
from autoscaler.engine.meter import latency_names
from autoscaler.errors import UsageError
from autoscaler.ports import Failure, RenderPort

JITTER = 0.1
"""Polls that lie so much closer or further apart than the policy says are still its own."""
CLOSE = 0.15
"""So much may a limit differ from a plan's size: of "GB" nobody says whether it is 10^9 or 2^30."""


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


async def render_recording(render: RenderPort, policy: Policy, span: Span, now: int, *, step: int = STEP) -> Recording:
    """What Render itself measured of the policy's service in `span`, a sample each `step` ms, and its instances' failures.

    Raises UsageError when Render has nothing, UnavailableError and RefusedError.
    """
    service = policy.service
    seen = await render.find_service(id=service.id, name=service.name)
    begin, end = span.since or now, min(span.until or now, now)
    found = await render.samples([seen.id], begin, end, step=step, latency=latency_names([policy]))
    samples = found[seen.id]
    failures = [one for one in await render.failures(seen.id, begin) if one.at < end]
    if not samples:
        raise UsageError(
            f"Render has no metrics of {seen.name} in that time. Ask for fewer days, or check that it ran."
        )
    first = samples[0]
    tier = next((one.name for one in policy.tiers if _has_run(one, first)), tier_of(policy, seen))
    notes = ["Render's metrics have no idle minutes: what it does not tell is a gap, and no calm"]
    if any(sample.memory_limit != first.memory_limit for sample in samples if sample.memory_limit is not None):
        notes.append(
            "its plan was changed in that time: the shares of a limit are of the plan that ran, not of the tier on paper"
        )
    return recorded(f"Render's metrics of {seen.name}", tuple(_observed(samples, failures)), tier=tier, notes=notes)


def _observed(samples: Sequence[Sample], failures: Sequence[Failure]) -> Iterator[Observation]:
    """Each sample when its time was over, and before it the failures that were heard of by then."""
    told = sorted(failures, key=lambda failure: failure.at)
    previous: Reading | None = None
    for sample in samples:
        at = sample.at + sample.span
        while told and told[0].at <= at:
            failure = told.pop(0)
            yield Signal(failure.at, "server_failed", who=failure.id)
            if failure.out_of_memory:
                yield Signal(failure.at, "oom_kills", who=failure.id)
        seen = measured([sample], at, previous, sample.span)
        yield seen
        previous = seen if isinstance(seen, Reading) else previous


def _has_run(tier: Tier, sample: Sample) -> bool:
    """Whether the limits of that minute are those of the tier's plan."""
    pairs = ((sample.memory_limit, tier.size.memory), (sample.cpu_limit, tier.size.cpu))
    return all(limit is not None and abs(limit - size) <= CLOSE * size for limit, size in pairs)
