"""Why a verdict is what it is, as one value. What `explain` and `check` show, their JSON and the log line are all made from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from types import MappingProxyType

from autoscaler.core.evaluate import Ask, Progress, Role
from autoscaler.core.guards import Blocker, Verdict
from autoscaler.core.policy import Policy
from autoscaler.report.phrases import held_words, patience_phrase, value_phrase
from autoscaler.report.sentences import verdict_sentence
from autoscaler.report.text import cut, one_line
from autoscaler.report.trends import Trend
from autoscaler.report.units import format_time, monthly_step

NO_TRENDS: Mapping[str, Trend] = MappingProxyType({})
_ROLES = (Role.EMERGENCY, Role.UP, Role.DOWN)


@dataclass(frozen=True, slots=True)
class Rule:
    """One condition: what it says, what is so now, how far it is. Values in base units, shares 0 to 1, times in ms UTC."""

    condition: str
    role: Role
    metric: str
    holds: bool
    value: float | None
    shown: str
    """The value as people write it; `-` when there is none."""
    held: float
    held_words: str
    """`12m of 30m`, `1 of 3 in 24h`, `yes`."""
    covered: float
    lacking: str | None
    longer: str
    """Why its window is longer than the policy says; empty when it is not."""
    not_before: int | None
    trend: Trend | None

    @property
    def builds(self) -> bool:
        """Whether it holds, or will if all goes on as it does."""
        return self.holds or (self.held > 0 and self.not_before is not None)


@dataclass(frozen=True, slots=True)
class Way:
    """One way off this rung: its rules, what it costs, and what guards say, or would say if its rules asked now."""

    role: Role
    target: str | None
    monthly: float | None
    """USD a month on the target."""
    asked: bool
    """Whether its rules ask for it now."""
    wants_all: bool
    rules: tuple[Rule, ...]
    blockers: tuple[Blocker, ...] | None
    """The deciding one first. None: nobody knows, for there is no policy at hand."""
    not_before: int | None
    """The earliest time at which it could act, ms UTC; None when that is up to a person or to events that nobody can foresee."""
    waits_for: Rule | None
    """The condition that decides when; None once its rules ask, or could at once."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A verdict with all its reasons. Times in ms UTC, money in USD a month."""

    verdict: Verdict
    plan: str | None
    """What runs, where that is known."""
    polled_at: int | None
    """When the app was last asked, ms UTC; None: not for as long as any rule looks back."""
    ways: tuple[Way, ...]
    alerts: tuple[Rule, ...]
    kept: tuple[tuple[str, str], ...] = ()
    """The env vars of this tier that somebody gave values of their own, with these: for whoever asks, and for no log."""

    @property
    def way(self) -> Way | None:
        """The way that is asked for."""
        return next((way for way in self.ways if way.asked), None)

    @property
    def not_before(self) -> int | None:
        """The earliest time at which anything could change: of what is asked for, else of the nearest way."""
        if self.verdict.ask is not Ask.HOLD:
            return self.verdict.at if self.verdict.goes else self.verdict.not_before
        return min((way.not_before for way in self.ways if way.not_before is not None), default=None)


def explain(
    verdict: Verdict,
    *,
    policy: Policy | None = None,
    supposed: Sequence[Verdict] = (),
    trends: Mapping[str, Trend] = NO_TRENDS,
    plan: str | None = None,
    polled_at: int | None = None,
    kept: Sequence[tuple[str, str]] = (),
) -> Explanation:
    """Explain a verdict.

    `supposed`: what the verdict would be if the rules of a way asked now (`core.evaluate.suppose`); a way without one is
    explained by its rules alone. `trends`: by the condition's text.
    """
    rules = [_rule(progress, trends.get(progress.condition)) for progress in verdict.progress]
    ways = (_way(role, verdict, policy, supposed, [rule for rule in rules if rule.role is role]) for role in _ROLES)
    return Explanation(
        verdict,
        plan,
        polled_at,
        tuple(way for way in ways if way is not None),
        tuple(rule for rule in rules if rule.role is Role.ALERT),
        tuple(kept),
    )


