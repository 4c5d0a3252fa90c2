"""What a step can be, and the moves that every phase knows: an end, a turn back, a failure."""

from dataclasses import dataclass, replace

from autoscaler.core.change import Change, DeploySeen, State


@dataclass(frozen=True, slots=True)
class SetPlan:
    """PATCH the plan."""

    plan: str

    @property
    def words(self) -> str:
        """As the journal has it."""
        return f"set plan {self.plan}"


@dataclass(frozen=True, slots=True)
class SetInstances:
    """POST scale."""

    count: int

    @property
    def words(self) -> str:
        """As the journal has it."""
        return f"set {self.count} instances"


@dataclass(frozen=True, slots=True)
class SetEnv:
    """PUT one variable."""

    name: str
    value: str

    @property
    def words(self) -> str:
        """As the journal has it."""
        return f"set {self.name}"


@dataclass(frozen=True, slots=True)
class AskDeploy:
    """POST one `deploy_only` deploy, or, with a commit, one that builds it."""

    newest: DeploySeen
    """The newest one before it."""
    served: str | None = None
    """The commit that is live."""
    commit: str | None = None

    @property
    def words(self) -> str:
        """As the journal has it."""
        return f"ask for a deploy of commit {self.commit}" if self.commit else "ask for a deploy (deploy_only)"


@dataclass(frozen=True, slots=True)
class CancelDeploy:
    """POST cancel, of a deploy that we asked for."""

    deploy: str

    @property
    def words(self) -> str:
        """As the journal has it."""
        return f"cancel deploy {self.deploy} of ours"


@dataclass(frozen=True, slots=True)
class Redeploy:
    """POST a deploy of the commit that somebody else was deploying until ours cancelled it."""

    deploy: str
    """Theirs, that was cancelled."""
    commit: str

    @property
    def words(self) -> str:
        """As the journal has it."""
        return f"ask again for deploy {self.deploy} (commit {self.commit}), which ours had cancelled"


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


Write = SetPlan | SetInstances | SetEnv | AskDeploy | CancelDeploy | Redeploy
Step = Write | Wait | Become


def ended(change: Change, state: State, outcome: str, now: int) -> Become:
    """It is over."""
    return Become(replace(change, state=state, outcome=outcome, ended_at=now, due_at=now))


def failed(change: Change, cause: str, now: int) -> Become:
    """It can't go on: turn back, or, on the way back already, leave it to a person."""
    if change.follows:  # what it found does not fit: that is never put back
        return ended(change, State.FAILED, cause, now)
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
    unwanted = change.attempts[-1] if change.attempts else change.cancels
    turned = replace(change, state=State.APPLYING, walking_back=cause, written=(), attempts=(), due_at=now)
    earlier = (*change.earlier, *change.attempts)
    return replace(turned, earlier=earlier, cancels=unwanted, cancel_asked_at=None)
