"""The changes that the crash matrix takes through every crash: each a Render, an app, and how it has to end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autoscaler.core.change import Change, Direction, Rung, State
from autoscaler.policyfile import load_text
from render_client.sim import Durations

SERVICE = "srv-cukr0123456789abcdef"
SOAK, WATCH = 10_000, 20_000
"""Of every change, ms."""

FILE = load_text(
    f"""
version: 1
mode: act
service:
  id: {SERVICE}
  health: {{url: "http://127.0.0.1:1/api/health/scaling", every: 10s, timeout: 5s}}
tiers:
  - {{name: mvp, plan: starter, env: {{MAX_CONCURRENT: 8, DB_POOL_SIZE: 3}}}}
  - {{name: scaled, plan: standard, env: {{MAX_CONCURRENT: 20, DB_POOL_SIZE: 6}}}}
  - {{name: large, plan: pro, env: {{MAX_CONCURRENT: 40, DB_POOL_SIZE: 12}}}}
  - {{name: wide, plan: pro, instances: 2, env: {{MAX_CONCURRENT: 50, DB_POOL_SIZE: 12}}}}
scale_up: {{any: [avg_response_time > 1s for 1h]}}
scale_down: {{all: [avg_response_time < 500ms for 24h]}}
emergency: {{any: [memory_percent > 95% for 20s]}}
guards: {{cooldown: {{up: 1m, down: 2m}}, max_changes: 20 per day}}
verify: {{soak: 10s, watch: 20s}}
evidence: {{warm_up: 1s, drift_every: 1m}}
""",
    "policy.yaml",
)
TIERS = FILE.policy.tiers
MVP, SCALED, LARGE, WIDE = (Rung(tier.name, tier.plan, tier.instances, dict(tier.env), tier.monthly) for tier in TIERS)


@dataclass(frozen=True)
class Scene:
    """One change, or one and the emergency that crosses it."""

    name: str
    origin: Rung
    target: Rung
    ends_on: Rung
    endings: tuple[State, ...]
    """Of its changes, oldest first."""
    tells: bool = True
    """Whether a request for a deploy is answered with its id."""
    fails: bool = False
    """Whether the first deploy fails."""
    push: bool = False
    """Whether a git push begins a deploy just before ours, which cancels it."""
    refuses: bool = False
    """Whether Render does not take `deploy_only`."""
    memory: Mapping[str, int] = field(default_factory=dict)
    """How full the app is, by plan, percent; elsewhere there is room."""
    memory_from: int = 0
    """Since when, ms after the start."""
    requested_by: str = "policy"
    most_deploys: int = 1
    """How many requests for a deploy this takes without a crash."""
    update: int = 5
    """Seconds that a deploy takes."""
    world: Mapping[str, Any] = field(default_factory=dict)

    def durations(self) -> Durations:
        """How long things take."""
        return Durations(build=10, update=self.update, drain=0)

    def change(self, now: int) -> Change:
        """The change as it begins."""
        upward = (self.target.monthly, self.target.instances) > (self.origin.monthly, self.origin.instances)
        return Change(
            id="chg-1",
            service_id=SERVICE,
            service="holisticos-api",
            origin=self.origin,
            target=self.target,
            direction=Direction.UP if upward else Direction.DOWN,
            reason="",
            created_at=now,
            due_at=now,
            requested_by=self.requested_by,
            soak=SOAK,
            watch=WATCH,
        )


_DONE, _UNDONE = (State.DONE,), (State.UNDONE,)
_LAGS: Mapping[str, Any] = {"list_lag": 10}

SCENES = (
    Scene("an up", MVP, SCALED, SCALED, _DONE),
    Scene("a down", SCALED, MVP, MVP, _DONE),
    Scene("an up whose deploy fails", MVP, SCALED, MVP, _UNDONE, fails=True),
    Scene("a down whose deploy fails", SCALED, MVP, SCALED, _UNDONE, fails=True),
    Scene("an up without an id", MVP, SCALED, SCALED, _DONE, tells=False, world=_LAGS),
    Scene("a down without an id", SCALED, MVP, MVP, _DONE, tells=False, world=_LAGS),
    Scene("an up without an id that fails", MVP, SCALED, MVP, _UNDONE, tells=False, fails=True, world=_LAGS),
    Scene("a down without an id that fails", SCALED, MVP, SCALED, _UNDONE, tells=False, fails=True, world=_LAGS),
    Scene("an up by hand", MVP, SCALED, SCALED, _DONE, requested_by="anna"),
    Scene("scale out", LARGE, WIDE, WIDE, _DONE),
    Scene("scale in", WIDE, LARGE, LARGE, _DONE),
    Scene("deploy_only is refused", MVP, SCALED, SCALED, _DONE, refuses=True),
    Scene("a push that ours cancelled", MVP, SCALED, SCALED, _DONE, push=True, most_deploys=2),
    Scene(
        "an emergency crosses a down",
        SCALED,
        MVP,
        LARGE,
        (State.SUPERSEDED, State.DONE),
        memory={"standard": 97},
        memory_from=20_000,
        most_deploys=2,
        update=120,
    ),
    Scene(
        "an emergency turns a down round at the top",
        WIDE,
        LARGE,
        WIDE,
        _UNDONE,
        memory={"pro": 97},
        memory_from=20_000,
        update=120,
    ),
    Scene(
        "a down that is returned in its watch",
        SCALED,
        MVP,
        SCALED,
        _UNDONE,
        memory={"starter": 90},
        memory_from=60_000,
        most_deploys=2,
    ),
)
