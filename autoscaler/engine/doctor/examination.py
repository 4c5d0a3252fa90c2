"""All checks, side by side: none waits for another that it does not build on, and none stops another."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from autoscaler.engine.doctor import buttons, database, health, policies, render, services, settings, slack
from autoscaler.engine.doctor.finding import Finding, guarded, renamed, skipped
from autoscaler.errors import UsageError
from autoscaler.policyfile import PolicyFile
from autoscaler.ports import Clock, DatabaseSeen, HealthPort, RenderSight, SlackSight
from autoscaler.settings import Settings


@dataclass(frozen=True, slots=True)
class Outside:
    """What is looked at. `render`: or why nobody can be asked there."""

    settings: Settings
    clock: Clock
    render: RenderSight | UsageError
    health: HealthPort
    slack: SlackSight | None
    """None without any token."""
    messages: str | UsageError
    """Where they go, for people; or why the webhook can't be used."""
    database: Callable[[], Awaitable[DatabaseSeen]]
    patience: float
    """Seconds for each question; a check that asks several things, or asks again, may take twice that."""


async def examine(path: Path, outside: Outside) -> list[Finding]:
    """Everything that there is to find, in the order in which things are set up."""
    files, found = policies.read(path)
    told, once, twice = outside.settings, outside.patience, 2 * outside.patience
    names: dict[str, str] = {}
    groups = await asyncio.gather(
        _render(files, outside, names),
        health.look(files, outside.health, once),
        guarded(database.CHECK, database.look(told, outside.database, outside.clock.now()), twice),
        guarded(slack.BOT, slack.look(files, told, outside.slack, outside.messages, twice), 3 * twice),
        guarded(buttons.BUTTONS, buttons.look_at_socket(told, outside.slack), twice),
        guarded(buttons.APPROVER, buttons.look_at_approvers(files, told, outside.slack, twice), 2 * twice),
        guarded(settings.CHECK, _now(files, told), twice),
    )
    return [*found, *(renamed(finding, names) for group in groups for finding in group)]


async def _render(files: Sequence[PolicyFile], outside: Outside, names: dict[str, str]) -> list[Finding]:
    """The services only with a key that opens them: else each would say once more what is wrong with it."""
    patience = 2 * outside.patience
    key = await guarded(render.KEY, render.look_at_key(outside.settings, outside.render), patience)
    clock = await guarded(render.CLOCK, render.look_at_clock(outside.render), patience)
    if isinstance(outside.render, UsageError) or not render.is_accepted(key):
        return [*key, *clock, skipped(services.CHECK, "can't be looked up without a key that Render takes")]
    return [*key, *clock, *await services.look(files, outside.render, outside.settings, names, patience)]


async def _now(files: Sequence[PolicyFile], told: Settings) -> list[Finding]:
    return settings.look(files, told)
