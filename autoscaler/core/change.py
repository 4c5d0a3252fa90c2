"""One durable scaling action, and what to do next about it.

    proposed ── no, nobody, or nothing asks for it any more ──▶ rejected, expired, superseded
        │ yes
        ▼   preflight          plan, env, deploy            soak over             24 h
    approved ─────────▶ applying ───────────────▶ soaking ─────────▶ watching ─────────▶ done
        │                  │ refused, deploy failed,    │ no answer from the new instance
        │                  ▼ or a person's value met    │
        │           applying, walking back ◀────────────┘
        ▼                  │
     failed, superseded ◀──┴──▶ undone

Open (at most one a service) are approved, applying and soaking. Nothing here does I/O: `next_step` looks at the change as it
was last written down and at the world as it was just observed, and names one step. A crash at any point loses nothing but the
look that it had: the next one sees what happened.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Direction(StrEnum):
    """Which way on the ladder."""

    UP = "up"
    DOWN = "down"


class State(StrEnum):
    """Where a change stands; see the diagram above."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    APPLYING = "applying"
    SOAKING = "soaking"
    WATCHING = "watching"
    DONE = "done"
    UNDONE = "undone"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"
    REJECTED = "rejected"

    @property
    def is_open(self) -> bool:
        """Whether it stands in the way of another change of the same service."""
        return self in OPEN

    @property
    def is_final(self) -> bool:
        """Whether nothing will happen to it any more."""
        return self not in OPEN and self not in {State.PROPOSED, State.WATCHING}


POLICY = "policy"
SOMEBODYS = "(somebody's)"
OPEN = frozenset({State.APPROVED, State.APPLYING, State.SOAKING})


@dataclass(frozen=True, slots=True)
class Rung:
    """A tier as the change needs it: frozen at its creation, so that an edit of the policy moves no open change."""

    tier: str
    plan: str
    instances: int
    env: Mapping[str, str]
    monthly: float
    """USD a month, all instances."""
    theirs: tuple[str, ...] = ()
    """The variables whose values here are somebody's own: they are kept, and shown to nobody."""

    def shown(self, name: str) -> str:
        """A variable's value, for people."""
        return SOMEBODYS if name in self.theirs else self.env.get(name, "unset")


@dataclass(frozen=True, slots=True)
class Before:
    """What preflight saw: what a walk back restores."""

    plan: str
    env: Mapping[str, str | None]
    """Our keys; None was not set."""
    live_deploy: str | None
    """None also where a deploy went live whose settings nobody knows."""
    commit: str | None
    instances: int = 1


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call that asked for a deploy. It is the one call that is not idempotent, so what was newest before it is kept."""

    asked_at: int
    newest_before: str | None
    deploy: str | None = None
    """Its id, once known."""
    newest_at: int = 0
    """When `newest_before` was created, by Render's clock: a list that lags may not show it."""
    commit: str | None = None
    """The commit that it asked to be built; None for a `deploy_only`."""
    served: str | None = None
    """The commit that was live when it was asked for: what a `deploy_only` has to ship."""
    writes: int | None = None
    """How many plan and env writes it carries; what is written later needs another deploy."""


@dataclass(frozen=True, slots=True)
class Question:
    """What people are asked before it may begin (`core.consent`). Times in ms UTC."""

    lifts: tuple[str, ...]
    """The guards (`Why`) that a yes lifts, and no others."""
    expires: int
    """How long it stands from when it was delivered, ms."""
    needed: int = 1
    """So many people must say yes."""
    on_expiry: str = "cancel"
    """`cancel`, or `proceed`: no answer counts as a yes."""
    because: tuple[str, ...] = ()
    """Why a yes is needed, in words."""
    values: Mapping[str, float] = field(default_factory=dict)
    """By condition: what asked for it, in base units."""
    asked_at: int | None = None
    """When it was delivered, or delivered again after a snooze; until then it does not expire."""
    snoozed_until: int | None = None
    """When it is asked again, or was: until then it rests."""
    agreed_at: int | None = None
    """When enough people had said yes and nothing else stood in the way: then the change began."""
    agreed_by: str = ""
    """Who they were; empty where nobody's answer counted as a yes."""


