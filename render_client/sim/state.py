"""What a world is made of. `Service`, `Deploy` and `Instance` change over time; the rest are values."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from render_client.sim.plans import named

Json = dict[str, Any]

IN_PROGRESS = frozenset({"created", "build_in_progress", "pre_deploy_in_progress", "update_in_progress"})
CANCELABLE = IN_PROGRESS | {"queued"}


class Refused(Exception):  # noqa: N818 - it is Render's answer, not an error of the simulator
    """A call that Render answers with an error: its status and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status} {message}")
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit on the service's branch; the time is in ms."""

    id: str
    message: str
    created_at: int


@dataclass(frozen=True, slots=True)
class Source:
    """What is deployed: a commit, or an image for image-backed services."""

    commit: Commit | None
    image: str | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The plan and env vars that an instance runs with, whatever is configured meanwhile.

    A machine has no two names: the plan is `named`, however it was spelled when it was set.
    """

    plan: str
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class EnvVar:
    """One configured variable; `sequence` orders the list."""

    sequence: int
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a service's event list; `at` in ms."""

    sequence: int
    id: str
    at: int
    type: str
    details: Json


@dataclass(slots=True)
class Instance:
    """One running copy: starting, then serving, then draining; then it is dropped, and its process is ended.

    `killed` for its memory is the one end without SIGTERM.
    `healthy` is known before `serving`: a deploy switches all its instances at once. `replaces` is the instance that
    leaves when this one serves (a restart). A process is not started before `start_at`, so that one that crashes at once
    does not do so all the time.
    """

    id: str
    deploy_id: str
    snapshot: Snapshot
    created_at: int
    start_at: int
    state: Literal["starting", "serving", "draining", "killed"] = "starting"
    healthy: bool = False
    replaces: str | None = None


@dataclass(slots=True)
class Deploy:
    """One deploy. `phases` are the statuses that it has yet to pass before it is live."""

    sequence: int
    id: str
    trigger: str
    trigger_details: Json
    source: Source
    created_at: int
    updated_at: int
    phases: list[str]
    status: str = "created"
    started_at: int | None = None
    finished_at: int | None = None
    keeps_env: bool = False
    rollback_of: Snapshot | None = None
    snapshot: Snapshot | None = None
    fails_at: str | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """What a service goes through from `at` (ms) on, and what its app needs for that."""

    at: int
    rate: float = 0.0
    """Requests a second."""
    seconds: float = 0.1
    """The response time of an idle instance."""
    cpu_seconds: float = 0.02
    """CPU that one request needs."""
    memory: int = 150 * 1024 * 1024
    """Of each instance, bytes."""
    errors: float = 0.0
    """The share of requests that is answered 500."""


@dataclass(frozen=True, slots=True)
class Used:
    """What the process of an instance used until `at` (ms): CPU in seconds since it began, memory in bytes."""

    at: int
    instance: str
    plan: str
    cpu: float
    memory: int


@dataclass(frozen=True, slots=True)
class Answered:
    """One request that a service's public address answered at `at` (ms), after so many seconds."""

    at: int
    status: int
    seconds: float


@dataclass(slots=True)
class Service:
    """One service. `document` is its public JSON and the only place of all that it shows: plan, count, suspension."""

    sequence: int
    document: Json
    env: dict[str, EnvVar] = field(default_factory=dict)
    deploys: list[Deploy] = field(default_factory=list)
    instances: list[Instance] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    commits: list[Commit] = field(default_factory=list)
    last_build: Source | None = None
    fail_next: str | None = None
    loads: "list[Load]" = field(default_factory=list)
    """What it goes through, by the time from which on; oldest first. Of one with a command it is measured instead."""
    used: deque[Used] = field(default_factory=lambda: deque(maxlen=10_000))
    answered: deque[Answered] = field(default_factory=lambda: deque(maxlen=100_000))
    command: tuple[str, ...] | None = None
    cwd: Path | None = None

    @property
    def id(self) -> str:
        """The service's id, `srv-…`."""
        return str(self.document["id"])

    @property
    def details(self) -> Json:
        """The part of the document that depends on the type; changing it changes the service."""
        details: Json = self.document["serviceDetails"]
        return details

    @property
    def suspended(self) -> bool:
        """Whether anybody suspended it."""
        return bool(self.document["suspenders"])

    @property
    def image_backed(self) -> bool:
        """Whether it deploys a ready image instead of building a commit."""
        return "imagePath" in self.document

    @property
    def desired_count(self) -> int:
        """How many instances should run: the manual setting, or that setting held within the autoscaling bounds."""
        count = int(self.details.get("numInstances", 0))
        autoscaling = self.details.get("autoscaling")
        if autoscaling and autoscaling["enabled"]:
            return int(min(max(count, autoscaling["min"]), autoscaling["max"]))
        return count

    @property
    def live_deploy(self) -> Deploy | None:
        """The deploy that serves now."""
        return next((deploy for deploy in reversed(self.deploys) if deploy.status == "live"), None)

    @property
    def running_deploy(self) -> Deploy | None:
        """The deploy under way, apart from those that wait."""
        return next((deploy for deploy in reversed(self.deploys) if deploy.status in IN_PROGRESS), None)

    @property
    def waiting_deploy(self) -> Deploy | None:
        """The deploy that starts when the running one has ended."""
        return next((deploy for deploy in reversed(self.deploys) if deploy.status == "queued"), None)

    def deploy(self, deploy_id: str) -> Deploy:
        """The deploy of that id.

        Raises:
            Refused: 404, it has none.
        """
        for deploy in self.deploys:
            if deploy.id == deploy_id:
                return deploy
        raise Refused(404, f"not found: {deploy_id}")

    def serving(self) -> list[Instance]:
        """The instances that get traffic."""
        return [instance for instance in self.instances if instance.state == "serving"]

    def configured(self) -> Snapshot:
        """What the next deploy would run with."""
        return Snapshot(named(str(self.details.get("plan", ""))), {key: var.value for key, var in self.env.items()})
