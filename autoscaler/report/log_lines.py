"""A pass in one log line, for people and for machines."""

from autoscaler.core.evaluate import Ask, Role
from autoscaler.core.guards import Verdict
from autoscaler.report.sentences import closest, seen_phrase, verdict_sentence
from autoscaler.report.text import cut, one_line


def _closeness(verdict: Verdict) -> str:
    """`up 62%`, `down 40%`, or nothing while no rule is building."""
    nearest = closest(verdict)
    if nearest is None or nearest.held <= 0:
        return ""
    direction = "down" if nearest.role is Role.DOWN else "up"
    return f"{direction} {int(nearest.held * 100)}%"


def log_line(verdict: Verdict, took_ms: float) -> str:
    """One pass in at most 200 characters: the service, where it is, what was seen, what was decided, how long it took."""
    nearest = closest(verdict)
    parts = [one_line(verdict.service), one_line(verdict.tier or "?"), _closeness(verdict)]
    seen = [nearest] if nearest else []
    seen += [one for one in verdict.progress if one is not nearest and one.role is not Role.ALERT]
    values = "; ".join(seen_phrase(one) for one in seen[:3])
    decided = verdict.why.replace("_", " ") if verdict.ask is Ask.HOLD else f"{verdict.ask}: {verdict.why}"
    tail = f"{decided}  {took_ms:.0f}ms"
    head = cut("  ".join(part for part in (*parts, values) if part), 200 - len(tail) - 2)
    return f"{head}  {tail}"


def log_fields(verdict: Verdict) -> dict[str, object]:
    """The same for machines: names and numbers in base units, JSON as it is."""
    return {
        "service": verdict.service,
        "service_id": verdict.service_id,
        "tier": verdict.tier,
        "ask": str(verdict.ask),
        "target": verdict.target,
        "why": str(verdict.why),
        "blockers": [str(blocker.why) for blocker in verdict.blockers],
        "emergency": verdict.emergency,
        "not_before": verdict.not_before,
        "sentence": verdict_sentence(verdict),
        "alerts": list(verdict.alerts),
        "conditions": [
            {
                "condition": progress.condition,
                "role": str(progress.role),
                "holds": progress.holds,
                "value": progress.value,
                "held": round(progress.held, 3),
                "covered": round(progress.covered, 3),
                "lacking": progress.lacking,
            }
            for progress in verdict.progress
        ],
    }
