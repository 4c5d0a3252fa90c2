"""What people tell of a service: something that they counted, a value that they know, that hands are off."""

import uuid
from collections.abc import Sequence
from dataclasses import replace

from autoscaler.core.durations import format_duration
from autoscaler.core.facts import Pause
from autoscaler.core.metrics import Kind, Metric
from autoscaler.core.observations import Told
from autoscaler.core.sources import SEEN_BY_THE_BOT
from autoscaler.engine.room.known import Receiver
from autoscaler.errors import UsageError
from autoscaler.ports import Event, EventKind, PassRecord, Store
from autoscaler.report import messages, pauses

LONGEST_WHO, LONGEST_NOTE = 100, 500


def metric_of(to: Receiver, name: str, kind: Kind, example: str) -> Metric:
    """The metric of that name, if it is one that people tell. Raises UsageError with those that are."""
    known = to.vocabulary.by_name
    takes = sorted({one.name for one in known.values() if one.kind is kind} - SEEN_BY_THE_BOT)
    if name in known and known[name].name in takes:
        return known[name]
    if name in known:
        raise UsageError(f"{known[name].name} is not told by people. {to.service} takes {', '.join(takes)}.")
    raise UsageError(
        f"'{name[:60]}' is not known. {to.service} takes {', '.join(takes)}; to add one, write "
        f"'metrics: {{{name[:60]}: {{kind: {example}}}}}' in its policy."
    )


async def tell(to: Receiver, told: Told, store: Store, now: int) -> Told:
    """Write it down for the worker. Raises StoreError and UsageError."""
    not_too_long(("who", told.who or "", LONGEST_WHO), ("note", told.note, LONGEST_NOTE))
    dated = replace(told, at=now, id=f"told-{uuid.uuid4().hex}")
    await store.record(PassRecord(to.service_id, (dated,)))
    return dated


def not_too_long(*given: tuple[str, str, int]) -> None:
    """Raises UsageError for the first that is. Each is a name, the text, and how long that may be."""
    for name, value, longest in given:
        if len(value) > longest:
            raise UsageError(f"{name} has {len(value)} characters: {longest} at most are kept.")


async def pause(to: Receiver, made: Pause, store: Store) -> None:
    """Nothing begins on it any more, and the team hears of it. Raises StoreError."""
    lines = (f"By {made.who}{how_long(made)}.", *((made.note,) if made.note else ()))
    await store.pause(made, _told(to, f"pause:{made.at}", f"{to.service}: {pauses.what(made)}", lines, made.at))


async def resume(to: Receiver, who: str, store: Store, now: int) -> Pause | None:
    """The pause that was in force, or None. Raises StoreError."""
    was = await store.paused(to.service_id)
    if was is None:
        return None
    note = f": {was.note}" if was.note else ""
    lines = (f"By {who}, who had paused it{note}." if who == was.who else f"By {who}. {was.who} had paused it{note}.",)
    await store.resume(to.service_id, _told(to, f"resume:{now}", f"{to.service}: goes on", lines, now))
    return was


def how_long(made: Pause) -> str:
    """` for 2h`, or until when."""
    return f" for {format_duration(made.until - made.at)}" if made.until is not None else ", until somebody resumes it"


def _told(to: Receiver, key: str, title: str, lines: Sequence[str], now: int) -> Event:
    """One notice in the service's channel."""
    message = messages.notice(title, *lines)
    return Event(f"{to.service_id}:{key}", now, EventKind.NOTICE, to.service_id, message, to.channel)
