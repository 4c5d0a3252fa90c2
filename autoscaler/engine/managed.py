"""One service that a policy looks after: what the worker keeps of it in memory. All of it can be built anew from the store."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise

from autoscaler.core import change
from autoscaler.core.attribution import HELP_REMEMBERED
from autoscaler.core.change import AppSeen, Change, Rung
from autoscaler.core.durations import DAY
from autoscaler.core.guards import Verdict
from autoscaler.core.lessons import Lessons
from autoscaler.core.observations import Masked, Missed, Observation, Reading, Signal, TierChanged, Told
from autoscaler.core.policy import Mode, Policy, Tier
from autoscaler.core.state import State
from autoscaler.policyfile import PolicyFile
from autoscaler.ports import History, ServiceSeen

BLIND_AFTER = 3
"""So many polls in a row without a reading, and people are told: until then it may have been a restart."""


@dataclass(slots=True)
class Sight:
    """What else is known of whether the bot sees well; nothing of it is stored."""

    fleet: Mapping[str, "Managed"] = field(default_factory=dict, repr=False)
    """All services that this worker looks after, by id."""
    render_answered_at: int | None = None
    """When Render's API last answered about this service, ms."""
    switching: bool = False
    """Whether a deploy was switching over at that time."""
    build_not_live: str = ""
    """Why a deploy of ours might have shipped another build than the one that served then; empty when it could not."""
    not_deployed: str = ""
    """The plan that is configured, where it waits for a deploy and another one runs; else empty."""
    waits_since: int = 0
    """When that plan was set, ms by Render's clock."""
    digested: int = 0
    """Until when its digests are told, ms."""
    looks: int = 0
    read: tuple[int, TierChanged | None] | None = None
    """Render's `updatedAt` of the service, and what ran, when its env vars were last read."""


@dataclass(slots=True)
class Managed:
    """A policy, the service that it names, and the evaluator's state."""

    file: PolicyFile
    seen: ServiceSeen
    state: State
    verdict: Verdict | None = None
    silence: tuple[int, int] | None = None
    """The first and the last unanswered poll since something last answered, ms."""
    misses: int = 0
    """Polls without a reading, in a row."""
    regained: bool = False
    """Whether the last poll gave the first reading after so many misses that people were told."""
    live_policy: Policy | None = None
    """The policy as it acts, where its file says `mode: observe` and somebody let it act."""
    proposal: Change | None = None
    """The change about which people are asked, while none of them has settled it."""
    sight: Sight = field(default_factory=Sight)
    heard: set[str] = field(default_factory=set)
    """The ids of Render's events, and of what was told from outside, that are among the signals already."""
    stale: bool = False
    """Whether the state may hold something that the store does not: a commit failed, so it has to be built anew."""
    acting: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a change takes one step, and while an emergency takes its place. Taken before `in_step`, never within."""
    taken: int = 0
    """How often an emergency took the place of a change: who was about to carry that on looks at the store again."""
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def policy(self) -> Policy:
        """The policy as it was last read; one that observes acts where somebody let it."""
        return self.live_policy or self.file.policy

    async def hear_live(self, store: History) -> None:
        """Whether somebody let a policy act that only observes: they let this very edition. Raises StoreError."""
        if self.file.policy.mode is not Mode.OBSERVE:
            return
        word = await store.gone_live(self.service_id)
        is_live = word is not None and word.digest == self.file.digest
        if is_live != (self.live_policy is not None):
            self.live_policy = self.file.policy.model_copy(update={"mode": Mode.ACT}) if is_live else None

    @property
    def service_id(self) -> str:
        """Render's id."""
        return self.seen.id

    @property
    def last_reading(self) -> Reading | None:
        """The app's last good report."""
        return self.state.reading

    @asynccontextmanager
    async def in_step(self, store: History, now: int) -> AsyncIterator[None]:
        """Held while observations are folded and committed: both happen in one order, and after a failure the store's word counts.

        Also when the clock has gone back: samples of "later" than `now` are forgotten, or all that follow would be dropped as
        older than those.
        """
        async with self._lock:
            if self.stale or now < self.state.newest:
                await self.replay(store, now)
            self.stale = True
            yield
            self.stale = False

    async def replay(self, store: History, now: int) -> None:
        """Build the state from what the store holds: a restart forgets nothing."""
        await self.hear_live(store)
        taught: list[TierChanged | Signal] = [
            *await store.tier_changes(self.service_id),
            *await store.kills(self.service_id),
        ]
        taught.sort(key=lambda one: one.at)
        since = now - horizon(self.policy, _patience(self.policy, taught))
        earlier: list[Observation] = [one for one in taught if one.at < since]
        earlier += [one for one in await store.overrides(self.service_id) if one.at < since]
        env_seen = await store.env_seen(self.service_id)
        earlier += [env_seen] if env_seen is not None and env_seen.at < since else []
        observations = await store.observations(self.service_id, since)
        self.state, self.silence, self.heard = State(self.policy, self.state.every), None, set()
        # In one go: whoever looks at it meanwhile would see half of it, and a step of a change may rest on that.
        for observation in (*earlier, *observations):
            if observation.at <= now:
                self.fold(observation)
            elif not isinstance(observation, Reading | Missed | Masked):  # the clock of who told it is ahead of ours
                self.fold(replace(observation, at=now))
        self.verdict = next(iter(await store.verdicts(self.service_id, limit=1)), None)
        self.proposal = next(iter(await store.changes(self.service_id, states=(change.State.PROPOSED,), limit=1)), None)

    def fold(self, observation: Observation) -> None:
        """Take in one observation; commit it under the same `in_step`."""
        self.state.fold(observation)
        match observation:
            case Reading():
                self.silence, self.regained, self.misses = None, self.misses >= BLIND_AFTER, 0
            case Missed(at=at, reason=reason):
                self.regained, self.misses = False, self.misses + 1
                # Whatever answers, if not as it should, is there.
                self.silence = (self.silence[0] if self.silence else at, at) if reason.is_unreachable else None
            case Told(id=id_):
                self.heard.add(id_)
            case Signal(who=str(who)):
                self.heard.add(who)

    def app_seen(self) -> AppSeen | None:
        """What a change may know of the app."""
        reading = self.last_reading
        if reading is None:
            return None
        return AppSeen(reading.at, dict(reading.settings))


