"""The first message of a change's thread as it stands at any moment: who reads only that knows how it ended."""

from collections.abc import Sequence
from dataclasses import replace

from autoscaler.core.change import Change, State
from autoscaler.core.consent import Answer, Snooze
from autoscaler.report import change_messages
from autoscaler.report.answers import spoken
from autoscaler.report.messages import Message
from autoscaler.report.units import format_time, monthly_step


def head(change: Change, answers: Sequence[Answer] = (), snooze: Snooze | None = None) -> Message:
    """Asked, under way, or over. Buttons are there as long as they do something.

    `snooze`: one that is not over yet.
    """
    if change.state is State.PROPOSED:
        return _asked(change, answers, snooze)
    if change.state is State.WATCHING or change.state.is_final:
        return _over(change)
    begun = change_messages.started(change)
    return replace(begun, lines=(*begun.lines, *_agreed(change)))


def _asked(change: Change, answers: Sequence[Answer], snooze: Snooze | None) -> Message:
    missing = change.question.needed - len(answers) if change.question else 0
    waits = snooze is None and missing > 0 and all(answer.yes for answer in answers)
    asked = change_messages.asked(change, rests=not waits)
    if waits:
        more = (f"{spoken(answers)}; somebody else has to say yes too.",) if answers else ()
        return replace(asked, lines=(*asked.lines, *more))
    said = (f"{spoken(answers)}.",) if answers else ()
    later: tuple[str, ...] = ()
    if snooze is not None:
        later = (f"Snoozed by {snooze.name or snooze.who} until {format_time(snooze.until, snooze.at)}.",)
    return replace(asked, lines=(*asked.lines, *said, *later), context=f"change {change.id}", buttons=())


def _over(change: Change) -> Message:
    ended = change_messages.ended(change)
    steps = (
        ("From", f"{change.origin.tier} → {change.target.tier}"),
        ("Cost", monthly_step(change.origin.monthly, change.target.monthly)),
    )
    fields = ended.fields or steps
    return replace(ended, lines=(change.reason, *_agreed(change), *ended.lines), fields=fields)


def _agreed(change: Change) -> tuple[str, ...]:
    asked = change.question
    if asked is None or asked.agreed_at is None:
        return ()
    return (f"Agreed by {asked.agreed_by}." if asked.agreed_by else "Nobody said no in time, so it went ahead.",)
