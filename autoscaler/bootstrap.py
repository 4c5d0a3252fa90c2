"""The only wiring: which adapter stands behind which port."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from autoscaler.adapters.clock import SystemClock
from autoscaler.adapters.health import HttpHealth
from autoscaler.adapters.render import RenderAdapter
from autoscaler.adapters.store import SqlStore, examine, open_store
from autoscaler.adapters.terminal import TerminalNotifier
from autoscaler.adapters.webhook import WebhookNotifier
from autoscaler.engine.doctor.examination import Outside
from autoscaler.engine.leases import Leases
from autoscaler.engine.managed import Managed
from autoscaler.engine.meter import Meter
from autoscaler.engine.reconciler import Reconciler
from autoscaler.engine.reload import PolicyWatch
from autoscaler.engine.room.control import ControlRoom
from autoscaler.engine.room.desk import Desk
from autoscaler.engine.tick import Pass, Ticker
from autoscaler.engine.unrecorded import Unrecorded
from autoscaler.engine.worker import Parts, Worker
from autoscaler.errors import OutsideError, StoreError, UsageError
from autoscaler.policyfile import PolicyFile
from autoscaler.ports import Clock, History, Notifier, RenderSight, SlackSight
from autoscaler.settings import Settings, is_there, sqlite_file
from render_client import BadKeyError, RenderClient


@dataclass(frozen=True, slots=True)
class Wired:
    """Everything that a command may need, and what the worker works with."""

    parts: Parts
    render: RenderAdapter
    health: HttpHealth
    managed: dict[str, Managed]
    opened: SqlStore
    """The database itself, bound to no lease: for what people say, which any worker may hear."""
    messages: str
    """Where they go, for people."""

    def worker(self, files: Sequence[PolicyFile], watch: PolicyWatch | None = None) -> Worker:
        """The worker over these parts; with a `watch`, it follows edits of the policy files."""
        return Worker(self.parts, files, self.managed, watch)


@asynccontextmanager
async def opened_store(settings: Settings, *, read_only: bool = False) -> AsyncIterator[SqlStore]:
    """The store, its schema up to date; closed at the end. With `read_only` nothing is made or written.

    Raises StoreError, with what to do, where there is nothing to read.
    """
    if read_only and not is_there(settings):
        raise StoreError(
            f"There is no {sqlite_file(settings.database_url)}: no worker has recorded anything here. Start `autoscaler run`, "
            "or set DATABASE_URL to the worker's database. `autoscaler check` looks once, without one."
        )
    store = open_store(settings.database_url, read_only=read_only)
    try:
        if not read_only:
            await store.migrate()
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def wired(
    settings: Settings, *, dry_run: bool, on_pass: Callable[[Pass, float], None] = lambda *_: None
) -> AsyncIterator[Wired]:
    """Open everything, close everything. Raises UsageError for a setting that can't be used, StoreError without a database."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        render = RenderAdapter(_client(settings))
        stack.push_async_callback(render.close)
        notifier, messages = _notifier(settings, clock, stack)
        opened = await stack.enter_async_context(opened_store(settings))
        leases = Leases(opened, clock)
        store = opened.bound(leases)
        health = HttpHealth(clock)
        stack.push_async_callback(health.close)
        managed: dict[str, Managed] = {}
        parts = Parts(
            store=store,
            leases=leases,
            render=render,
            notifier=notifier,
            clock=clock,
            ticker=Ticker(store, health, clock, dry_run=dry_run, meter=Meter(render, managed, clock)),
            reconciler=Reconciler(store, render, clock, managed, leases),
            dry_run=dry_run,
            on_pass=on_pass,
            runs_on=await _own_plan(settings, render),
        )
        yield Wired(parts, render, health, managed, opened, messages)


