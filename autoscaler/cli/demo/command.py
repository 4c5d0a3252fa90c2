"""The whole job on this machine, with real processes and real HTTP: started here, waited for, and checked at the end."""

import asyncio
import importlib.util
import signal
import tempfile
import time
from collections.abc import Coroutine
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Annotated

import httpx
import typer

from autoscaler.bootstrap import opened_store
from autoscaler.cli.demo.processes import APP, Players, Stage, load, peak_memory, say_yes, simulator, stage, worker
from autoscaler.cli.demo.screen import Screen
from autoscaler.core.change import Change, Direction, State
from autoscaler.core.plans import same_plan
from autoscaler.core.policy import Tier
from autoscaler.errors import AutoscalerError, ExitCode, UsageError
from autoscaler.ports import Store
from autoscaler.report.sentences import verdict_sentence
from autoscaler.settings import load_settings

PATIENCE = 75.0
"""Seconds that each act may take; about 25 is usual."""
VERIFIED = frozenset({State.WATCHING, State.DONE})
QUIET, BUSY, CALM = 2, 18, 1
"""Users at once; the small plan serves about ten requests a second."""


class DemoFailedError(AutoscalerError):
    """The story did not go as it should."""


def demo(
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the folder with the database and the logs.")] = False,
) -> None:
    """See the whole job in a minute and a half: a local Render, a sample app, load that rises and falls.

    Needs no key and no account. Exits 0 only if the app itself confirms the plan and the env vars that it was given.
    """
    missing = [name for name in ("fastapi", "uvicorn", "app_core") if importlib.util.find_spec(name) is None]
    if missing or not APP.is_dir():
        what = f"without {', '.join(missing)}" if missing else "without its sample app"
        raise UsageError(f"The demo can't run here, {what}: run `make demo` in a checkout of the repository.")
    screen = Screen()
    try:
        if keep:
            folder = Path(tempfile.mkdtemp(prefix="autoscaler-demo-"))
            screen.note(f"Database and logs stay in {folder}")
            asyncio.run(_interruptible(_play(folder, screen)))
        else:
            with tempfile.TemporaryDirectory(prefix="autoscaler-demo-") as name:
                asyncio.run(_interruptible(_play(Path(name), screen)))
    except DemoFailedError as error:
        screen.failed(str(error))
        raise typer.Exit(ExitCode.FAILED) from None
    except asyncio.CancelledError:
        raise typer.Exit(ExitCode.INTERRUPTED) from None


async def _interruptible(work: Coroutine[None, None, None]) -> None:
    """A closed terminal or a SIGTERM ends the whole play, not only its director."""
    task = asyncio.create_task(work)
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    await task


async def _play(folder: Path, screen: Screen) -> None:
    players = Players()
    async with simulator(players, folder) as render:
        scene = stage(folder, render, screen.message_width)
        screen.opening(scene)
        await _confirm(scene, scene.policy.tiers[0])
        settings = load_settings(scene.environment)
        async with worker(players, scene, screen) as bot, opened_store(settings) as store:
            with screen.live():
                changes = await _up_and_down(players, scene, store, screen)
            journals = {change.id: await store.journal(change.id) for change in changes}
            memory = peak_memory(bot.pid)
        if bot.returncode != 0:
            raise DemoFailedError(f"the worker ended with exit code {bot.returncode} when it was asked to stop")
        screen.summary(changes, journals, memory)


async def _up_and_down(players: Players, scene: Stage, store: Store, screen: Screen) -> tuple[Change, Change]:
    small, large = scene.policy.tiers
    async with load(players, scene, f"6s:{QUIET},600s:{BUSY}"):
        screen.act("Load rises", f"{QUIET} users first, then {BUSY}: more than {small.plan} can serve.")
        up = await _change(players, store, Direction.UP)
        screen.confirmed(large, await _confirm(scene, large))
        await asyncio.sleep(3)  # the same load, seen on the larger plan
    async with load(players, scene, f"600s:{CALM}"):
        screen.act("Load falls", "the way down has longer windows, and all of its rules must hold.")
        asked = await _change(players, store, Direction.DOWN, frozenset({State.PROPOSED}))
        await asyncio.sleep(2)  # so that the question can be read
        screen.act("Somebody answers", "in Slack they would press a button; on the command line it is:")
        await say_yes(scene, asked.id, screen)
        down = await _change(players, store, Direction.DOWN)
        screen.confirmed(small, await _confirm(scene, small))
    await asyncio.sleep(2)  # the last message is on its way
    return up, down


async def _change(
    players: Players, store: Store, direction: Direction, wanted: AbstractSet[State] = VERIFIED
) -> Change:
    """Wait until a change this way is so far. Raises DemoFailedError when it ends otherwise, or does not come."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if (lost := players.lost()) is not None:
            raise DemoFailedError(lost)
        for change in await store.changes(limit=10):
            if change.direction is not direction:
                continue
            if change.state in wanted:
                return change
            if change.state.is_final:
                raise DemoFailedError(f"the change {direction} ended as {change.state}: {change.outcome}")
        await asyncio.sleep(0.3)
    verdicts = await store.last_verdicts()
    held = f" The last verdict: {verdict_sentence(verdicts[0])}." if verdicts else " The worker made no pass."
    raise DemoFailedError(f"no change {direction} was finished within {PATIENCE:.0f} seconds.{held}")


async def _confirm(scene: Stage, tier: Tier) -> int:
    """Ask the app itself what it runs with; how many env vars it confirmed. Raises DemoFailedError when it differs."""
    try:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = (await client.get(scene.health, timeout=10)).raise_for_status().json()
    except httpx.HTTPError as error:
        raise DemoFailedError(f"the app does not say what it runs with: {error}") from None
    instance = answer["instance"]
    if not same_plan(instance["plan_guess"] or "", tier.plan):
        raise DemoFailedError(f"the app says it runs on {instance['plan_guess']}, not on {tier.plan}")
    wrong = {
        name: instance["settings"].get(name)
        for name, value in tier.env.items()
        if float(instance["settings"].get(name, "nan")) != float(value)
    }
    if wrong:
        raise DemoFailedError(f"the app runs with other values than tier {tier.name} has: {wrong}")
    return len(tier.env)
