"""What can be seen about a service. Append-only, in arrival order; the evaluator's state is a fold over these and nothing else.

All times are integer milliseconds UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Miss(StrEnum):
    """Why a poll gave no reading."""

    REFUSED = "refused"
    RESET = "reset"
    TIMED_OUT = "timed_out"
    SERVER_ERROR = "server_error"
    MISCONFIGURED = "misconfigured"
    """401, 403, 404, a redirect, HTML, bad JSON, a missing or impossible value: the endpoint is there but not ours."""
    FROZEN = "frozen"
    """It answered with the same timestamp as before: somebody's cache, not the app."""

    @property
    def is_unreachable(self) -> bool:
        """Whether the app itself seems away (design, Evidence 5)."""
        return self in {Miss.REFUSED, Miss.RESET, Miss.TIMED_OUT, Miss.SERVER_ERROR}


@dataclass(frozen=True, slots=True)
class Reading:
    """One good report of the app.

    `gauges` maps a metric's name to its value in base units (seconds, bytes, per cent, counts).
    `increases` maps a counter's name to what it rose by since the last reading: the parts of the ratios.
    """

    at: int
    gauges: Mapping[str, float]
    increases: Mapping[str, float] = field(default_factory=dict)
    timestamp: int = 0
    """When the report says it was made, by the app's clock."""
    counters: Mapping[str, float] = field(default_factory=dict)
    """The raw totals since the process began: what the next reading's increases are counted from."""
    instance: str | None = None
    started_at: int | None = None
    idle: bool = False
    """The endpoint answers, nothing is in flight and no request came: calm, not silence."""
    stalled: bool = False
    """Requests are in flight and none finishes: never calm."""
    plan: str | None = None
    """The plan that the app itself guesses from its limits: evidence of what is *running*."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """The env values that the app says it runs with, as text, by env name."""

    @property
    def process(self) -> tuple[str | None, int | None]:
        """Who answered: the instance, and when its process began, as far as the report tells."""
        return self.instance, self.started_at


@dataclass(frozen=True, slots=True)
class Missed:
    """A poll without a reading; never evidence that all is well."""

    at: int
    reason: Miss
    detail: str = ""
    timeout: int | None = None
    """For `timed_out`: how long we waited, ms. The app is at least that slow."""


@dataclass(frozen=True, slots=True)
class Masked:
    """From `at` to `until` what the app shows says nothing about its plan (a start, a deploy's switch)."""

    at: int
    until: int
    reason: str


@dataclass(frozen=True, slots=True)
class TierChanged:
    """The service now runs on this rung; None is a plan or count that is not on the ladder."""

    at: int
    tier: str | None
    plan: str
    instances: int
    spent: tuple[str, ...] = ()
    """Counted signals that this change used up: they caused it."""
    by: str | None = None
    """The id of our change that did it; None: somebody else, or it was so when we first looked."""
    scheduled: bool = False
    """Whether a schedule raised it, or it was given back after one."""
    by_hand: bool = False
    """Whether `by` is a change that a person asked for."""


@dataclass(frozen=True, slots=True)
class Signal:
    """Something countable that happened once: a complaint, an OOM kill; or a business value that was told to us."""

    at: int
    name: str
    value: float = 1.0
    who: str | None = None


@dataclass(frozen=True, slots=True)
class Told(Signal):
    """A signal that somebody gave from outside (`autoscaler signal`, `autoscaler metric set`), not the app and not Render."""

    id: str = ""
    """Its own, by which a worker knows whether it has heard it."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Overridden:
    """Somebody gave one of our env vars a value of their own on this rung: it counts instead of the policy's, until that is edited."""

    at: int
    tier: str
    name: str
    value: str | None
    """None: it is the policy's again."""
    digest: str
    """Of the policy file that it overrides."""


@dataclass(frozen=True, slots=True)
class EnvSeen:
    """The configured values of our env vars, where they are others than when they were last looked at: what moves after that, somebody set."""

    at: int
    since: int
    """Since when the rung runs on which they were seen: the `at` of its TierChanged."""
    env: Mapping[str, str]
    plan: str = ""
    """On which plan."""
    ours: tuple[str, ...] = ()
    """The names of those that were some tier's values, in this edition of the policy or, unmoved since, in an earlier one."""


Observation = Reading | Missed | Masked | TierChanged | Signal | Told | Overridden | EnvSeen
