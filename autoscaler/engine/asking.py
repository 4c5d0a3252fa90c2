"""Whether people are asked about what a verdict wants, and what came of it: looked at in every pass, so by the facts of that minute.

An answer is only a row in the store, whoever writes it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from autoscaler.core.change import Change, JournalEntry, State
from autoscaler.core.consent import Answer, is_asked_again, question, settled, snoozed
from autoscaler.core.guards import Verdict
from autoscaler.engine.events import event
from autoscaler.engine.managed import Managed
from autoscaler.ports import Event, EventKind, History, Store
from autoscaler.report import change_messages
from autoscaler.report.heads import head
from autoscaler.report.messages import Message
from autoscaler.report.sentences import meaning


@dataclass(frozen=True, slots=True)
class Asked:
    """What one pass does about questions, to be committed with it."""

    proposed: Change | None = None
    """A change about which people are asked from now on."""
    moved: Change | None = None
    """One about which they had been asked."""
    journal: tuple[JournalEntry, ...] = ()
    events: tuple[Event, ...] = ()
    waits: Change | None = None
    """The one that waits for an answer after this pass."""
    counted: int | None = None
    """How many answers its end rests on: one more that comes in between is not passed over."""
    rests: bool = False
    """Whether people will be asked once it is the hour for that, and are left alone until then."""

    @property
    def agreed(self) -> Change | None:
        """The one that begins, since people said yes."""
        return self.moved if self.moved is not None and self.moved.state is State.APPROVED else None


async def ask(managed: Managed, verdict: Verdict, begin: Callable[[], Change], store: History) -> Asked:
    """`begin`: the change as it would begin now. Raises StoreError."""
    before = managed.proposal
    if before is None:
        return _new(managed, verdict, begin)
    before = await as_people_have_it(before, store)
    answers = await store.answers(before.id)
    after = settled(before, answers, verdict, managed.file.digest)
    if after is None:
        again = _again(managed, before, answers, verdict.at)
        if again:  # its first message shows who has answered: nobody may come in between unseen
            return Asked(moved=before, events=again, waits=before, counted=len(answers))
        return Asked(moved=before if before != managed.proposal else None, waits=before)
    entry, event = await _moved(managed, before, after, store, verdict.at)
    new = _new(managed, verdict, begin) if after.state is State.SUPERSEDED else Asked()
    # What the facts have ended is over whatever people say: no click holds up what begins in its place.
    counted = None if after.state is State.SUPERSEDED else len(answers)
    return Asked(new.proposed, after, (entry,), (event, *new.events), new.waits, counted)


async def withdraw(managed: Managed, store: Store, now: int) -> None:
    """No policy names the service any more: what was asked about it is over. Raises StoreError."""
    before, managed.proposal = managed.proposal, None
    if before is None:
        return
    outcome = "no policy looks after it any more"
    after = replace(before, state=State.SUPERSEDED, outcome=outcome, ended_at=now, due_at=now)
    entry, event = await _moved(managed, before, after, store, now)
    await store.save_change(after, journal=[entry], events=[event])


async def _moved(
    managed: Managed, before: Change, after: Change, store: History, now: int
) -> tuple[JournalEntry, Event]:
    number = len(await store.journal(before.id)) + 1
    entry = JournalEntry(after.id, number, now, f"{before.state} → {after.state}", after.outcome or _agreed(after), now)
    channel = managed.policy.notify.slack
    return entry, event(after, str(after.state), *_told(after), channel, now, head=head(after))


def _new(managed: Managed, verdict: Verdict, begin: Callable[[], Change]) -> Asked:
    target = managed.policy.tier(verdict.target) if verdict.target else None
    approval = managed.policy.approval
    asked = question(approval, verdict, target)
    if asked is None:
        at_any_hour = question(approval.model_copy(update={"ask": None}), verdict, target)
        return Asked(rests=at_any_hour is not None)
    lifted = (blocker for blocker in verdict.blockers if blocker.why in asked.lifts)
    asked = replace(asked, because=tuple(meaning(blocker, verdict.at) for blocker in lifted))
    change = replace(begin(), state=State.PROPOSED, question=asked)
    told, channel = change_messages.asked(change), managed.policy.notify.slack
    first = event(change, _question_key(change), EventKind.ASKED, told, channel, verdict.at)
    return Asked(proposed=change, events=(first,), waits=change)


def _again(managed: Managed, change: Change, answers: Sequence[Answer], now: int) -> tuple[Event, ...]:
    """Told until it has arrived, from when its time counts; each id is told once."""
    asked, approval = change.question, managed.policy.approval
    if asked is None or not is_asked_again(asked, approval, now, emergency=change.emergency):
        return ()
    told, first = change_messages.asked_again(change), head(change, answers)
    again = event(change, _question_key(change), EventKind.ASKED, told, managed.policy.notify.slack, now, head=first)
    return (replace(again, loud=True),)


async def as_people_have_it(change: Change, store: History) -> Change:
    """With the last snooze, and since when it was there to be read: its time runs from then. Raises StoreError."""
    change = snoozed(change, await store.snoozed(change.id))
    asked = change.question
    if asked is None or asked.asked_at is not None:
        return change
    delivered = await store.delivered_at(f"{change.id}:{_question_key(change)}")
    return replace(change, question=replace(asked, asked_at=delivered))


def _agreed(change: Change) -> str:
    who = change.question.agreed_by if change.question else ""
    return f"{who} said yes" if who else "nobody said no in time"


def _told(change: Change) -> tuple[EventKind, Message]:
    if change.state is State.APPROVED:
        told = change_messages.progress(change, f"Agreed: {_agreed(change)}. Going ahead.")
        return EventKind.CHANGE_PROGRESS, told
    return EventKind.CHANGE_ENDED, change_messages.ended(change)


def _question_key(change: Change) -> str:
    """Of the message with which people are asked, or asked again."""
    snoozed_until = change.question.snoozed_until if change.question else None
    return "asked" if snoozed_until is None else f"asked:{snoozed_until}"
