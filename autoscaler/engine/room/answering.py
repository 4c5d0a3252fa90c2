"""One person's answer about a change that waits for it: written down for the worker, which judges it by the facts of its next poll."""

from collections.abc import Sequence
from dataclasses import dataclass

from autoscaler.core.change import Change, State
from autoscaler.core.consent import Answer, Snooze, expires_at, is_about
from autoscaler.engine.asking import as_people_have_it
from autoscaler.engine.events import event
from autoscaler.errors import OverError, RefusedError, UsageError
from autoscaler.ports import Event, EventKind, Store
from autoscaler.report.answers import said, spoken
from autoscaler.report.heads import head
from autoscaler.report.units import format_time

MOST_NAMED, MOST_WAITING = 20, 10_000
"""One a service: all that wait are looked through, whatever their number."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of an answer."""

    change: Change
    answers: tuple[Answer, ...]
    """All that were given, in order."""

    @property
    def is_over(self) -> bool:
        """Whether nobody else needs to answer."""
        return _is_answered(self.change, self.answers, yes=True)


def _step(change: Change) -> str:
    return f"{change.service} {change.origin.tier} → {change.target.tier}"


async def asked(word: str, store: Store) -> Change:
    """The change of that id, or the one of that service that waits. Raises UsageError, RefusedError and StoreError."""
    named = await store.change(word)
    if named is not None and named.state is not State.PROPOSED:
        raise OverError(f"{_step(named)} waits for nobody: {said(named, await store.answers(named.id))}")
    if named is not None:
        return named
    waiting = await store.changes(states=(State.PROPOSED,), limit=MOST_WAITING)
    found = next((one for one in waiting if word in {one.service, one.service_id}), None)
    if found is not None:
        return found
    names = ", ".join(f"{one.id} ({_step(one)})" for one in waiting[:MOST_NAMED])
    others = (
        f"What does: {names}." if names else "Nothing does at present; `autoscaler history` shows what was answered."
    )
    raise UsageError(f"'{word}' waits for no answer. {others}")


async def answer(change: Change, word: Answer, store: Store) -> Answered:
    """Keep it, if it still counts by what the worker saw last. Raises RefusedError, which says why not, and StoreError."""
    before = await store.answers(change.id)
    if mine := next((one for one in before if one.who == word.who), None):
        raise RefusedError(f"{mine.called} said {'yes' if mine.yes else 'no'} already: each answer counts once.")
    if _is_answered(change, before, yes=word.yes):
        raise OverError(f"{spoken(before)}, and the worker acts on that at the service's next poll.")
    await _still_wanted(change, store, word.at)
    rests = await store.snoozed(change.id)
    if rests is not None and rests.until <= word.at:
        rests = None

    def tell(stands: Change, answers: Sequence[Answer]) -> tuple[Event, ...]:
        first = head(stands, answers, rests)
        return (event(stands, f"answer:{word.who}", EventKind.HEAD, first, None, word.at, head=first),)

    stands, answers = await store.answer(word, tell)
    if stands is None or stands.state is not State.PROPOSED:
        raise OverError(f"{_step(change)} waits for nobody any more: {said(stands or change, answers)}")
    return Answered(stands, tuple(answers))


def _is_answered(change: Change, answers: Sequence[Answer], *, yes: bool) -> bool:
    """Whether one more answer makes no difference. A No does as long as nothing has begun."""
    needed = change.question.needed if change.question else 1
    return any(not one.yes for one in answers) or (yes and len(answers) >= needed)


async def snooze(change: Change, word: Snooze, store: Store) -> None:
    """Let it rest. Raises RefusedError, which says why not, and StoreError."""
    await _still_wanted(change, store, word.at)

    def tell(stands: Change, answers: Sequence[Answer]) -> tuple[Event, ...]:
        first = head(stands, answers, word)
        return (event(stands, f"snooze:{word.until}", EventKind.HEAD, first, None, word.at, head=first),)

    stands = await store.snooze(word, tell)
    if stands is None or stands.state is not State.PROPOSED:
        raise OverError(f"{_step(change)} waits for nobody any more: {said(stands or change, ())}")


async def restate(change_id: str, store: Store, now: int) -> None:
    """Let the thread's first message say once more how it stands, if it asks nobody any more. Raises StoreError."""

    def tell(stands: Change, answers: Sequence[Answer]) -> tuple[Event, ...]:
        first = head(stands, answers)
        if first.buttons:
            return ()
        return (event(stands, f"again:{now}", EventKind.HEAD, first, None, now, head=first),)

    await store.tell_of(change_id, tell)


async def _still_wanted(change: Change, store: Store, now: int) -> None:
    """By what the worker saw last."""
    asked = (await as_people_have_it(change, store)).question
    until = expires_at(asked) if asked else None
    if until is not None and now >= until:
        raise OverError(f"{_step(change)} has expired at {format_time(until, now)}: nobody had answered by then.")
    last = next((one for one in await store.last_verdicts() if one.service_id == change.service_id), None)
    if last is not None and not is_about(change, last, change.policy_digest):
        raise OverError(
            f"{change.service} does not need it any more (now: {last.why.value.replace('_', ' ')}). Nothing to do: the question is withdrawn."
        )
