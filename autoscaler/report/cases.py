"""Policy tests in words: what was expected, what came, how far it was; and what the tests of a policy reach."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from autoscaler.core.durations import SECOND, format_duration
from autoscaler.core.evaluate import Ask, Progress, Role
from autoscaler.core.guards import Verdict
from autoscaler.core.rehearsal import RehearsedChange
from autoscaler.core.why import Why
from autoscaler.report.sentences import WORDS, seen_phrase


@dataclass(frozen=True, slots=True)
class Clock:
    """How a test tells times: after its start, and by the clock of its zone."""

    start: int
    zone: ZoneInfo

    def tell(self, at: int) -> str:
        """`1h 5m (Mon 01:05)`."""
        local = datetime.fromtimestamp(at / SECOND, self.zone)
        before = "-" if at < self.start else ""
        shown = f"{local:%a %H:%M:%S}".removesuffix(":00")
        return f"{before}{whole_duration(abs(at - self.start))} ({shown})"


@dataclass(frozen=True, slots=True)
class Difference:
    """One expectation that was not met."""

    line: int
    column: int
    when: str
    expected: str
    came: str
    details: tuple[str, ...] = ()
    """The conditions at that time: value, bound, how far the window was; and what helps to find the mistake."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One test that was played."""

    file: str
    name: str
    line: int
    column: int
    polls: int
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        """Whether all came as expected."""
        return not self.differences


@dataclass(frozen=True, slots=True)
class Reached:
    """What the tests showed of one condition."""

    condition: str
    role: Role
    held: bool
    """It held at some poll."""
    near: bool
    """At a poll whose outcome is expected it did not hold, but nearly: its value close to the bound, or its window nearly full
    when it broke off."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """What all tests of one policy reach together."""

    policy: str
    conditions: tuple[Reached, ...]
    guards: tuple[tuple[Why, bool], ...]
    """Each guard that the policy has, and whether it was seen to block."""

    @property
    def share(self) -> float:
        """0 to 1: of all conditions both ways, and all guards."""
        points = [point for one in self.conditions for point in (one.held, one.near)]
        points += [seen for _, seen in self.guards]
        return sum(points) / len(points) if points else 1.0


def whole_duration(milliseconds: int) -> str:
    """To the second, as it may be written into a test: `1h2m30s`; `0` for nothing."""
    seconds, parts = milliseconds // SECOND, ""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        parts += f"{count}{unit}" if count else ""
    return parts or "0"


def verdict_words(verdict: Verdict, clock: Clock) -> str:
    """What came: `up to scaled, because …`, `hold: steady`, `hold: cooldown until …, though up to scaled is asked for`."""
    asked = _asked(verdict)
    because = f", because {' and '.join(reason.condition for reason in verdict.reasons)}" if verdict.reasons else ""
    if verdict.goes:
        return f"{asked}{because}"
    obstacles = ", ".join(
        str(blocker.why) + (f" until {clock.tell(blocker.until)}" if blocker.until is not None else "")
        for blocker in verdict.blockers
    )
    if verdict.ask is Ask.HOLD:
        return f"hold, why {obstacles or verdict.why}"
    return f"{asked} is held, why {obstacles}{because}"


def _asked(verdict: Verdict) -> str:
    way = "emergency" if verdict.emergency else str(verdict.ask)
    return f"{way} to {verdict.target}" if verdict.target else way


def standing(progress: Progress, clock: Clock) -> str:
    """`avg_response_time 8.4s > 8s for 1h, held 48m of 1h; could hold from 1h12m (Mon 01:12)`."""
    seen = f", {int(progress.covered * 100)}% seen" if not progress.holds and 0 < progress.covered < 1 else ""
    could = f"; could hold from {clock.tell(progress.not_before)}" if progress.not_before is not None else ""
    return f"{seen_phrase(progress)}{seen}{could}"


def change_words(change: RehearsedChange, clock: Clock) -> str:
    """`up to scaled at 1h5m (Mon 01:05)`."""
    way = "emergency" if change.emergency else str(change.ask)
    return f"{way} to {change.target} at {clock.tell(change.at)}"


def outcome_lines(outcome: Outcome) -> Iterator[str]:
    """One line for a test that passed; for one that failed each difference below it."""
    yield f"{'ok    ' if outcome.passed else 'FAILED'}  {outcome.name}"
    for one in outcome.differences:
        yield f"        {outcome.file}:{one.line}:{one.column}: {one.when}"
        yield f"          expected  {one.expected}"
        yield f"          came      {one.came}"
        for detail in one.details:
            yield f"                    {detail}"


def coverage_lines(coverage: Coverage) -> Iterator[str]:
    """What was reached, and what to write a test for."""
    yield f"{coverage.policy}: {percent(coverage.share)} of its rules and guards are tested"
    for one in coverage.conditions:
        if not (one.held and one.near):
            lacking = [text for text, seen in (("never holds", one.held), ("never nearly holds", one.near)) if not seen]
            yield f"  {one.role}: {one.condition}: {' and '.join(lacking)}"
    for why, seen in coverage.guards:
        if not seen:
            yield f"  guard {why}: never seen to block ({WORDS[why].short})"


def percent(share: float) -> str:
    """Rounded down: 100% is all."""
    return f"{int(share * 100)}%"


def summary(outcomes: tuple[Outcome, ...], seconds: float) -> str:
    """`14 passed, 1 failed, 34560 polls in 2.1s`."""
    failed = sum(not outcome.passed for outcome in outcomes)
    polls = sum(outcome.polls for outcome in outcomes)
    told = f"{len(outcomes) - failed} passed" + (f", {failed} failed" if failed else "")
    return f"{told}, {polls} polls in {format_duration(seconds * SECOND)}"