def _rule(progress: Progress, trend: Trend | None) -> Rule:
    return Rule(
        condition=progress.condition,
        role=progress.role,
        metric=progress.metric,
        holds=progress.holds,
        value=finite(progress.value),
        shown=value_phrase(progress),
        held=_share(progress.held),
        held_words=held_words(progress),
        covered=_share(progress.covered),
        lacking=progress.lacking,
        longer=patience_phrase(progress),
        not_before=None if progress.holds else progress.not_before,
        trend=trend,
    )


def _way(
    role: Role, verdict: Verdict, policy: Policy | None, supposed: Sequence[Verdict], rules: Sequence[Rule]
) -> Way | None:
    asked = _role(verdict) is role
    source = verdict if asked else next((one for one in supposed if _role(one) is role), None)
    if not rules and not asked:
        return None
    wants_all = role is Role.DOWN or _wants_all(policy, verdict.tier, role)
    decisive = None if asked else _decisive(rules, wants_all=wants_all)
    return Way(
        role=role,
        target=source.target if source else None,
        monthly=finite(source.monthly_then) if source else None,
        asked=asked,
        wants_all=wants_all,
        rules=tuple(rules),
        blockers=source.blockers if source else None,
        not_before=_earliest(verdict.at, source, decisive, asked=asked),
        waits_for=decisive if decisive and not decisive.holds else None,
    )


def _role(verdict: Verdict) -> Role | None:
    if verdict.ask is Ask.HOLD:
        return None
    if verdict.ask is Ask.DOWN:
        return Role.DOWN
    return Role.EMERGENCY if verdict.emergency else Role.UP


def _wants_all(policy: Policy | None, tier: str | None, role: Role) -> bool:
    rung = policy.tier(tier) if policy and tier else None
    if policy is None or rung is None:
        return False
    rules = policy.emergency if role is Role.EMERGENCY else policy.up_rules(rung)
    return rules is not None and rules.all is not None


def _decisive(rules: Sequence[Rule], *, wants_all: bool) -> Rule | None:
    """The condition that a way waits for: of `all` the last one that could hold; of `any` the first, of those that build if any does."""

    def when(rule: Rule) -> tuple[bool, bool, int]:
        return not rule.holds, not rule.holds and rule.not_before is None, rule.not_before or 0

    if not rules:
        return None
    if wants_all:
        return max(rules, key=when)
    return min([rule for rule in rules if rule.builds] or rules, key=when)


def _earliest(now: int, source: Verdict | None, decisive: Rule | None, *, asked: bool) -> int | None:
    """When its rules and its guards could both let it go."""
    times: list[int | None] = [now]
    if source is not None and source.blockers:
        times.append(source.not_before)
    if not asked and decisive is not None and not decisive.holds:
        times.append(decisive.not_before)
    known = [time for time in times if time is not None]
    return max(known) if len(known) == len(times) else None


def finite(value: float | None) -> float | None:
    """None for what is no number that people or JSON could read."""
    return value if value is not None and isfinite(value) else None


def _share(value: float) -> float:
    return min(max(value, 0.0), 1.0) if isfinite(value) else 0.0


def in_short(explanation: Explanation) -> str:
    """A new verdict in one log line: what was decided and why, the earliest time, what it would cost."""
    verdict = explanation.verdict
    parts = [f"{one_line(verdict.service)}  now: {verdict_sentence(verdict)}"]
    if verdict.ask is not Ask.HOLD and not verdict.goes and verdict.not_before is not None:
        parts.append(f"earliest {format_time(verdict.not_before, verdict.at)}")
    before, after = finite(verdict.monthly_now), finite(verdict.monthly_then)
    if before is not None and after is not None:
        parts.append(monthly_step(before, after))
    return cut("; ".join(parts), 400)