@dataclass(frozen=True, slots=True)
class Change:
    """Times in ms UTC."""

    id: str
    service_id: str
    service: str
    """The service's name, for people."""
    origin: Rung
    target: Rung
    direction: Direction
    reason: str
    """One sentence with its numbers."""
    created_at: int
    due_at: int
    """When to look at it again."""
    emergency: bool = False
    follows: bool = False
    """It brings the env values after a plan that somebody else set: at once, also beside the deploy that sets it."""
    requested_by: str = POLICY
    """`policy`, or the person who asked for it by hand."""
    policy_digest: str = ""
    spent: tuple[str, ...] = ()
    """Counted signals among its causes."""
    scheduled: bool = False
    """Whether a schedule raises it, or it is given back after one."""
    advice: str = ""
    """What else would do, in words; empty when nothing is known."""
    downtime: bool = False
    """Whether a deploy takes the service down for some minutes: it has a disk."""
    soak: int = 0
    watch: int = 0
    state: State = State.APPROVED
    question: Question | None = None
    """What people were asked about it; None where nobody had to be."""
    before: Before | None = None
    written: tuple[str, ...] = ()
    """Writes that Render confirmed, in this walk: `plan`, `instances`, `env:KEY`."""
    attempts: tuple[Attempt, ...] = ()
    walking_back: str | None = None
    """Why it is being undone, or None on the way forward."""
    leftover: Rung | None = None
    """What an earlier change of ours, given up half way for this one, was writing: such values are ours, and no person's."""
    found_live: str | None = None
    """The deploy that was live before the earlier change began: if another one is by now, nobody knows what it runs."""
    cancels: Attempt | None = None
    """A deploy of ours that is not wanted any more, of the earlier change or of the way forward: it is cancelled first."""
    earlier: tuple[Attempt, ...] = ()
    """Requests for a deploy before this walk, also of a change whose place it took: what they cancelled is given back too."""
    cancel_asked_at: int | None = None
    pinned: bool = False
    """Whether it deploys the live commit by its id, since `deploy_only` was refused."""
    given_back: tuple[str, ...] = ()
    """Foreign deploys that ours had cancelled and that were asked for again, as often as that was asked."""
    gave_back_at: int | None = None
    """When the last of them was asked for, ms, while nobody knows whether Render took that."""
    overtaken: bool = False
    """Undone because a person took over: what is still ours is taken back, and the end is `superseded`."""
    stuck_since: int | None = None
    """Since when Render gives no answer that it could go on with, ms; None while it does."""
    stuck_told: bool = False
    live_at: int | None = None
    ended_at: int | None = None
    outcome: str = ""
    """One sentence, once it is over."""
    unproven: bool = False
    """Whether too few requests have come since to say that it is good."""
    crashes_told: bool = False
    """Whether the team heard that instances of what is watched fail again and again."""
    report: tuple[tuple[str, str], ...] = ()
    """Before and after, by what was measured, once the watch is over."""

    @property
    def is_urgent(self) -> bool:
        """Whether it does not wait for a foreign deploy before its first write, nor for a build that a person should look at."""
        return self.emergency or self.follows

    @property
    def was_only_asked(self) -> bool:
        """Whether it has not begun, and maybe never did."""
        return self.question is not None and self.question.agreed_at is None

    @property
    def is_agreed(self) -> bool:
        """Whether it begins, or has begun, since people were asked about it and said yes."""
        return self.question is not None and self.question.agreed_at is not None

    @property
    def by_hand(self) -> bool:
        """Whether a person asked for it, and no rule."""
        return self.requested_by != POLICY


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One step: written down before it is done, and again with what came of it. (`change_id`, `number`) is its key."""

    change_id: str
    number: int
    at: int
    step: str
    """Such as `set plan standard`, `set MAX_CONCURRENT`, `ask for a deploy`."""
    outcome: str | None = None
    ended_at: int | None = None


@dataclass(frozen=True, slots=True)
class DeploySeen:
    """One of the service's deploys, as Render lists it."""

    id: str
    status: str
    trigger: str
    created_at: int
    commit: str | None = None
    finished_at: int | None = None


@dataclass(frozen=True, slots=True)
class AppSeen:
    """The app's own last good report."""

    at: int
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class World:
    """Render and the app, as just observed. `plan` and `env` are the *configured* ones; only deploys make them run."""

    plan: str
    instances: int
    env: Mapping[str, str]
    """Only the keys that the policy owns."""
    deploys: tuple[DeploySeen, ...]
    """Newest first."""
    suspended: bool = False
    render_autoscaling: bool = False
    has_disk: bool = False
    """The old instance stops before the new one starts: a failed deploy leaves nothing running."""
    image_backed: bool = False
    """It deploys a ready image, so there is no commit to go back to."""
    crashes: tuple[int, ...] = ()
    """When instances failed since this change went live, ms; looked up only then, and in the watch only those of the last hour."""
    strain: str = ""
    """Why the smaller plan is not enough, after a down went live; empty while it is."""
    app: AppSeen | None = None
    few_requests: float | None = None
    """How many requests the new instance has served, while they are too few to prove anything; else None."""
    silence: tuple[int, int] | None = None
    """When the first and the last poll went unanswered since the app last answered; None when the last one was answered."""
