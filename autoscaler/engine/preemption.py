"""An emergency takes the place of a slower change of ours, or turns it round, in one transaction."""

from dataclasses import replace

from autoscaler.core.change import Change, JournalEntry
from autoscaler.core.guards import Verdict
from autoscaler.core.steps.emergency import in_place_of, replaced, turned_round, yields
from autoscaler.core.steps.kinds import Become
from autoscaler.core.why import Why
from autoscaler.engine.asking import Asked
from autoscaler.engine.charting import charted
from autoscaler.engine.events import begins, event
from autoscaler.engine.managed import Managed
from autoscaler.ports import AnsweredError, Clock, EventKind, History, PassRecord
from autoscaler.report import change_messages


async def take_place(
    managed: Managed,
    verdict: Verdict,
    emergency: Change | None,
    store: History,
    clock: Clock,
    agreed: Asked | None = None,
) -> Change | None:
    """What began in place of the earlier change, or None: it ended meanwhile, or was turned round. Raises StoreError.

    `emergency`: the change that would begin; None when there is no larger tier to go to. `agreed`: what people said yes to, if
    they were asked about it: then it has its row and its thread already.
    """
    async with managed.acting:  # no call of the earlier change is under way
        earlier = next((one for one in await store.changes(managed.service_id, limit=20) if one.state.is_open), None)
        target = managed.policy.tier(verdict.target) if verdict.target else None
        if earlier is None or earlier.id != verdict.preempts or not yields(earlier, managed.policy, target):
            return None  # the next poll sees what is there then
        now = clock.now()
        if emergency is not None:
            emergency = in_place_of(emergency, earlier)
            step = replaced(earlier, emergency, now)
        elif {blocker.why for blocker in verdict.blockers} == {Why.AT_TOP}:
            step = turned_round(earlier, ", ".join(reason.condition for reason in verdict.reasons), now)
        else:
            return None
        record = await _record(managed, earlier, step, emergency, store, now)
        record = replace(record, events=await charted(record.events, managed, verdict, store))
        if agreed is not None:
            told, journal = (*record.events, *agreed.events), (*record.journal, *agreed.journal)
            record = replace(record, events=told, journal=journal, counted=agreed.counted)
        try:
            async with managed.in_step(store, now):
                await store.record(record)
        except AnsweredError:  # the next poll counts that, too
            return None
        managed.taken += 1
        managed.proposal = None if agreed is not None else managed.proposal
    return emergency


async def _record(
    managed: Managed, earlier: Change, step: Become, emergency: Change | None, store: History, now: int
) -> PassRecord:
    moved = replace(step.change, due_at=now)
    number = len(await store.journal(earlier.id)) + 1
    words = f"{earlier.state} → {moved.state}" + (" (walking back)" if moved.walking_back else "")
    entry = JournalEntry(earlier.id, number, now, words, moved.outcome or moved.walking_back, now)

    if moved.state.is_final:
        kind, told = EventKind.CHANGE_ENDED, change_messages.ended(moved)
    else:
        kind, told = EventKind.CHANGE_PROGRESS, change_messages.progress(moved, step.told or "")
    channel = managed.policy.notify.slack
    events = [event(moved, f"{moved.state}{number}", kind, told, channel, now)]
    if emergency is not None and emergency.question is None:
        events.append(begins(emergency, channel))
    return PassRecord(managed.service_id, (), None, emergency, tuple(events), moved, (entry,))
