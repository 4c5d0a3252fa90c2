"""One service that a policy looks after: what the worker keeps of it in memory. All of it can be built anew from the store."""

import asyncio
from dataclasses import dataclass, field
from itertools import pairwise

from autoscaler.core.change import AppSeen, Rung
from autoscaler.core.durations import DAY
from autoscaler.core.guards import Verdict
from autoscaler.core.observations import Observation, Reading, TierChanged
from autoscaler.core.policy import Policy, Tier
from autoscaler.core.state import State
from autoscaler.policyfile import PolicyFile
from autoscaler.ports import History, ServiceSeen


@dataclass(slots=True)
class Managed:
    """A policy, the service that it names, and the evaluator's state."""

    file: PolicyFile
    seen: ServiceSeen
    state: State
    verdict: Verdict | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while an observation is folded and committed: both happen in one order."""

    @property
    def policy(self) -> Policy:
        """The policy as it was last read."""
        return self.file.policy

    @property
    def service_id(self) -> str:
        """Render's id."""
        return self.seen.id

    @property
    def last_reading(self) -> Reading | None:
        """The app's last good report."""
        return self.state.reading

    def app_seen(self) -> AppSeen | None:
        """What a change may know of the app."""
        reading = self.last_reading
        if reading is None:
            return None
        return AppSeen(reading.at, reading.instance, reading.started_at, reading.plan, dict(reading.settings))


def rung(tier: Tier) -> Rung:
    """The tier as a change freezes it."""
    return Rung(tier.name, tier.plan, tier.instances, dict(tier.env), tier.monthly)


def horizon(policy: Policy) -> int:
    """How far back observations can matter, ms."""
    longest = max((condition.window for condition in policy.conditions()), default=DAY)
    return max(longest + longest // 4, policy.evidence.fit_window, policy.evidence.business_age)


def cadence(observations: list[Observation], fallback: int) -> int:
    """How far apart the polls of late really were (a cron job's are further apart than the policy's): the median of the last ten gaps."""
    polls = [one.at for one in observations if not isinstance(one, TierChanged)][-11:]
    gaps = sorted(later - earlier for earlier, later in pairwise(polls) if later > earlier)
    return max(fallback, gaps[len(gaps) // 2]) if gaps else fallback


async def load(
    file: PolicyFile, seen: ServiceSeen, store: History, now: int, *, measured_cadence: bool = False
) -> Managed:
    """Build the state by replaying what the store holds: a restart forgets nothing.

    `measured_cadence`: expect polls as far apart as the last ones were, instead of the policy's `every`.
    """
    policy = file.policy
    since = now - horizon(policy)
    observations = await store.observations(seen.id, since)
    every = policy.service.health.every
    state = State(policy, cadence(observations, every) if measured_cadence else every)
    earlier = [change for change in await store.tier_changes(seen.id) if change.at < since]
    for observation in (*earlier[-1:], *observations):
        state.fold(observation)
    last = next(iter(await store.verdicts(seen.id, limit=1)), None)
    return Managed(file, seen, state, last)
