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
from autoscaler.cli.output import out, print_table
from autoscaler.core.backtest import Backtest
from autoscaler.core.durations import DAY, MINUTE
from autoscaler.core.observations import Missed
from autoscaler.core.policy import Health, Policy, SecretReference
from autoscaler.core.recording import Span
from autoscaler.engine.backtest import rehearse, render_recording
from autoscaler.errors import OutsideError, UsageError
from autoscaler.policyfile import load_text
from autoscaler.ports import Report, ServiceSeen
from autoscaler.report import backtests
from autoscaler.report.draft import SIZED, Found, draft
from autoscaler.settings import load_settings

KEPT = 30 * DAY
"""How far back Render tells its metrics."""
STEP = 5 * MINUTE
"""How finely they are read: a first look is soon over, and asks Render 50 times instead of 250."""
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


@dataclass(frozen=True, slots=True)
class First:
    """The first policy, and what it would have done."""

    text: str
    seen: ServiceSeen
    probed: Probed
    played: Backtest | None
    why_not: str
    """Why it could not be played, if it could not."""


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
    """Write a first policy for a service, in mode observe, and say what it would have done in the last 30 days.

    Asks Render for the service, its plan, the env vars that suit a plan and its metrics, and the app for its numbers. Nothing
    has to be installed in the app. Changes nothing but the file.
    """
    first = asyncio.run(_first_policy(service, health_url))
    name = first.seen.name
    path = output or POLICIES / f"{_file_name(name)}.yaml"
    _write(path, first.text)
    _say(f"{path}: a first policy for {name} ({first.seen.plan}), in mode observe.")
    _say(first.probed.note)
    if first.played is None:
        _say(first.why_not)
    else:
        _say(f"\nWhat it would have done: {backtests.headline(first.played)}")
        print_table(backtests.changes(first.played), empty="Nothing: the plan fitted all along.")
    _say(f"\nNext: read and edit it, then autoscaler check -p {path}")


def _say(text: str) -> None:
    out.print(text, markup=False, soft_wrap=True)


async def _first_policy(service: str, health_url: str | None) -> First:
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
        policy = load_text(text, "the first policy").policy
        played, why_not = await _play(parts, policy)
    return First(text, seen, probed, played, why_not)


async def _play(parts: Asking, policy: Policy) -> tuple[Backtest | None, str]:
    """What it would have done, by Render's own metrics, or why that can't be said: the policy is good all the same."""
    now = parts.clock.now()
    try:
        recording = await render_recording(parts.render, policy, Span(now - KEPT, None), now, step=STEP)
    except (UsageError, OutsideError) as error:
        return None, f"What it would have done can't be said: {error}"
    return rehearse("this policy", policy, recording), ""


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
