"""`autoscaler metric set NAME VALUE`: a business value from outside, such as this month's revenue."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli.options import POLICIES, JsonOption, PoliciesOption
from autoscaler.cli.output import out, print_json
from autoscaler.cli.telling import NoteOption, ServiceOption, document, receiver, tell
from autoscaler.core.conditions import parse_value
from autoscaler.core.metrics import Kind, Metric
from autoscaler.core.observations import Told
from autoscaler.core.values import format_value
from autoscaler.engine.room.known import Receiver
from autoscaler.engine.room.telling import metric_of
from autoscaler.errors import UsageError

app = typer.Typer(no_args_is_help=True, help="Tell a value that neither the app nor Render knows.")


@app.command("set")
def set_(
    name: Annotated[str, typer.Argument(help="Such as monthly_revenue or daily_active_users.")],
    value: Annotated[str, typer.Argument(help="A number, with its unit if it has one.")],
    service: ServiceOption = None,
    note: NoteOption = "",
    policies: PoliciesOption = POLICIES,
    *,
    as_json: JsonOption = False,
) -> None:
    """Set a business value: it holds until the next one, and moves nothing once it is older than 48 hours.

    Writes to the worker's database (DATABASE_URL); a running worker counts it with its next poll.
    """
    to, metric, told = asyncio.run(_set(name, value, service, note, policies))
    if as_json:
        print_json(document(to, told))
        return
    out.print(f"{to.service}: {metric.name} is {format_value(metric, told.value)} from now on.", markup=False)


async def _set(name: str, value: str, service: str | None, note: str, policies: Path) -> tuple[Receiver, Metric, Told]:
    to = await receiver(service, policies)
    metric = metric_of(to, name, Kind.BUSINESS, "business")
    try:
        number = parse_value(metric, value)
    except ValueError as error:
        raise UsageError(str(error)) from None
    return to, metric, await tell(to, Told(0, metric.name, number, note=note))
