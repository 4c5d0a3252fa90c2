"""What the commands that tell the worker something share: whom it is about, and how it gets to the worker."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer

from autoscaler.adapters.clock import SystemClock
from autoscaler.bootstrap import opened_store
from autoscaler.cli.options import policies_at_hand
from autoscaler.core.observations import Told
from autoscaler.engine.room import telling
from autoscaler.engine.room.known import Known, Receiver, choose, known_services, only
from autoscaler.engine.room.known import receiver as receiver_of
from autoscaler.engine.room.telling import LONGEST_NOTE, LONGEST_WHO, not_too_long
from autoscaler.ports import Store
from autoscaler.settings import load_settings

ServiceOption = Annotated[
    str | None,
    typer.Option("--service", "-s", help="Which service, by name, id or policy file; needed when there are several."),
]
WhoOption = Annotated[str | None, typer.Option("--who", help="Who says so. Each person counts once within the time.")]
NoteOption = Annotated[str, typer.Option("--note", help="A few words for later.")]

ALL = "all"


async def receiver(word: str | None, policies: Path) -> Receiver:
    """The service of that name, or the only one. Raises UsageError and StoreError."""
    known = await _known(policies)
    return receiver_of(choose(known, word) if word is not None else only(known, "--service NAME"))


@asynccontextmanager
async def receivers(word: str, policies: Path) -> AsyncIterator[tuple[Store, tuple[Receiver, ...], int]]:
    """The worker's database, the service of that name (or every one for `all`), and the time. Raises UsageError and StoreError."""
    known = await _known(policies)
    chosen = known if word == ALL and known else (choose(known, word),)
    found = tuple(receiver_of(one) for one in chosen)
    async with opened_store(load_settings()) as store:
        yield store, found, SystemClock().now()


async def _known(policies: Path) -> tuple[Known, ...]:
    async with opened_store(load_settings(), read_only=True) as store:
        return known_services(await store.last_verdicts(), policies_at_hand(policies))


async def tell(to: Receiver, told: Told) -> Told:
    """Write it down for the worker. Raises StoreError and UsageError."""
    not_too_long(("--who", told.who or "", LONGEST_WHO), ("--note", told.note, LONGEST_NOTE))
    async with opened_store(load_settings()) as store:
        return await telling.tell(to, told, store, SystemClock().now())


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
