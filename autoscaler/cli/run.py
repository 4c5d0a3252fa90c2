"""`autoscaler run`: the worker."""

import asyncio
import logging
import signal
import time
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Annotated

import typer

from autoscaler.bootstrap import Wired, listening, wired
from autoscaler.cli.logs import LogFormat, configure_logging
from autoscaler.cli.options import POLICIES, PoliciesOption, sound_policies
from autoscaler.core.findings import Severity
from autoscaler.core.observations import Missed
from autoscaler.engine.adoption import adopt
from autoscaler.engine.digest import tell_digest
from autoscaler.engine.leases import NOBODYS, kept
from autoscaler.engine.outbox import deliver
from autoscaler.engine.reload import PolicyWatch
from autoscaler.engine.tick import Pass
from autoscaler.engine.worker import KEEP_READINGS
from autoscaler.errors import OutsideError, UnavailableError, UsageError
from autoscaler.policyfile import LocatedProblem, PolicyFile
from autoscaler.ports import Heartbeat
from autoscaler.report.cost import CRON_WORKER
from autoscaler.report.explain import explain, in_short
from autoscaler.report.explain_json import document
from autoscaler.report.log_lines import log_fields, log_line
from autoscaler.settings import Settings, load_settings, must_stay_dry

log = logging.getLogger(__name__)


def run(
    policies: PoliciesOption = POLICIES,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Decide and log as always, but never change anything on Render.")
    ] = False,
    once: Annotated[
        bool,
        typer.Option(
            "--once",
            help="Make one real pass, carry an open change on until it has to wait, and end: for a cron job. Needs DATABASE_URL.",
        ),
    ] = False,
    log_format: Annotated[LogFormat, typer.Option(envvar="LOG_FORMAT", help="How log lines look.")] = LogFormat.TEXT,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every call to Render, too.")] = False,
) -> None:
    """Look after the services of your policies, until it is stopped.

    Reads RENDER_API_KEY, and if set DATABASE_URL (postgresql://… or sqlite:///path; by default autoscaler.db here),
    SLACK_BOT_TOKEN and SLACK_CHANNEL, SLACK_APP_TOKEN for buttons and commands there, or WEBHOOK_URL and WEBHOOK_SECRET
    (without any, messages appear in the terminal).

    SIGTERM ends it within ten seconds: what is in flight is finished or goes on at the next start.
    """
    configure_logging(log_format, verbose=verbose)
    settings = load_settings()
    settings.need_render_key()
    if once and not settings.has_database:
        raise UsageError(
            "--once needs DATABASE_URL: without a store that outlives the pass, no window could ever fill. "
            "Set it to your Postgres, or to sqlite:////path/on/a/disk.db"
        )
    if (reason := must_stay_dry(settings)) is not None and not dry_run:
        log.error("staying in dry run: %s", reason)
        dry_run = True
    files = sound_policies(policies, tell=_log_problem)
    watch = None if once else PolicyWatch(policies, files)
    asyncio.run(_until_terminated(_run(settings, files, watch, dry_run=dry_run)))


def _log_problem(problem: LocatedProblem) -> None:
    log.log(logging.ERROR if problem.severity is Severity.ERROR else logging.WARNING, "%s", problem)


async def _until_terminated(work: Coroutine[None, None, None]) -> None:
    """From the first moment on SIGTERM is a good end: a step that it cuts off is journalled. The worker then drains instead.

    SIGINT is heard as well, also where a shell started this in the background and had it ignored.
    """
    task, signals = asyncio.create_task(work), list[signal.Signals]()

    def end(number: signal.Signals) -> None:
        signals.append(number)
        task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end, number)
    try:
        await task
    except asyncio.CancelledError:
        if signal.SIGINT in signals:
            raise KeyboardInterrupt from None
        if not signals:
            raise


