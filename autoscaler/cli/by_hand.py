"""What `scale`, `undo` and `repair` share: whom it is about, the plan of the change, a yes or no, and its row for the worker."""

import getpass
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from autoscaler.bootstrap import Changing, changing
from autoscaler.cli.options import policies_at_hand
from autoscaler.cli.output import out, print_json
from autoscaler.core.change import Change
from autoscaler.core.durations import MINUTE
from autoscaler.core.policy import Tier
from autoscaler.engine.by_hand import Sight, around, begin, change_to, look
from autoscaler.engine.room.known import choose, known_services
from autoscaler.errors import OutsideError, UsageError
from autoscaler.policyfile import PolicyFile
from autoscaler.ports import Store
from autoscaler.report.plan import Line, afterwards, lines
from autoscaler.settings import load_settings

ServiceName = Annotated[str, typer.Argument(help="Which service, by name, id or policy file.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only show what it would do.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
WhoOption = Annotated[str | None, typer.Option("--who", help="Who asks for it; by default who is logged in.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, in a few words, for the team and for later.")]

_STYLES = {"+": "green", "~": "yellow", "!": "bold red", " ": "dim"}
ALIVE = MINUTE


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: the tier, and why."""

    target: Tier
    reason: str


@dataclass(frozen=True, slots=True)
class Manner:
    """How it was asked."""

    who: str | None
    dry_run: bool
    yes: bool
    as_json: bool


async def change_by_hand(
    word: str, policies: Path, manner: Manner, wish: Callable[[Sight, Store], Awaitable[Wish]]
) -> None:
    """Show the plan, ask, and write the change down. Raises UsageError, RefusedError, UnavailableError and StoreError."""
    if not (manner.yes or manner.dry_run or (sys.stdin.isatty() and not manner.as_json)):
        raise UsageError("Nobody is there to say yes: add --yes, or --dry-run to only see the plan.")
    async with changing(load_settings()) as parts:
        now = parts.clock.now()
        file = await _policy_of(word, policies, parts)
        sight = await look(file, parts.render, parts.store, now)
        wanted = await wish(sight, parts.store)
        change = change_to(sight, wanted.target, whoever(manner.who), wanted.reason, now)
        shown = lines(change, around(sight, change))
        if not manner.as_json:
            _print(change, shown, sight.managed.policy.guards.respect)
        if not (manner.dry_run or manner.yes or typer.confirm("Do it?", default=False)):
            out.print("Nothing was changed.")
            return
        if not manner.dry_run:
            await begin(change, sight, parts.store)
        if manner.as_json:
            print_json(_document(change, shown, begun=not manner.dry_run))
        elif not manner.dry_run:
            await _tell(change, parts.store, now)


def whoever(named: str | None) -> str:
    """Who asks: as named, or as logged in; a container's user may have no name."""
    if named is not None and named.strip():
        return named.strip()
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


async def _policy_of(word: str, policies: Path, parts: Changing) -> PolicyFile:
    """By every word that the service is known by here, or else by its name on Render. Raises UsageError."""
    files = policies_at_hand(policies)
    known = known_services(await parts.store.last_verdicts(), files)
    if not any(word in one.words for one in known):
        with suppress(OutsideError):
            seen = await parts.render.find_service(id=None, name=word)
            word = next((file.path for file in files if file.policy.service.id == seen.id), word)
    chosen = choose(known, word)
    if chosen.file is None:
        raise UsageError(
            f"No policy for {chosen.name} is in {policies}: it says which tiers there are. Name its folder with --policies."
        )
    return chosen.file


def _print(change: Change, shown: tuple[Line, ...], respect: int) -> None:
    out.print()
    out.print(Text(f"{change.service}  {change.origin.tier} → {change.target.tier}", style="bold"))
    out.print()
    wide = max(len(line.what) for line in shown)
    for line in shown:
        out.print(Text(f"  {line.sign} {line.what:<{wide}}  {line.text}", style=_STYLES[line.sign]), soft_wrap=True)
    out.print()
    out.print(afterwards(change, respect), markup=False)


async def _tell(change: Change, store: Store, now: int) -> None:
    acting = [beat for beat in await store.heartbeats() if now - beat.at < ALIVE and not beat.dry_run]
    if acting:
        out.print(
            f"Written down as {change.id}: the worker begins within seconds. `autoscaler history` shows how it goes.",
            markup=False,
        )
    else:
        out.print(
            f"Written down as {change.id}, but no worker is alive that may act: it begins when `autoscaler run` does.",
            markup=False,
        )


def _document(change: Change, shown: tuple[Line, ...], *, begun: bool) -> dict[str, object]:
    return {
        "id": change.id if begun else None,
        "service_id": change.service_id,
        "service": change.service,
        "from": change.origin.tier,
        "to": change.target.tier,
        "requested_by": change.requested_by,
        "reason": change.reason,
        "plan": [{"sign": line.sign.strip(), "what": line.what, "text": line.text} for line in shown],
    }
