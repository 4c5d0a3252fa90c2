"""`autoscaler signal NAME`: something countable happened, such as a customer's complaint."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli.options import POLICIES, JsonOption, PoliciesOption
from autoscaler.cli.output import out, print_json
from autoscaler.cli.telling import NoteOption, ServiceOption, WhoOption, document, receiver, tell
from autoscaler.core.metrics import Kind
from autoscaler.core.observations import Told
from autoscaler.engine.room.known import Receiver
from autoscaler.engine.room.telling import metric_of


def signal(
    name: Annotated[str, typer.Argument(help="What happened: complaint, or a counter of your policy's own.")],
    service: ServiceOption = None,
    who: WhoOption = None,
    note: NoteOption = "",
    policies: PoliciesOption = POLICIES,
    *,
    as_json: JsonOption = False,
) -> None:
    """Count one more of something. Conditions such as 'complaints >= 3 within 24h' count distinct people where --who is given.

    Writes to the worker's database (DATABASE_URL); a running worker counts it with its next poll.
    """
    to, told = asyncio.run(_signal(name, service, who, note, policies))
    if as_json:
        print_json(document(to, told))
        return
    by = f" by {told.who}" if told.who else ""
    out.print(f"{to.service}: one more of {told.name}{by}.", markup=False)


async def _signal(name: str, service: str | None, who: str | None, note: str, policies: Path) -> tuple[Receiver, Told]:
    to = await receiver(service, policies)
    metric = metric_of(to, name, Kind.COUNTED, "counter")
    return to, await tell(to, Told(0, metric.name, who=(who or "").strip() or None, note=note))