async def _run(settings: Settings, files: Sequence[PolicyFile], watch: PolicyWatch | None, *, dry_run: bool) -> None:
    """Until it is stopped; without a watch, one pass."""
    if watch is None:
        settings = replace(settings, slack_app_token=None)  # nobody would be there to hear a button
    async with wired(settings, dry_run=dry_run, on_pass=log_pass) as parts:
        try:
            await parts.render.check_key()
        except UnavailableError as error:
            log.warning("Render does not answer yet: %s", error)
        if watch is None:
            await _once(parts, files)
            return
        worker = parts.worker(files, watch)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, worker.stop)
        names = ", ".join(f"{file.policy.service.label} ({file.policy.mode})" for file in files)
        dry = "; dry run: nothing is changed" if dry_run else ""
        log.info(
            "looking after %s; database: %s; messages: %s%s", names, parts.opened.address.where, parts.messages, dry
        )
        async with listening(settings, parts, worker):
            await worker.run()


async def _once(wiring: Wired, files: Sequence[PolicyFile]) -> None:
    """One pass over every service; their open changes go on until they must wait. Raises the last failure at the end."""
    parts, failures = wiring.parts, list[OutsideError]()
    services = await _services_of(wiring, files, failures)
    now = parts.clock.now()
    beat = Heartbeat(CRON_WORKER, now, now, len(services), parts.dry_run, parts.runs_on)
    async with kept(parts.leases, {NOBODYS, *services, *await parts.store.unfinished()}, beat):
        for service_id, file in services.items():
            if service_id not in parts.leases.held():
                log.info("%s: a worker looks after it already", file.path)
                continue
            try:
                await _look_after(wiring, file)
            except OutsideError as error:
                failures.append(error)
                log.error("%s: %s", file.path, error)  # noqa: TRY400 - the text says all
        if not parts.dry_run:
            for change in await parts.store.due_changes(parts.clock.now()):
                if change.service_id in parts.leases.held():
                    await parts.reconciler.advance(change)
        await deliver(parts.store, parts.notifier, parts.clock, parts.leases)
        await parts.store.prune(now - KEEP_READINGS)
    if failures:
        raise failures[-1]


async def _services_of(
    wiring: Wired, files: Sequence[PolicyFile], failures: list[OutsideError]
) -> Mapping[str, PolicyFile]:
    """By id, which Render knows of those that are named otherwise."""
    found = dict[str, PolicyFile]()
    for file in files:
        service = file.policy.service
        try:
            found[service.id or (await wiring.render.find_service(id=None, name=service.name)).id] = file
        except OutsideError as error:
            failures.append(error)
            log.error("%s: %s", file.path, error)  # noqa: TRY400 - the text says all
    return found


async def _look_after(wiring: Wired, file: PolicyFile) -> None:
    parts = wiring.parts
    managed = await adopt(file, parts.render, parts.store, parts.clock, wiring.managed, measured_cadence=True)
    began = time.perf_counter()
    log_pass(await parts.ticker.tick(managed), time.perf_counter() - began)
    await tell_digest(managed, parts.store, parts.clock.now())


def log_pass(result: Pass, seconds: float) -> None:
    """One line a pass with what it saw and decided; a new verdict says why."""
    verdict = result.verdict
    fields = log_fields(verdict) | {"took_ms": round(seconds * 1000, 1)}
    line = log_line(verdict, seconds * 1000)
    if verdict.since >= verdict.at:  # another one than the last: with all its reasons
        explanation = explain(verdict)
        fields["explanation"] = document(explanation)
        line = in_short(explanation)
    if isinstance(result.observation, Missed):
        fields["missed"] = str(result.observation.reason)
        fields["detail"] = result.observation.detail
        line = f"{verdict.service}  no reading: {result.observation.reason}, {result.observation.detail}"
    if result.change is not None:
        fields["change"] = result.change.id
    log.log(logging.WARNING if verdict.blind else logging.INFO, line, extra={"fields": fields})
