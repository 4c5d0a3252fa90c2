"""An explanation as a message: every rule and every guard, for whoever presses `Why?` on a phone."""

from collections.abc import Iterator

from autoscaler.core.evaluate import Ask, Role
from autoscaler.report.explain import Explanation, Rule, Way
from autoscaler.report.messages import Message, Tone
from autoscaler.report.sentences import WORDS, blocker_sentence, verdict_sentence
from autoscaler.report.text import one_line
from autoscaler.report.units import format_time, monthly, monthly_step

_TITLES = {Role.EMERGENCY: "Emergency", Role.UP: "Up", Role.DOWN: "Down"}


def explanation_message(explanation: Explanation) -> Message:
    """All of it, the verdict first."""
    verdict = explanation.verdict
    place = " on ".join(filter(None, (verdict.tier or "no tier of its policy", explanation.plan)))
    return Message(
        title=f"{verdict.service}, {place}: why",
        tone=Tone.NOTICE,
        lines=(
            *((f"No reading: {verdict.blind}",) if verdict.blind else ()),
            verdict_sentence(verdict),
            *(f"• {blocker_sentence(blocker, verdict.at)}" for blocker in verdict.blockers),
            *((verdict.leak,) if verdict.leak else ()),
            *(line for way in explanation.ways for line in _way(way, explanation)),
        ),
        fields=_fields(explanation),
    )


def short_status(explanation: Explanation) -> str:
    """One service in one line: what runs, what it costs, what is decided, and when something could change."""
    verdict = explanation.verdict
    place = " on ".join(filter(None, (verdict.tier or "no tier of its policy", explanation.plan)))
    cost = f", {monthly(verdict.monthly_now)}" if verdict.monthly_now is not None else ""
    return f"{verdict.service}: {place}{cost}. {verdict_sentence(verdict)}"


def _fields(explanation: Explanation) -> tuple[tuple[str, str], ...]:
    verdict = explanation.verdict
    cost: tuple[tuple[str, str], ...] = ()
    if verdict.monthly_now is not None:
        then = verdict.monthly_then
        cost = (("Cost", monthly(verdict.monthly_now) if then is None else monthly_step(verdict.monthly_now, then)),)
    at = explanation.not_before
    earliest = (("Earliest", format_time(at, verdict.at)),) if at is not None and verdict.ask is not Ask.HOLD else ()
    polled = (("Last poll", format_time(explanation.polled_at, verdict.at)),) if explanation.polled_at else ()
    return (*cost, *earliest, *polled)


def _way(way: Way, explanation: Explanation) -> Iterator[str]:
    to = f" to {one_line(way.target)}" if way.target else ""
    cost = f", {monthly(way.monthly)}" if way.monthly is not None else ""
    wanted = "" if len(way.rules) < 2 else ": all of these" if way.wants_all else ": any of these"
    yield f"{_TITLES[way.role]}{to}{cost}{wanted}"
    yield from (f"• {_rule(rule)}" for rule in way.rules)
    if not way.asked and way.blockers:
        yield "A guard would hold it: " + "; ".join(WORDS[blocker.why].short for blocker in way.blockers)
    if not way.asked and way.not_before is not None:
        yield f"Earliest: {format_time(way.not_before, explanation.verdict.at)}"


def _rule(rule: Rule) -> str:
    mark = "holds" if rule.holds else f"held {rule.held_words}" if rule.held_words != "no" else "not held"
    lacking = f" ({one_line(rule.lacking)})" if rule.lacking else ""
    return f"{one_line(rule.condition)}: now {rule.shown}, {mark}{lacking}"