@asynccontextmanager
async def listening(settings: Settings, wired: Wired, worker: Worker) -> AsyncIterator[None]:
    """Buttons and commands work within it, if there are both tokens. Raises UsageError for one without the other."""
    if settings.slack_app_token is None:
        yield
        return
    if settings.slack_bot_token is None:
        raise UsageError(
            "SLACK_APP_TOKEN is set, and SLACK_BOT_TOKEN is not: buttons come with messages. "
            "Set the app's Bot User OAuth Token (xoxb-…) too; `autoscaler doctor` checks both."
        )
    from autoscaler.adapters.slack.groups import SlackGroups  # noqa: PLC0415 - as in _notifier
    from autoscaler.adapters.slack.listener import SlackListener  # noqa: PLC0415

    parts, opened = wired.parts, wired.opened
    ticker = Ticker(Unrecorded(opened), wired.health, parts.clock, dry_run=True)
    groups = SlackGroups(settings.slack_bot_token, base_url=settings.slack_url)
    desk = Desk(
        opened,
        parts.render,
        ticker,
        parts.clock,
        groups,
        worker.files,
        wired.managed,
        settings.slack_channel,
        parts.dry_run,
    )
    listener = SlackListener(
        settings.slack_app_token, settings.slack_bot_token, ControlRoom(desk), base_url=settings.slack_url
    )
    task = asyncio.create_task(listener.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class Checking:
    """What one look needs: nothing here can write."""

    render: RenderAdapter
    history: History
    ticker: Ticker
    clock: SystemClock


@asynccontextmanager
async def checking(settings: Settings) -> AsyncIterator[Checking]:
    """Parts for `check`: the worker's records are read if there are any, and nothing is recorded."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        render = RenderAdapter(_client(settings))
        stack.push_async_callback(render.close)
        history = Unrecorded(
            await stack.enter_async_context(opened_store(settings, read_only=True)) if is_there(settings) else None
        )
        health = HttpHealth(clock)
        stack.push_async_callback(health.close)
        ticker = Ticker(history, health, clock, dry_run=True, meter=Meter(render, {}, clock))
        yield Checking(render, history, ticker, clock)


@dataclass(frozen=True, slots=True)
class Changing:
    """What it takes to ask for a change by hand: Render is only read, the change is written down for the worker."""

    render: RenderAdapter
    store: SqlStore
    clock: SystemClock


@asynccontextmanager
async def changing(settings: Settings) -> AsyncIterator[Changing]:
    """Parts for `scale`, `undo` and `repair`. Raises UsageError without an API key, StoreError without a database."""
    async with AsyncExitStack() as stack:
        render = RenderAdapter(_client(settings))
        stack.push_async_callback(render.close)
        yield Changing(render, await stack.enter_async_context(opened_store(settings)), SystemClock())


@dataclass(frozen=True, slots=True)
class Remembering:
    """What it takes to say why, from what the worker has recorded; nothing here can write, and nobody outside is asked."""

    store: SqlStore
    ticker: Ticker
    clock: SystemClock


@asynccontextmanager
async def remembering(settings: Settings) -> AsyncIterator[Remembering]:
    """Parts for `explain`. Raises StoreError without a database."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened_store(settings, read_only=True))
        health = HttpHealth(clock)
        stack.push_async_callback(health.close)
        yield Remembering(store, Ticker(Unrecorded(store), health, clock, dry_run=True), clock)


@dataclass(frozen=True, slots=True)
class Asking:
    """What it takes to ask about a service that has no policy yet."""

    render: RenderAdapter
    health: HttpHealth
    clock: SystemClock


@asynccontextmanager
async def asking(settings: Settings) -> AsyncIterator[Asking]:
    """Parts for `init`. Raises UsageError without an API key."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        render = RenderAdapter(_client(settings))
        stack.push_async_callback(render.close)
        health = HttpHealth(clock)
        stack.push_async_callback(health.close)
        yield Asking(render, health, clock)


@asynccontextmanager
async def examining(settings: Settings, patience: float) -> AsyncIterator[Outside]:
    """What `doctor` looks at, none of it opened before it is asked: what is missing or no token at all is a finding, too.

    `patience`: seconds that whoever is asked may take.
    """
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        try:
            render = RenderAdapter(_client(settings, timeout=patience, patience=patience))
            stack.push_async_callback(render.close)
        except UsageError as error:
            seen: RenderSight | UsageError = error
        else:
            seen = render
        health = HttpHealth(clock)
        stack.push_async_callback(health.close)
        yield Outside(
            settings=settings,
            clock=clock,
            render=seen,
            health=health,
            slack=_slack_sight(settings, stack, patience),
            messages=_messages_go_to(settings, clock, stack),
            database=lambda: examine(settings.database_url, patience),
            patience=patience,
        )


def _messages_go_to(settings: Settings, clock: Clock, stack: AsyncExitStack) -> str | UsageError:
    try:
        return _notifier(settings, clock, stack)[1]
    except UsageError as error:
        return error


def _slack_sight(settings: Settings, stack: AsyncExitStack, patience: float) -> SlackSight | None:
    if settings.slack_bot_token is None and settings.slack_app_token is None:
        return None
    from autoscaler.adapters.slack.checkup import SlackCheckup  # noqa: PLC0415 - as in _notifier

    slack = SlackCheckup(
        settings.slack_bot_token, settings.slack_app_token, base_url=settings.slack_url, timeout=patience
    )
    stack.push_async_callback(slack.aclose)
    return slack


async def _own_plan(settings: Settings, render: RenderAdapter) -> dict[str, str]:
    """What the bot itself runs on, when that is Render and the key sees it: `autoscaler cost` tells it."""
    if not settings.on_render or settings.own_service is None:
        return {}
    try:
        seen = await render.find_service(id=settings.own_service, name=None)
    except OutsideError:
        return {}
    return {"plan": seen.plan, "instances": str(seen.instances)}


def _client(settings: Settings, *, timeout: float = 10.0, patience: float = 20.0) -> RenderClient:
    """Raises UsageError for a key or an address that can't be one."""
    try:
        # A write that waits would reach Render long after its lease was looked at: the change waits instead.
        key, url = settings.need_render_key(), settings.render_url
        return RenderClient(key, url, timeout=timeout, patience=patience, write_patience=0.0)
    except BadKeyError as error:
        raise UsageError(f"RENDER_API_KEY: {error}") from None
    except ValueError as error:
        raise UsageError(f"RENDER_API_URL: {error}") from None


def _notifier(settings: Settings, clock: Clock, stack: AsyncExitStack) -> tuple[Notifier, str]:
    """Slack with a token, else the webhook if there is one, else the terminal; and which, for people. Raises UsageError.

    slack-sdk is 10 MB of memory that those without Slack need not pay.
    """
    if settings.slack_bot_token is None:
        if settings.webhook_url is None:
            return TerminalNotifier(sys.stdout), "this terminal"
        webhook = WebhookNotifier(settings.webhook_url, settings.need_webhook_secret(), clock)
        stack.push_async_callback(webhook.aclose)
        return webhook, f"the webhook at {webhook.where}"
    from autoscaler.adapters.slack.notifier import SlackNotifier  # noqa: PLC0415 - see above

    slack = SlackNotifier(
        settings.slack_bot_token,
        settings.slack_channel,
        base_url=settings.slack_url,
        buttons=settings.slack_app_token is not None,
    )
    stack.push_async_callback(slack.aclose)
    return slack, "Slack"
