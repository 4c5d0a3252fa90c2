"""What a step can be, and the moves that every phase knows: an end, a turn back, a failure."""

from dataclasses import dataclass, replace

from autoscaler.core.change import Change, DeploySeen, State


@dataclass(frozen=True, slots=True)
class SetPlan:
    """PATCH the plan."""

    plan: str


@dataclass(frozen=True, slots=True)
class SetInstances:
    """POST scale."""

    count: int


@dataclass(frozen=True, slots=True)
class SetEnv:
    """PUT one variable."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class AskDeploy:
    """POST one `deploy_only` deploy."""

    newest: DeploySeen
    """The newest one before it."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before `until`."""

    until: int
    why: str


@dataclass(frozen=True, slots=True)
class Become:
    """The change moves on without a call."""

    change: Change
    told: str | None = None
    """What the team hears of it."""


Write = SetPlan | SetInstances | SetEnv | AskDeploy
Step = Write | Wait | Become


def ended(change: Change, state: State, outcome: str, now: int) -> Become:
    """It is over."""
    return Become(replace(change, state=state, outcome=outcome, ended_at=now, due_at=now))


def failed(change: Change, cause: str, now: int) -> Become:
    """It can't go on: turn back, or, on the way back already, leave it to a person."""
    if change.walking_back is None:
        return walk_back(change, cause, now)
    return ended(change, State.FAILED, f"could not be undone: {cause}", now)


def walk_back(change: Change, cause: str, now: int) -> Become:
    """Turn round: what preflight saw is restored, in the order of the way back."""
    told = f"{cause[:1].upper()}{cause[1:]}. Going back to {change.origin.tier} ({change.origin.plan})."
    return Become(_turned(change, cause, now), told)


def overtake(change: Change, whose: str, now: int) -> Become:
    """A person took over: what is still ours is taken back, theirs stays, and nothing is deployed."""
    return Become(replace(_turned(change, whose, now), overtaken=True))


def _turned(change: Change, cause: str, now: int) -> Change:
    return replace(change, state=State.APPLYING, walking_back=cause, written=(), attempts=(), due_at=now)
