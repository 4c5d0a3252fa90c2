"""Render's own metrics of all services that have no endpoint: asked for together, once a minute."""

import asyncio
from collections.abc import Mapping, Sequence

from autoscaler.core.durations import SECOND
from autoscaler.core.observations import Miss, Missed, Reading
from autoscaler.core.policy import Policy
from autoscaler.core.samples import QUANTILES, STALE, STEP, Sample, measured
from autoscaler.engine.managed import Managed
from autoscaler.errors import OutsideError, RefusedError
from autoscaler.ports import Clock, RenderPort

FRESH = STEP - 5 * SECOND
"""For how long one answer serves all, ms: less than the minute in which each service asks once."""
LOOK_BACK = STALE + 5 * STEP
"""How far back is asked, ms: what came late is still among it."""


class Meter:
    """One set of calls for the fleet, whichever of its services asks first."""

    def __init__(self, render: RenderPort, managed: Mapping[str, Managed], clock: Clock) -> None:
        """`managed`: by service id, as the worker fills it."""
        self._render = render
        self._managed = managed
        self._clock = clock
        self._lock = asyncio.Lock()
        self._asked_at = 0
        self._samples: Mapping[str, tuple[Sample, ...]] = {}

    async def observe(self, managed: Managed) -> Reading | Missed:
        """What Render's metrics say of one service now. Never raises for what Render may do: that is a miss."""
        async with self._lock:
            now = self._clock.now()
            if managed.service_id not in self._samples or not 0 <= now - self._asked_at < FRESH:
                try:
                    await self._ask(managed, now)
                except OutsideError as error:
                    return Missed(now, Miss.FROZEN, f"Render does not tell its metrics: {str(error)[:200]}")
            samples = self._samples.get(managed.service_id, ())
        return measured(samples, now, managed.last_reading, managed.state.every)

    async def _ask(self, managed: Managed, now: int) -> None:
        fleet = {one.service_id: one for one in self._managed.values() if one.policy.service.health is None}
        fleet[managed.service_id] = managed
        latency = latency_names([one.policy for one in fleet.values()])
        start = (now - LOOK_BACK) // STEP * STEP
        try:
            self._samples = await self._render.samples(sorted(fleet), start, now, latency=latency)
        except RefusedError:
            if len(fleet) == 1:
                raise
            # One of them may be gone; it must not blind the others.
            alone = await self._render.samples([managed.service_id], start, now, latency=latency)
            self._samples = {managed.service_id: alone[managed.service_id]}
        self._asked_at = now


def latency_names(policies: Sequence[Policy]) -> tuple[str, ...]:
    """The percentiles that any of these policies speaks of: each is a call of its own."""
    named = {condition.metric.name for policy in policies for condition in policy.conditions()}
    return tuple(name for name in QUANTILES if name in named)
