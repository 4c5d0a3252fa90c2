"""What a file of policy tests says, beside the policy that it tests: whatever is wrong, and each test with all that it needs."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from autoscaler.core.durations import SECOND
from autoscaler.core.findings import Path
from autoscaler.core.metrics import Dimension, Kind
from autoscaler.core.plans import find_plan
from autoscaler.core.policy import Policy
from autoscaler.core.readings import DEPENDENCY
from autoscaler.policyfile.cases import LONGEST, Case, Expectation, Suite, Wanted, parse_wanted
from autoscaler.policyfile.cases_times import Happens, Moment, Start, Times, parse_start
from autoscaler.policyfile.series import Series, parse_series
from autoscaler.policyfile.tree import Flaw, Mark, Node

REQUESTS, POLLS = "requests", "polls"
"""Series that are no metric: how many requests finish between two polls, and how the polls go."""
_BY_ITSELF = {
    "unreachable": "write how the polls go, such as 'polls: refused x10'",
    "poll_timeouts": "write how the polls go, such as 'polls: timeout x10'",
}
"""What follows from something else -> what to write instead."""
START = parse_start("2026-06-01 00:00 UTC")
"""Where a test begins that does not say: a Monday, so that times after the start are those of the clock."""
MOST_POLLS = 400_000


@dataclass(frozen=True, slots=True)
class Script:
    """One test with all that it needs to be played; times in ms."""

    case: Case
    mark: Mark
    """Where its name stands."""
    start: Start
    tier: str
    every: int
    approved: bool
    lasts: int
    series: Mapping[str, tuple[Series, ...]]
    """By one name a metric: its own, and what goes on when that has ended."""
    expects: tuple[Mark, ...] = ()
    """Where each of `case.expect` stands."""
    changes: tuple[Wanted, ...] = ()
    """What each of `case.changes` says."""
    lists: Mapping[str, Mark] = field(default_factory=dict)
    """Where `changes` and `alerts` stand."""


def check_cases(suite: Suite, policy: Policy, root: Node) -> tuple[tuple[Script, ...], list[Flaw]]:
    """Every test that is sound, and everything that is wrong with the others."""
    checker = _Checker(suite, policy, root)
    return checker.scripts(), checker.flaws


class _Checker:
    def __init__(self, suite: Suite, policy: Policy, root: Node) -> None:
        self.flaws: list[Flaw] = []
        self._suite = suite
        self._policy = policy
        self._root = root
        self._tiers = [tier.name for tier in policy.tiers]
        self._conditions = {condition.text for condition in policy.conditions()}

    def scripts(self) -> tuple[Script, ...]:
        common = self._series(self._suite.series, ("series",))
        self._tier(self._suite.tier, ("tier",))
        self._twice()
        return tuple(
            script for index, case in enumerate(self._suite.tests) if (script := self._script(case, index, common))
        )

    def _twice(self) -> None:
        seen: dict[str, int] = {}
        for index, case in enumerate(self._suite.tests):
            path: Path = ("tests", index, "name")
            first = seen.setdefault(case.name, index)
            if first != index:
                line = self._root.locate(("tests", first, "name")).line
                self._tell(path, f"another test is called '{case.name}' (see line {line})", "duplicate_name")

    def _script(self, case: Case, index: int, common: Mapping[str, Series]) -> Script | None:
        before = len(self.flaws)
        path: Path = ("tests", index)
        own = self._series(case.series, (*path, "series"))
        self._tier(case.tier, (*path, "tier"))
        self._signals(case, path)
        for number, expectation in enumerate(case.expect):
            self._expectation(expectation, (*path, "expect", number))
        changes = self._changes(case, path)
        self._by_hand(case, path)
        self._alerts(case, path)
        start = case.start or self._suite.start or START
        every = case.every or self._suite.every or self._policy.every
        lasts = self._lasts(case, path, start, every, own)
        if len(self.flaws) > before:
            return None
        approved = case.approved if case.approved is not None else bool(self._suite.approved)
        return Script(
            case=case,
            mark=self._root.locate((*path, "name")),
            start=start,
            tier=case.tier or self._suite.tier or self._tiers[0],
            every=every,
            approved=approved,
            lasts=lasts,
            series={name: tuple(one[name] for one in (own, common) if name in one) for name in {**common, **own}},
            expects=tuple(self._root.locate((*path, "expect", number)) for number in range(len(case.expect))),
            changes=changes,
            lists={key: self._root.locate((*path, key), at_key=True) for key in ("changes", "alerts")},
        )

    def _series(self, written: Mapping[str, str], path: Path) -> dict[str, Series]:
        """By one name a metric; what is wrong is told and left out."""
        series: dict[str, Series] = {}
        for name, text in written.items():
            place: Path = (*path, name)
            try:
                one_name, dimension = self._subject(name)
            except ValueError as error:
                self._tell(place, str(error), "unknown_series", at_key=True)
                continue
            if one_name in series:
                self._tell(place, f"'{one_name}' stands here twice, by two names", "duplicate_key", at_key=True)
                continue
            try:
                series[one_name] = parse_series(text, dimension)
            except ValueError as error:
                self._tell(place, str(error), "wrong_series")
        if REQUESTS in series and "request_rate" in series:
            self._tell((*path, REQUESTS), "'requests' and 'request_rate' say the same: keep one", "wrong_series")
        return series

    def _subject(self, name: str) -> tuple[str, Dimension | None]:
        """The one name and the dimension of a series. Raises ValueError for what can't be one."""
        if name in {REQUESTS, POLLS}:
            return name, Dimension.COUNT if name == REQUESTS else None
        if name.startswith(DEPENDENCY) and name != DEPENDENCY:
            return name, Dimension.SHARE
        known = self._policy.vocabulary.by_name
        metric = known.get(name)
        if metric is None:
            possible = [REQUESTS, POLLS, *(name for name, metric in known.items() if metric.kind is not Kind.COUNTED)]
            raise ValueError(f"unknown series '{name[:60]}': {_nearest(name, possible)}")
        if metric.name in _BY_ITSELF:
            raise ValueError(f"{name} is seen by the polls themselves: {_BY_ITSELF[metric.name]}")
        if metric.kind is Kind.COUNTED:
            raise ValueError(f"{name} is counted: write its times under 'signals:', such as '{name}: [10m, 2h]'")
        return metric.name, metric.dimension

    def _signals(self, case: Case, path: Path) -> None:
        known = self._policy.vocabulary.by_name
        counted = [name for name, metric in known.items() if metric.kind is Kind.COUNTED and name not in _BY_ITSELF]
        for name in case.signals:
            if name in _BY_ITSELF:
                self._tell((*path, "signals", name), f"{name}: {_BY_ITSELF[name]}", "unknown_signal", at_key=True)
            elif name not in counted:
                message = f"unknown signal '{name[:60]}': {_nearest(name, counted)}"
                self._tell((*path, "signals", name), message, "unknown_signal", at_key=True)

    def _tier(self, name: str | None, path: Path) -> None:
        if name is not None and name not in self._tiers:
            self._tell(path, f"the policy has no tier '{name[:60]}': {_nearest(name, self._tiers)}", "unknown_tier")

    def _expectation(self, expectation: Expectation, path: Path) -> None:
        self._tier(expectation.tier, (*path, "tier"))
        if expectation.verdict is not None:
            self._tier(expectation.verdict.target, (*path, "verdict"))
        schedules = {f"schedule {schedule.during.text}" for schedule in self._policy.schedules}
        for number, text in enumerate(expectation.because):
            known = self._conditions | schedules
            if " ".join(text.split()) not in known:
                message = f"the policy has no condition '{text[:100]}': {_nearest(text, sorted(known))}"
                place: Path = (*path, "because", number)
                self._tell(place, message, "unknown_condition")

    def _changes(self, case: Case, path: Path) -> tuple[Wanted, ...]:
        changes: list[Wanted] = []
        for number, event in enumerate(case.changes or ()):
            place: Path = (*path, "changes", number)
            try:
                wanted = parse_wanted(event.what)
            except ValueError as error:
                self._tell(place, str(error), "wrong_value")
                continue
            if wanted.target is None:
                self._tell(
                    place, f"'{event.text}' names no rung: write such as 'up to {self._tiers[-1]} by 2h'", "wrong_value"
                )
            self._tier(wanted.target, place)
            changes.append(wanted)
        return tuple(changes)

    def _by_hand(self, case: Case, path: Path) -> None:
        for number, event in enumerate(case.by_hand):
            place: Path = (*path, "by_hand", number)
            if event.first is None or event.first is not event.last:
                self._tell(
                    place, f"'{event.text}' does not say when: write such as '{event.what} at 2h'", "wrong_value"
                )
            if event.what not in self._tiers and find_plan(event.what) is None:
                message = f"'{event.what[:60]}' is neither a tier nor a plan: {_nearest(event.what, self._tiers)}"
                self._tell(place, message, "unknown_tier")

    def _alerts(self, case: Case, path: Path) -> None:
        known = [alert.name for alert in self._policy.alerts]
        for number, event in enumerate(case.alerts or ()):
            if event.what not in known:
                message = f"the policy has no alert '{event.what[:60]}': {_nearest(event.what, known)}"
                self._tell((*path, "alerts", number), message, "unknown_alert")

    def _lasts(self, case: Case, path: Path, start: Start, every: int, own: Mapping[str, Series]) -> int:
        """How long the test is: as it says, or up to the last time it names and the end of the longest of its own series."""
        named = [moment.at(start) - start.at for moment in _moments(case)]
        named += [at - start.at for times in _all_times(case) for at in times.at(start)]
        if named and min(named) < 0:
            self._tell((*path, "name"), f"a time of this test lies before its start, {start.text}", "wrong_value")
        ends = [(series.length(every) - 1) * every for series in own.values()]
        lasts = case.lasts or max((*named, *ends), default=0)
        if lasts <= 0:
            self._tell((*path, "name"), "nothing says how long this test lasts: write such as 'lasts: 2h'", "no_length")
        if lasts > LONGEST or lasts // every > MOST_POLLS:
            message = f"this test has {lasts // every} polls: write a longer 'every:', such as 'every: 5m'"
            self._tell((*path, "name"), message, "too_long")
        if named and case.lasts and max(named) > lasts:
            late = (max(named) - lasts) // SECOND
            self._tell((*path, "lasts"), f"a time of this test lies {late}s after its end", "wrong_value")
        return lasts

    def _tell(self, path: Path, message: str, code: str, *, at_key: bool = False) -> None:
        self.flaws.append(Flaw(self._root.locate(path, at_key=at_key), message, code))


def _moments(case: Case) -> Iterator[Moment]:
    """Every single time that a test names."""
    for expectation in case.expect:
        between = expectation.between
        times = (expectation.at, expectation.by, between.first if between else None, between.last if between else None)
        yield from (time for time in times if time is not None)
    events: Iterable[Happens] = (*(case.changes or ()), *(case.alerts or ()), *case.by_hand)
    yield from (time for event in events for time in (event.first, event.last) if time is not None)
    yield from (time for mask in case.masks for time in (mask.first, mask.last))


def _all_times(case: Case) -> Iterator[Times]:
    yield from (times for signal in case.signals.values() for times in signal)
    yield from (*case.deploys, *case.restarts)


def _nearest(word: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(word[:200], names, n=1, cutoff=0.5)
    if near:
        return f"did you mean '{near[0]}'?"
    return f"use {', '.join(names)}" if names else "it has none"
