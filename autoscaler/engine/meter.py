"""Render's own metrics of all services that have no endpoint: asked for together, once a minute."""

import asyncio
from collections.abc import Mapping, Sequence

from autoscaler.core.durations import SECOND
from autoscaler.core.observations import Miss, Missed, Reading
from autoscaler.core.policy import Policy
from autoscaler.core.samples import QUANTILES, STALE, STEP, Sample, measured
from autoscaler.engine.managed import Managed
from autoscaler.errors import GoneError, OutsideError
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
        self._answer: Mapping[str, tuple[Sample, ...]] | str = {}
        """What Render said last, or why it said nothing: either serves all for a minute, so that nobody hammers it."""

    async def observe(self, managed: Managed) -> Reading | Missed:
        """What Render's metrics say of one service now. Never raises for what Render may do: that is a miss."""
        async with self._lock:
            now = self._clock.now()
            is_new = not isinstance(self._answer, str) and managed.service_id not in self._answer
            if is_new or not 0 <= now - self._asked_at < FRESH:
                await self._ask(managed, now)
            answer = self._answer
        if isinstance(answer, str):
            return Missed(now, Miss.FROZEN, f"Render does not tell its metrics: {answer}")
        return measured(answer[managed.service_id], now, managed.last_reading, managed.state.every)

    async def _ask(self, managed: Managed, now: int) -> None:
        fleet = {one.service_id: one for one in self._managed.values() if one.policy.service.health is None}
        fleet[managed.service_id] = managed
        latency = latency_names([one.policy for one in fleet.values()])
        self._asked_at = now
        try:
            self._answer = await self._samples(sorted(fleet), now, latency)
        except OutsideError as error:
            self._answer = str(error)[:200]

    async def _samples(self, ids: Sequence[str], now: int, latency: Sequence[str]) -> dict[str, tuple[Sample, ...]]:
        """Of all of them. One that is gone must not blind the others: it is found by halves, and has none."""
        try:
            return dict(await self._render.samples(ids, (now - LOOK_BACK) // STEP * STEP, now, latency=latency))
        except GoneError:
            if len(ids) == 1:
                return {ids[0]: ()}
            middle = len(ids) // 2
            first = await self._samples(ids[:middle], now, latency)
            return first | await self._samples(ids[middle:], now, latency)


def latency_names(policies: Sequence[Policy]) -> tuple[str, ...]:
    """The percentiles that any of these policies speaks of: each is a call of its own."""
    named = {condition.metric.name for policy in policies for condition in policy.conditions()}
    return tuple(name for name in QUANTILES if name in named)
