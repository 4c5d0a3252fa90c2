"""What people said when they were asked, and what follows from it, in words."""

from collections.abc import Sequence

from autoscaler.core.change import Change, State
from autoscaler.core.consent import Answer, expires_at
from autoscaler.report.units import format_time, monthly, monthly_step


def spoken(answers: Sequence[Answer]) -> str:
    """`ada said yes at 14:03 UTC, grace said no at 14:05 UTC`."""
    now = max((one.at for one in answers), default=0)
    return ", ".join(f"{one.called} said {'yes' if one.yes else 'no'} at {format_time(one.at, now)}" for one in answers)


def said(change: Change, answers: Sequence[Answer]) -> str:
    """How it stands with a change about which people were asked: `ada said yes at 14:03 UTC; it is under way`."""
    stands = change.outcome or ("it is under way" if change.state.is_open else f"it is {change.state}")
    return f"{spoken(answers)}; {stands}." if answers else f"{stands}."


def waits(change: Change, now: int, how: str) -> str:
    """That it waits for somebody's word, and `how` to give it; or that it rests until it is asked again."""
    asked = change.question
    until = expires_at(asked) if asked is not None else None
    left = f", until {format_time(until, now)}" if until else ""
    cost = monthly_step(change.origin.monthly, change.target.monthly)
    step = f"{change.service}: {change.origin.tier} → {change.target.tier} ({cost})"
    if asked is not None and asked.snoozed_until is not None and now < asked.snoozed_until:
        return f"Snoozed, asked again {format_time(asked.snoozed_until, now)}: {step}."
    return f"Waits for a yes{left}: {step}. {how}"


def then(change: Change, answers: Sequence[Answer]) -> str:
    """What happens next."""
    service, target = change.service, change.target
    if any(not one.yes for one in answers):
        return f"{service} stays on {change.origin.tier}; I do not ask about {target.tier} for a week."
    missing = (change.question.needed if change.question else 1) - len(answers)
    if missing > 0 and change.state is State.PROPOSED:
        return f"Somebody else has to say yes too: {target.tier} costs {monthly(target.monthly)}."
    cost = monthly_step(change.origin.monthly, target.monthly)
    return f"{service} goes from {change.origin.tier} to {target.tier} ({cost}) at its next poll, if it still needs it then."
