"""`autoscaler pause SERVICE`: hands off, for a while or until it is resumed."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli.by_hand import ServiceName, WhoOption, whoever
from autoscaler.cli.options import POLICIES, JsonOption, PoliciesOption
from autoscaler.cli.output import out, print_json
from autoscaler.cli.telling import receivers
from autoscaler.core.durations import parse_duration
from autoscaler.core.facts import Pause
from autoscaler.engine.room import telling
from autoscaler.engine.room.telling import LONGEST_NOTE, LONGEST_WHO, not_too_long
from autoscaler.errors import UsageError
from autoscaler.report import pauses as words


def pause(
    service: ServiceName,
    how_long: Annotated[str | None, typer.Option("--for", help="Such as 2h; without it, until it is resumed.")] = None,
    note: Annotated[str, typer.Option("--note", help="Why, in a few words.")] = "",
    who: WhoOption = None,
    policies: PoliciesOption = POLICIES,
    *,
    down_only: Annotated[bool, typer.Option("--down-only", help="It may still go up.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Begin nothing on a service (or on `all`), not even in an emergency. What has begun already is finished."""
    try:
        span = parse_duration(how_long) if how_long else None
    except ValueError as error:
        raise UsageError(f"--for: {error}") from None
    by = whoever(who)
    not_too_long(("--who", by, LONGEST_WHO), ("--note", note, LONGEST_NOTE))
    pauses = asyncio.run(_pause(service, policies, span, by, note, down_only=down_only))
    if as_json:
        print_json([words.document(name, one) for name, one in pauses])
        return
    for name, one in pauses:
        out.print(f"{name}: {words.what(one)}{telling.how_long(one)}. What has begun is finished.", markup=False)


async def _pause(
    service: str, policies: Path, span: int | None, by: str, note: str, *, down_only: bool
) -> list[tuple[str, Pause]]:
    pauses = []
    async with receivers(service, policies) as (store, found, now):
        for one in found:
            made = Pause(one.service_id, now, now + span if span else None, down_only, by, note)
            await telling.pause(one, made, store)
            pauses.append((one.service, made))
    return pauses
