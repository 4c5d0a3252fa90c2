"""Policies from a few words, readings from a load, and a service played poll by poll in fake time.

play = Play(a_policy(up="memory_usage > 400MB for 30m"))
play.on("mvp")
play.polls(minutes=30, memory=450 * MB)
assert play.decision.ask is Ask.UP
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from autoscaler.core.durations import MINUTE, SECOND
from autoscaler.core.evaluate import Decision, Progress, decide
from autoscaler.core.facts import Facts
from autoscaler.core.money import Spend
from autoscaler.core.observations import Masked, Miss, Missed, Observation, Reading, Signal, TierChanged
from autoscaler.core.policy import Policy
from autoscaler.core.state import State
from autoscaler.policyfile import load_text

MB = 1024.0**2
EVERY = 30 * SECOND
START = 1_780_300_800_000
"""Monday 1 June 2026, 08:00 UTC; a whole number of minutes."""

_POLICY = """\
version: 1
mode: {mode}
service:
  id: srv-abc123
  health: {{url: "https://app.example.com/api/health/scaling", every: {every}, timeout: {timeout}}}
tiers:
  - {{name: mvp, plan: starter, env: {{MAX_CONCURRENT: 8}}, scale_up: {{{way}: [{up}]}}}}
  - {{name: scaled, plan: standard, env: {{MAX_CONCURRENT: 20}}, scale_up: {{any: [memory_usage > 1800MB for 30m]}}, scale_down: {{all: [{down}]}}}}
  - {{name: large, plan: pro, env: {{MAX_CONCURRENT: 40}}}}
{more}
"""


@cache
def a_policy(
    up: str = "memory_usage > 400MB for 30m",
    down: str = "memory_usage < 200MB for 48h",
    *,
    way: str = "any",
    mode: str = "act",
    every: str = "30s",
    timeout: str = "10s",
    more: str = "",
) -> Policy:
    """mvp (starter), scaled (standard), large (pro); `up` and `down` are flow lists, `more` is whatever else stands in a file."""
    text = _POLICY.format(up=up, down=down, way=way, mode=mode, every=every, timeout=timeout, more=more)
    return load_text(text, "test.yaml").policy


@dataclass(frozen=True)
class Load:
    """What the app shows at a poll. `requests` finish between two polls, each after `seconds`."""

    requests: float = 0.0
    seconds: float = 0.5
    errors: float = 0.0
    memory: float = 250 * MB
    memory_percent: float | None = None
    concurrency: float = 1.0
    cpu: float = 0.1
    """Cores."""
    stalled: bool = False
    business: Mapping[str, float] = field(default_factory=dict)


def a_reading(at: int, load: Load, *, every: int = EVERY, first: bool = False, **more: Any) -> Reading:
    """The reading that `app_core` would give under that load; the first of all has nothing to count from."""
    requests = 0.0 if load.stalled else load.requests
    percent = load.memory / (512 * MB) * 100 if load.memory_percent is None else load.memory_percent
    increases = {
        "seconds": every / 1000,
        "requests": requests,
        "response_seconds": requests * load.seconds,
        "errors": 0.0 if load.stalled else load.errors,
        "cpu_seconds": load.cpu * every / 1000,
    }
    gauges = {
        "memory_usage": load.memory,
        "memory_percent": percent,
        "concurrent_requests": load.concurrency,
        "stalled": float(load.stalled),
        "unreachable": 0.0,
        **load.business,
    }
    idle = not first and not requests and not load.stalled
    values: dict[str, Any] = {"instance": "srv-abc123-1", "started_at": START - 7 * 24 * 60 * MINUTE}
    return Reading(
        at,
        gauges,
        {} if first else increases,
        timestamp=at,
        **values | {"idle": idle, "stalled": load.stalled} | more,
    )


class Play:
    """A State that is fed poll by poll; keeps all that it was fed."""

    def __init__(self, policy: Policy, *, every: int = EVERY, start: int = START) -> None:
        self.policy = policy
        self.every = every
        self.state = State(policy, every)
        self.now = start - every
        self.seen: list[Observation] = []
        self._identity: dict[str, Any] = {}

    def fold(self, observation: Observation) -> None:
        """One observation, as it is."""
        self.seen.append(observation)
        self.state.fold(observation)

    def on(
        self, tier: str | None, *, spent: tuple[str, ...] = (), by: str | None = None, scheduled: bool = False
    ) -> None:
        """From now on the service runs on that rung; `by`: our change that did it."""
        rung = self.policy.tier(tier) if tier else None
        plan, instances = (rung.plan, rung.instances) if rung else ("pro_max", 1)
        self.fold(TierChanged(max(self.now, 0), tier, plan, instances, spent, by, scheduled))

    def new_process(self, instance: str | None = "srv-abc123-2", started_at: int | None = None) -> None:
        """From the next poll on another process answers, which began now."""
        self._identity = {"instance": instance, "started_at": self.now if started_at is None else started_at}

    def poll(self, **load: Any) -> Decision:
        """Time goes on by one poll, which sees that load."""
        self.now += self.every
        first = not any(isinstance(one, Reading) for one in self.seen)
        self.fold(a_reading(self.now, Load(**load), every=self.every, first=first, **self._identity))
        return self.decision

    def miss(self, reason: Miss = Miss.REFUSED, timeout: int | None = None) -> Decision:
        """Time goes on by one poll, which gives nothing."""
        self.now += self.every
        self.fold(Missed(self.now, reason, "", timeout))
        return self.decision

    def _times(self, minutes: float, hours: float) -> int:
        return round((minutes + 60 * hours) * MINUTE / self.every)

    def polls(self, *, minutes: float = 0, hours: float = 0, **load: Any) -> None:
        """Poll after poll for that long."""
        for _ in range(self._times(minutes, hours)):
            self.now += self.every
            self.fold(a_reading(self.now, Load(**load), every=self.every, **self._identity))

    def misses(self, reason: Miss = Miss.REFUSED, *, minutes: float, timeout: int | None = None) -> None:
        """Failed polls for that long."""
        for _ in range(self._times(minutes, 0)):
            self.miss(reason, timeout)

    def until(self, done: Callable[[Decision], object], *, hours: float, **load: Any) -> int | None:
        """Poll until it is so: how long that took, ms; None when it never was within those hours."""
        begun = self.now
        for _ in range(self._times(0, hours)):
            if done(self.poll(**load)):
                return self.now - begun
        return None

    def mask(self, minutes: float, reason: str = "deploy") -> None:
        """A mask from now on."""
        self.fold(Masked(self.now, self.now + round(minutes * MINUTE), reason))

    def signal(self, name: str, value: float = 1.0) -> None:
        """Something counted happens now."""
        self.fold(Signal(self.now, name, value))

    @property
    def decision(self) -> Decision:
        """What the evidence asks for now."""
        return decide(self.state, self.now)

    def progress(self, text: str) -> Progress:
        """Where the condition of that sentence stands."""
        return next(one for one in self.decision.progress if one.condition == text)


def facts(**more: Any) -> Facts:
    """Nothing stands in the way."""
    spend = Spend(so_far=0.0, estimated=False, month_left=0.5)
    return replace(Facts(service_id="srv-abc123", service="api", spend=spend), **more)
