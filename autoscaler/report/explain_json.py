"""An explanation for machines: what `--json` prints, and what the log holds of a new verdict."""

from collections.abc import Iterator
from datetime import UTC, datetime

from autoscaler.core.guards import Blocker
from autoscaler.report.explain import Explanation, Rule, Way, finite
from autoscaler.report.sentences import WORDS, verdict_sentence


def document(explanation: Explanation) -> dict[str, object]:
    """All of it: plain JSON values, never NaN. Times in ms UTC, `…_utc` in ISO 8601, values in base units."""
    verdict = explanation.verdict
    return {
        "at": verdict.at,
        "service": verdict.service,
        "service_id": verdict.service_id,
        "tier": verdict.tier,
        "plan": explanation.plan,
        "ask": str(verdict.ask),
        "target": verdict.target,
        "emergency": verdict.emergency,
        "why": str(verdict.why),
        "sentence": verdict_sentence(verdict),
        "since": verdict.since,
        "not_before": explanation.not_before,
        "not_before_utc": _iso(explanation.not_before),
        "monthly_now": finite(verdict.monthly_now),
        "monthly_then": finite(verdict.monthly_then),
        "blind": verdict.blind,
        "leak": verdict.leak,
        "polled_at": explanation.polled_at,
        "blockers": [_blocker(blocker) for blocker in verdict.blockers],
        "alerts": list(verdict.alerts),
        "kept": [name for name, _ in explanation.kept],
        "conditions": [_condition(rule) for rule in _all_rules(explanation)],
        "ways": [_way_document(way) for way in explanation.ways],
    }


def _all_rules(explanation: Explanation) -> Iterator[Rule]:
    for way in explanation.ways:
        yield from way.rules
    yield from explanation.alerts


def _blocker(blocker: Blocker) -> dict[str, object]:
    words = WORDS[blocker.why]
    return {
        "why": str(blocker.why),
        "until": blocker.until,
        "until_utc": _iso(blocker.until),
        "detail": blocker.detail,
        "meaning": words.meaning,
        "action": words.action,
    }


def _condition(rule: Rule) -> dict[str, object]:
    trend = rule.trend and {"span_ms": rule.trend.span, "values": list(rule.trend.values)}
    return {
        "condition": rule.condition,
        "role": str(rule.role),
        "metric": rule.metric,
        "holds": rule.holds,
        "value": rule.value,
        "held": round(rule.held, 3),
        "covered": round(rule.covered, 3),
        "lacking": rule.lacking,
        "longer": rule.longer,
        "not_before": rule.not_before,
        "trend": trend,
    }


def _way_document(way: Way) -> dict[str, object]:
    return {
        "role": str(way.role),
        "target": way.target,
        "monthly": way.monthly,
        "asked": way.asked,
        "wants": "all" if way.wants_all else "any",
        "blockers": None if way.blockers is None else [_blocker(blocker) for blocker in way.blockers],
        "not_before": way.not_before,
        "not_before_utc": _iso(way.not_before),
        "waits_for": way.waits_for and way.waits_for.condition,
    }


def _iso(at: int | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="seconds")
