"""A file of policy tests as frozen values. What needs the policy as well (its tiers, conditions, alerts) is `cases_check`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from autoscaler.core.durations import DAY
from autoscaler.core.evaluate import Ask
from autoscaler.core.scalars import Dollars, Duration, Hours, Name, Whole
from autoscaler.core.why import Why
from autoscaler.policyfile.cases_times import (
    Happens,
    Moment,
    Span,
    Start,
    Times,
    parse_happens,
    parse_moment,
    parse_span,
    parse_start,
    parse_times,
)

LONGEST = 400 * DAY


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a verdict is expected to be: `up to scaled`, `down`, `emergency to scaled`, `hold`."""

    text: str
    ask: Ask
    target: str | None = None
    emergency: bool = False


def _text(parse: Callable[[str], object], example: str) -> BeforeValidator:
    def read(value: object) -> object:
        if isinstance(value, str) and len(value) <= 500:
            return parse(value)
        raise ValueError(f"expected one value such as '{example}'")

    return BeforeValidator(read)


def parse_wanted(text: str) -> Wanted:
    """`up to scaled`, `hold`. Raises ValueError with what to write instead."""
    word, _, target = " ".join(text.split()).partition(" to ")
    asks = {"up": Ask.UP, "down": Ask.DOWN, "hold": Ask.HOLD, "emergency": Ask.UP}
    if word not in asks or (word == "hold" and target):
        raise ValueError(
            f"'{text}' is no verdict: write hold, up, down or emergency, or a rung as well: 'up to scaled'"
        )
    return Wanted(" ".join(text.split()), asks[word], target or None, word == "emergency")


def _yes_or_no(text: str) -> bool:
    known = {"yes": True, "true": True, "no": False, "false": False}
    if text not in known:
        raise ValueError(f"'{text}' is neither yes nor no")
    return known[text]


def _listed(value: object) -> object:
    """One text is a list of one."""
    return [value] if isinstance(value, str) else value


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


YesNo = Annotated[bool, _text(_yes_or_no, "yes")]
StartTime = Annotated[Start, _text(parse_start, "2026-06-01 08:00 Europe/Berlin")]
Time = Annotated[Moment, _text(parse_moment, "1h5m")]
Between = Annotated[Span, _text(parse_span, "1h and 2h")]
OneOfTimes = Annotated[Times, _text(parse_times, "10m")]
Event = Annotated[Happens, _text(parse_happens, "up to scaled by 2h")]
Line = Annotated[str, Field(min_length=1, max_length=500)]
ListOfTimes = Annotated[tuple[OneOfTimes, ...], BeforeValidator(_listed)]
Written = Annotated[str, Field(max_length=10_000)]


class Known(_Part):
    """What the guards know when the test begins."""

    last_change: Duration | None = None
    """How long before the start the last change ended."""
    changes_today: Whole = 0
    """Ordinary changes in the 24 hours before the start."""
    spent: Dollars | None = None
    """USD of this UTC month, at the start; absent: what the first tier costs since the month began."""
    suspended: YesNo = False
    disk: YesNo = False
    observer_suspect: YesNo = False
    """Whether so many services of the fleet went silent together that the bot's own sight is in doubt."""


class Expectation(_Part):
    """What the verdict is at one time, at some time until then (`by`), or at every poll of a span."""

    at: Time | None = None
    by: Time | None = None
    between: Between | None = None
    during: Hours | None = None
    verdict: Annotated[Wanted, _text(parse_wanted, "up to scaled")] | None = None
    why: Why | None = None
    because: Annotated[tuple[Line, ...], BeforeValidator(_listed)] = ()
    """Conditions that must be among its reasons."""
    not_before: Time | None = None
    tier: Name | None = None
    """The rung that runs."""
    leak: YesNo | None = None
    """Whether memory is said to leak, so that a restart is offered beside the upgrade."""

    @model_validator(mode="after")
    def _one_time_and_something(self) -> Self:
        if sum(when is not None for when in (self.at, self.by, self.between, self.during)) != 1:
            raise ValueError(
                "say once when: 'at: 1h', 'by: 2h', 'between: 1h and 2h' or 'during: mon-fri 09:00-17:00 UTC'"
            )
        expected = (self.verdict, self.why, self.because or None, self.not_before, self.tier, self.leak)
        if all(one is None for one in expected):
            raise ValueError("nothing is expected here: write such as 'verdict: up to scaled' or 'why: cooldown'")
        return self


class _Setting(_Part):
    """What a file says for all of its tests, and a test for itself."""

    start: StartTime | None = None
    tier: Name | None = None
    """On which rung it begins; absent: the lowest."""
    every: Duration | None = None
    """How far apart the polls are; absent: as the policy says."""
    approved: YesNo | None = None
    """Whether whatever has to be asked is answered yes at once; absent: it stays unanswered."""
    series: Mapping[str, Written] = Field(default_factory=dict)
    """By metric; also `requests`, how many finish between two polls, and `polls`, how the poll itself goes."""


class Case(_Setting):
    """One test."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    signals: Mapping[str, ListOfTimes] = Field(default_factory=dict)
    deploys: ListOfTimes = ()
    """When another instance takes over."""
    restarts: ListOfTimes = ()
    """When the process begins anew."""
    masks: Annotated[tuple[Between, ...], BeforeValidator(_listed)] = ()
    by_hand: Annotated[tuple[Event, ...], BeforeValidator(_listed)] = ()
    """When somebody sets another tier, or a plan that is none: `scaled at 2h`."""
    facts: Known = Known()
    lasts: Duration | None = None
    """Absent: up to the last time that is named, or the longest series."""
    expect: tuple[Expectation, ...] = ()
    changes: tuple[Event, ...] | None = None
    """Every change that begins, in order; absent: not looked at."""
    alerts: tuple[Event, ...] | None = None
    """Every alert that is raised, in order; absent: not looked at."""

    @model_validator(mode="after")
    def _expects_something(self) -> Self:
        if not self.expect and self.changes is None and self.alerts is None:
            raise ValueError("this test expects nothing: write 'expect:', 'changes:' or 'alerts:'")
        return self


class Suite(_Setting):
    """One file: its policy, what its tests have in common, and the tests."""

    policy: Line | None = None
    """From the folder of the file; absent: the policy of the same name, `x.yaml` beside `x.test.yaml`."""
    tests: Annotated[tuple[Case, ...], Field(min_length=1)]
