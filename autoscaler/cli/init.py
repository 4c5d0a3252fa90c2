"""`autoscaler init`: from a key to a first policy, and to what it would have done. Changes nothing at Render."""

import asyncio
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from autoscaler.bootstrap import Asking, asking
from autoscaler.cli.options import POLICIES
from autoscaler.cli.output import out
from autoscaler.core.observations import Missed
from autoscaler.core.policy import Health, SecretReference
from autoscaler.errors import UsageError
from autoscaler.policyfile import load_text
from autoscaler.ports import Report, ServiceSeen
from autoscaler.report.draft import SIZED, Found, draft
from autoscaler.settings import load_settings

ENDPOINT = "/api/health/scaling"
TOKEN = "SCALING_HEALTH_TOKEN"  # noqa: S105 - the name of a variable
"""Where the app and the bot both look for it, by app_core's name."""


@dataclass(frozen=True, slots=True)
class Probed:
    """What became of asking for the scaling health endpoint."""

    url: str | None
    """Where it answered, or would with a token; None where nothing like it is."""
    token: bool
    note: str


def init(
    service: Annotated[str, typer.Argument(help="Its id (srv-…) or its name on Render.")],
    health_url: Annotated[
        str | None,
        typer.Option("--health-url", help=f"Where the app tells its numbers; by default its address and {ENDPOINT}."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; by default policies/<service>.yaml.")
    ] = None,
) -> None:
    """Write a first policy for a service, in mode observe, from what Render tells of it.

    Asks Render for the service, its plan and the env vars that suit a plan, and the app for its numbers. Changes nothing but the file.
    """
    text, seen, probed = asyncio.run(_first_policy(service, health_url))
    path = output or POLICIES / f"{_file_name(seen.name)}.yaml"
    _write(path, text)
    out.print(f"{path}: a first policy for {seen.name} ({seen.plan}), in mode observe.", markup=False, soft_wrap=True)
    out.print(probed.note, markup=False, soft_wrap=True)
    out.print(f"Next: read and edit it, then autoscaler check -p {path}", markup=False, soft_wrap=True)


async def _first_policy(service: str, health_url: str | None) -> tuple[str, ServiceSeen, Probed]:
    is_id = service.startswith("srv-")
    async with asking(load_settings()) as parts:
        seen = await parts.render.find_service(id=service if is_id else None, name=None if is_id else service)
        env = await parts.render.env(seen.id, SIZED)
        probed = await _probe(parts, health_url or (seen.url and seen.url.rstrip("/") + ENDPOINT))
    found = Found(seen.id, seen.name, seen.plan, seen.instances, seen.has_disk, probed.url, probed.token, dict(env))
    try:
        text = draft(found)
    except ValueError as error:
        raise UsageError(f"{seen.name}: {error}.") from None
    load_text(text, "the first policy")  # never write what would not be read
    return text, seen, probed


async def _probe(parts: Asking, url: str | None) -> Probed:
    if url is None:
        return Probed(None, token=False, note="It has no address of its own, so Render's metrics are judged.")
    token = bool(os.environ.get(TOKEN))
    answer = await parts.health.fetch(Health(url=url, token=SecretReference(env=TOKEN) if token else None))
    if isinstance(answer, Report):
        return Probed(url, token, f"{url} answers.")
    if _wants_token(answer):
        return Probed(
            url, token=True, note=f"{url} wants its token: set {TOKEN} for the bot, as it is set for the app."
        )
    note = f"{url} does not answer as a scaling health endpoint ({answer.detail or answer.reason})"
    return Probed(None, token=False, note=f"{note}, so Render's metrics are judged; app_core gives the app one.")


def _wants_token(missed: Missed) -> bool:
    return re.match(r"HTTP 40[13]\b", missed.detail) is not None


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-") or "service"


def _write(path: Path, text: str) -> None:
    """Raises UsageError where something is there already, or nothing can be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} is there already: nothing was written. Name another file with --output.") from None
    except OSError as error:
        raise UsageError(f"{path} can't be written ({error.strerror}): name another file with --output.") from None