def rung(managed: Managed, tier: Tier) -> Rung:
    """The tier as a change freezes it: with what people set instead of its values since the policy file was last edited."""
    mine = ((key, one) for key, one in managed.state.overrides.items() if one.digest == managed.file.digest)
    kept = {
        name: one.value for (of, name), one in mine if of == tier.name and name in tier.env and one.value is not None
    }
    return Rung(tier.name, tier.plan, tier.instances, {**tier.env, **kept}, tier.monthly, tuple(sorted(kept)))


def theirs(policy: Policy, env: Mapping[str, str]) -> tuple[str, ...]:
    """Which of these values no tier of the policy has: they are somebody's own."""
    ours = {pair for tier in policy.tiers for pair in tier.env.items()}
    return tuple(name for name, value in sorted(env.items()) if (name, value) not in ours)


def horizon(policy: Policy, patience: int = 1) -> int:
    """How far back observations can matter, ms. `patience`: how many times longer than written a way down may have to hold.

    Tier changes and kills matter from the first on; they are few, and kept.
    """
    evidence = policy.evidence
    longest = max((condition.window for condition in policy.conditions()), default=DAY)
    helped = evidence.help_after * (1 + HELP_REMEMBERED) + longest
    return max(longest * patience * 5 // 4, evidence.fit_window, evidence.business_age, helped)


def _patience(policy: Policy, taught: Iterable[TierChanged | Signal]) -> int:
    """How many times longer than written the way down from what runs now has to hold: it is settled when a tier begins to run."""
    lessons, patience = Lessons(policy), 1
    for one in taught:
        if isinstance(one, Signal):
            lessons.signal(one)
            continue
        lessons.moved(one)
        tier = policy.tier(one.tier) if one.tier else None
        patience = lessons.patience(tier) if tier else 1
    return patience


def cadence(observations: list[Observation], fallback: int) -> int:
    """How far apart the polls of late really were (a cron job's are further apart than the policy's): the median of the last ten gaps."""
    polls = [one.at for one in observations if isinstance(one, Reading | Missed)][-11:]
    gaps = sorted(later - earlier for earlier, later in pairwise(polls) if later > earlier)
    return max(fallback, gaps[len(gaps) // 2]) if gaps else fallback


async def load(
    file: PolicyFile, seen: ServiceSeen, store: History, now: int, *, measured_cadence: bool = False
) -> Managed:
    """A policy and its service, with the state that the store tells.

    `measured_cadence`: expect polls as far apart as the last ones were, instead of the policy's `every`.
    """
    policy = file.policy
    every = policy.every
    if measured_cadence:
        every = cadence(await store.observations(seen.id, now - horizon(policy)), every)
    managed = Managed(file, seen, State(policy, every))
    await managed.replay(store, now)
    return managed
