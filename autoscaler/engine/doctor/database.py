"""The database, and the worker that lives by it."""

from collections.abc import Awaitable, Callable

from autoscaler.core.durations import DAY, MINUTE, format_duration
from autoscaler.engine.doctor.finding import Finding, ok, skipped, warning, wrong
from autoscaler.ports import DatabaseSeen
from autoscaler.report.cost import CRON_WORKER
from autoscaler.settings import Settings, must_stay_dry

CHECK, WORKER = "database", "worker"
SILENT_AFTER, CRON_SILENT_AFTER = MINUTE, DAY
"""A worker gives a sign of life every five seconds; how far apart a cron job's passes are, nobody knows."""
_START = "Start it: `autoscaler run`."


async def look(settings: Settings, examine: Callable[[], Awaitable[DatabaseSeen]], now: int) -> list[Finding]:
    """Whether it can be used, and whether somebody uses it."""
    if (reason := must_stay_dry(settings)) is not None:
        what, _, fix = reason.partition(". ")
        return [wrong(CHECK, f"the bot would only watch: {what}", f"{fix}.")]
    seen = await examine()
    return [_state(settings, seen), _worker(seen, now)]


def _state(settings: Settings, seen: DatabaseSeen) -> Finding:
    where = seen.where if settings.has_database else f"{seen.where} (DATABASE_URL is not set)"
    if seen.obstacle:
        fix = "Give the bot's user that right, or point DATABASE_URL at another place."
        return wrong(CHECK, f"{where}: {seen.obstacle}", fix)
    if not seen.is_there:
        return ok(CHECK, f"{where}: not there yet; `autoscaler run` makes it")
    if seen.revision is None:
        return ok(CHECK, f"{where}: can be reached, no tables yet; `autoscaler run` makes them")
    if seen.revision > seen.head:
        text = f"{where}: a newer release wrote it (schema {seen.revision}; this one knows up to {seen.head})"
        return wrong(CHECK, text, "Run the newer release, or point DATABASE_URL at another database.")
    if seen.revision < seen.head:
        text = f"{where}: has the schema {seen.revision} of an older release, this one needs {seen.head}"
        fix = "`autoscaler run` brings it up to date; back it up first (docs/operations.md, Upgrade and backup)."
        return warning(CHECK, text, fix)
    return ok(CHECK, f"{where}: can be reached and written, schema {seen.revision} is up to date")


def _worker(seen: DatabaseSeen, now: int) -> Finding:
    if seen.revision is not None and seen.revision != seen.head:
        return skipped(WORKER, "the database has another release's tables")
    if seen.beat is None:
        return skipped(WORKER, "none has run on this database yet", _START)
    age = max(0, now - seen.beat.at)
    mode = ", in dry run: it changes nothing" if seen.beat.dry_run else ""
    limit = CRON_SILENT_AFTER if seen.beat.worker == CRON_WORKER else SILENT_AFTER
    text = f"the last sign of life is {format_duration(age)} old{mode}"
    return ok(WORKER, text) if age <= limit else warning(WORKER, text, f"Look at its logs. {_START}")
