"""What `metric set` and `signal` share: whom it is about, and how it gets to the worker."""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from autoscaler.adapters.clock import SystemClock
from autoscaler.bootstrap import opened_store
from autoscaler.cli.known import Known, choose, known_services, policies_at_hand
from autoscaler.core.metrics import BUILT_IN, Kind, Metric, Vocabulary
from autoscaler.core.observations import Told
from autoscaler.core.sources import SEEN_BY_THE_BOT
from autoscaler.errors import StoreError, UsageError
from autoscaler.ports import Event, EventKind, PassRecord, Store
from autoscaler.report import messages
from autoscaler.settings import load_settings

ServiceOption = Annotated[
    str | None,
    typer.Option("--service", "-s", help="Which service, by name, id or policy file; needed when there are several."),
]
WhoOption = Annotated[str | None, typer.Option("--who", help="Who says so. Each person counts once within the time.")]
NoteOption = Annotated[str, typer.Option("--note", help="A few words for later.")]

LONGEST_WHO, LONGEST_NOTE = 100, 500


@dataclass(frozen=True, slots=True)
class Receiver:
    """The service that is spoken of, and what its policy lets be said."""

    service_id: str
    service: str
    vocabulary: Vocabulary
    channel: str | None = None
    """Where its policy has people told."""


async def receiver(word: str | None, policies: Path) -> Receiver:
    """The service of that name, or the only one. Raises UsageError and StoreError."""
    async with opened_store(load_settings(), read_only=True) as store:
        known = known_services(await store.last_verdicts(), policies_at_hand(policies))
    chosen = choose(known, word) if word is not None else _only(known)
    vocabulary = chosen.file.policy.vocabulary if chosen.file else BUILT_IN
    channel = chosen.file.policy.notify.slack if chosen.file else None
    if chosen.verdict is not None:
        return Receiver(chosen.verdict.service_id, chosen.verdict.service, vocabulary, channel)
    if chosen.file is not None and (service_id := chosen.file.policy.service.id) is not None:
        return Receiver(service_id, chosen.name, vocabulary, channel)
    raise StoreError(f"{chosen.name}: no worker has looked at it yet, so its id is not known. Start `autoscaler run`.")


ALL = "all"


@asynccontextmanager
async def receivers(word: str, policies: Path) -> AsyncIterator[tuple[Store, tuple[Receiver, ...], int]]:
    """The worker's database, the service of that name (or every one for `all`), and the time. Raises UsageError and StoreError."""
    async with opened_store(load_settings(), read_only=True) as store:
        known = known_services(await store.last_verdicts(), policies_at_hand(policies))
    chosen = known if word == ALL and known else (choose(known, word),)
    found = tuple([await receiver(one.name, policies) for one in chosen])
    async with opened_store(load_settings()) as store:
        yield store, found, SystemClock().now()


async def told_to_the_team(store: Store, to: Receiver, key: str, title: str, lines: Sequence[str], now: int) -> None:
    """One notice in the service's channel."""
    message = messages.notice(title, *lines)
    event = Event(f"{to.service_id}:{key}", now, EventKind.NOTICE, to.service_id, message, to.channel)
    await store.record(PassRecord(to.service_id, (), events=(event,)))


def _only(known: tuple[Known, ...]) -> Known:
    if len(known) == 1:
        return known[0]
    if not known:
        raise UsageError("No service is looked after yet: write a policy, then start `autoscaler run`.")
    names = ", ".join(one.name for one in known)
    raise UsageError(f"Of which service? There are {names}: say --service NAME.")


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


async def tell(to: Receiver, told: Told) -> Told:
    """Write it down for the worker. Raises StoreError and UsageError."""
    for value, longest, option in ((told.who or "", LONGEST_WHO, "--who"), (told.note, LONGEST_NOTE, "--note")):
        if len(value) > longest:
            raise UsageError(f"{option} has {len(value)} characters: {longest} at most are kept.")
    dated = replace(told, at=SystemClock().now(), id=f"told-{uuid.uuid4().hex}")
    async with opened_store(load_settings()) as store:
        await store.record(PassRecord(to.service_id, (dated,)))
    return dated


def document(to: Receiver, told: Told) -> dict[str, object]:
    """The same for machines; `value` in the metric's base unit."""
    return {
        "id": told.id,
        "at": told.at,
        "service_id": to.service_id,
        "service": to.service,
        "name": told.name,
        "value": told.value,
        "who": told.who,
        "note": told.note,
    }
