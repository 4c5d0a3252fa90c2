"""What a policy test expects, beside what came."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from autoscaler.core.evaluate import Ask, Role
from autoscaler.core.guards import Verdict
from autoscaler.core.why import Why
from autoscaler.engine.policytest import Look, Played
from autoscaler.policyfile.cases import Expectation, Wanted
from autoscaler.policyfile.cases_times import Happens
from autoscaler.policyfile.tree import Mark
from autoscaler.report.cases import Clock, Difference, change_words, standing, verdict_words

_MOST_DETAILS = 4
_ROLES = MappingProxyType(
    {
        Ask.UP: {Role.UP, Role.EMERGENCY},
        Ask.DOWN: {Role.DOWN},
        Ask.HOLD: {Role.UP, Role.EMERGENCY, Role.DOWN},
    }
)
"""Which conditions tell why a verdict asks for a way; of a hold, all that move anything."""


def differences(played: Played) -> tuple[Difference, ...]:
    """Every expectation that was not met, in the order of the file."""
    script = played.script
    clock = Clock(script.start.at, script.start.zone)
    found: list[Difference] = []
    for expectation, mark in zip(script.case.expect, script.expects, strict=True):
        difference = _unmet(expectation, mark, played, clock)
        if difference is not None:
            found.append(difference)
    if script.case.changes is not None:
        came = [_Came(change.at, change_words(change, clock)) for change in played.changes]
        fits = [
            _is_wanted(wanted, change.ask, change.target, emergency=change.emergency)
            for wanted, change in zip(script.changes, played.changes, strict=False)
        ]
        found += _sequence("changes", script.case.changes, came, fits, played, clock)
    if script.case.alerts is not None:
        came = [_Came(at, f"{name} at {clock.tell(at)}") for at, name in played.alerts]
        fits = [event.what == name for event, (_, name) in zip(script.case.alerts, played.alerts, strict=False)]
        found += _sequence("alerts", script.case.alerts, came, fits, played, clock)
    return tuple(sorted(found, key=lambda one: (one.line, one.column)))


def judged_looks(expectation: Expectation, played: Played) -> Sequence[Look]:
    """The polls of which it speaks."""
    start, looks = played.script.start, played.looks
    if expectation.at is not None:
        return looks[: _until(looks, expectation.at.at(start))][-1:]
    if expectation.by is not None:
        return looks[: _until(looks, expectation.by.at(start))]
    if expectation.between is not None:
        first, last = expectation.between.first.at(start), expectation.between.last.at(start)
        return [look for look in looks if first <= look.verdict.at <= last]
    hours = expectation.during
    assert hours is not None  # noqa: S101 - the model wants one of the four
    return [look for look in looks if hours.contains(look.verdict.at)]


def _until(looks: Sequence[Look], at: int) -> int:
    return sum(look.verdict.at <= at for look in looks)


def _unmet(expectation: Expectation, mark: Mark, played: Played, clock: Clock) -> Difference | None:
    looks = judged_looks(expectation, played)
    met = [_meets(look, expectation, played) for look in looks]
    if looks and (any(met) if expectation.by is not None else all(met)):
        return None
    when = "" if expectation.at is not None else f"{_when(expectation)}: "
    if not looks:
        return Difference(
            mark.line, mark.column, _when(expectation), _expected(expectation), "no poll at all in this time"
        )
    wrong = looks[-1] if expectation.by is not None else looks[met.index(False)]
    verdict = wrong.verdict
    came = verdict_words(verdict, clock)
    if expectation.tier is not None:
        came += f", on {wrong.tier or 'no tier of the policy'}"
    if expectation.leak is not None:
        came += f", {verdict.leak or 'no leak is suspected'}"
    if expectation.not_before is not None:
        came += f", not before {clock.tell(verdict.not_before) if verdict.not_before is not None else 'any known time'}"
    details = (*_standings(verdict, expectation, clock), *_elsewhere(expectation, played, clock))
    return Difference(
        mark.line, mark.column, f"{when}at {clock.tell(verdict.at)}", _expected(expectation), came, details
    )


def _meets(look: Look, expectation: Expectation, played: Played) -> bool:
    verdict, not_before = look.verdict, expectation.not_before
    reasons = {reason.condition for reason in verdict.reasons}
    return (
        _is_verdict(verdict, expectation)
        and expectation.why in {None, verdict.why}
        and {" ".join(text.split()) for text in expectation.because} <= reasons
        and (not_before is None or verdict.not_before == not_before.at(played.script.start))
        and expectation.tier in {None, look.tier}
        and expectation.leak in {None, bool(verdict.leak)}
    )


def _is_verdict(verdict: Verdict, expectation: Expectation) -> bool:
    """`hold` is whatever does not go; a way goes, unless it is said why it does not."""
    wanted = expectation.verdict
    if wanted is None:
        return True
    if wanted.ask is Ask.HOLD:
        return not verdict.goes
    is_that_way = _is_wanted(wanted, verdict.ask, verdict.target, emergency=verdict.emergency)
    return is_that_way and (verdict.goes or expectation.why is not None)


def _is_wanted(wanted: Wanted, ask: Ask, target: str | None, *, emergency: bool) -> bool:
    return wanted.ask is ask and wanted.target in {None, target} and (emergency or not wanted.emergency)


def _when(expectation: Expectation) -> str:
    for word in ("at", "by", "between", "during"):
        time = getattr(expectation, word)
        if time is not None:
            return f"{word} {time.text}"
    raise AssertionError(expectation)  # the model wants one of the four


def _expected(expectation: Expectation) -> str:
    parts = [expectation.verdict.text] if expectation.verdict else []
    parts += [f"why {expectation.why}"] if expectation.why else []
    parts += [f"because {' and '.join(expectation.because)}"] if expectation.because else []
    parts += [f"not before {expectation.not_before.text}"] if expectation.not_before else []
    parts += [f"on {expectation.tier}"] if expectation.tier else []
    parts += [f"a leak is {'' if expectation.leak else 'not '}suspected"] if expectation.leak is not None else []
    return ", ".join(parts)


def _standings(verdict: Verdict, expectation: Expectation, clock: Clock) -> Iterator[str]:
    """Where the conditions stand that are spoken of: those named, else those of the way that was expected, or asked for."""
    wanted = expectation.verdict
    named = {" ".join(text.split()) for text in expectation.because}
    if named:
        return (standing(one, clock) for one in verdict.progress if one.condition in named)
    return _on_the_way(verdict, _ROLES[wanted.ask if wanted and wanted.ask is not Ask.HOLD else verdict.ask], clock)


def _on_the_way(verdict: Verdict, roles: Collection[Role], clock: Clock) -> Iterator[str]:
    """The conditions of these roles, those first that have held longest."""
    shown = sorted((one for one in verdict.progress if one.role in roles), key=lambda one: -one.held)
    return (standing(one, clock) for one in dict.fromkeys(shown[:_MOST_DETAILS]))


def _elsewhere(expectation: Expectation, played: Played, clock: Clock) -> Iterator[str]:
    """When what was expected came, if it came at another time."""
    wanted = expectation.verdict
    if wanted is None or wanted.ask is Ask.HOLD:
        return
    for look in played.looks:
        verdict = look.verdict
        if _is_wanted(wanted, verdict.ask, verdict.target, emergency=verdict.emergency) and (
            verdict.goes or expectation.why not in {None, Why.GO}
        ):
            yield f"it comes at {clock.tell(verdict.at)}: {verdict_words(verdict, clock)}"
            return
    yield "it never comes in this test"


@dataclass(frozen=True, slots=True)
class _Came:
    at: int
    told: str


def _sequence(
    what: str, expected: Sequence[Happens], came: Sequence[_Came], fits: Sequence[bool], played: Played, clock: Clock
) -> list[Difference]:
    """The whole list, in order: nothing may be missing, nothing more may come."""
    start, mark = played.script.start, played.script.lists[what]
    on_time = [
        (event.first is None or event.first.at(start) <= one.at)
        and (event.last is None or one.at <= event.last.at(start))
        and (event.first is None or event.first is not event.last or one.at == event.last.at(start))
        for event, one in zip(expected, came, strict=False)
    ]
    if len(expected) == len(came) and all(fits) and all(on_time):
        return []
    wanted = ", ".join(event.text for event in expected) or "none"
    told = ", ".join(one.told for one in came) or "none"
    right = next(
        (number for number, is_right in enumerate(zip(fits, on_time, strict=True)) if not all(is_right)), len(fits)
    )
    late = expected[right].last if right < len(expected) else None
    looks = played.looks if late is None else played.looks[: max(1, _until(played.looks, late.at(start)))]
    verdict = looks[-1].verdict
    roles = {Role.ALERT} if what == "alerts" else _ROLES[verdict.ask]
    details = (f"at {clock.tell(verdict.at)} {verdict_words(verdict, clock)}", *_on_the_way(verdict, roles, clock))
    return [Difference(mark.line, mark.column, f"{what} of the whole test", wanted, told, details)]
