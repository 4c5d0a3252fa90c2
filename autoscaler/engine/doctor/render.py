"""Render: does it take the key, what does the key open, and does our clock show the same time?"""

import time
from collections.abc import Iterable, Sequence

from autoscaler.core.durations import MINUTE, SECOND, format_duration
from autoscaler.engine.doctor.finding import Finding, State, listed, of_error, ok, seconds, skipped, warning, wrong
from autoscaler.errors import KeyRefusedError, UsageError
from autoscaler.ports import RenderSight, Workspace
from autoscaler.settings import Settings

KEY, CLOCK = "render key", "clock"
_NEW_KEY = "Make one at https://dashboard.render.com/u/settings#api-keys, then: export RENDER_API_KEY=rnd_…"
DOUBTFUL, BAD = 5 * SECOND, MINUTE
"""How far the clock may be off: readings, leases and Render's events are put in order by it."""


async def look_at_key(settings: Settings, render: RenderSight | UsageError) -> list[Finding]:
    """Whether Render takes it, and what it opens."""
    if settings.render_api_key is None:
        return [wrong(KEY, "RENDER_API_KEY is not set", _NEW_KEY)]
    if isinstance(render, UsageError):
        return [of_error(KEY, render)]
    began = time.monotonic()
    try:
        workspaces = await render.workspaces()
    except KeyRefusedError:
        form = settings.render_api_key.get_secret_value().startswith("rnd_")
        hint = "" if form else ": it does not begin with rnd_, as Render's keys do"
        return [wrong(KEY, f"Render refuses RENDER_API_KEY (401){hint}", _NEW_KEY)]
    return [_opens(workspaces, time.monotonic() - began)]


def _opens(workspaces: Sequence[Workspace], took: float) -> Finding:
    """A personal workspace is nobody else's affair: with several others the key can change what it has no business with."""
    names = listed(one.name for one in workspaces)
    teams = [one for one in workspaces if not one.is_personal]
    if not workspaces:
        fix = "Make the key as a member of the workspace that the services are in."
        return wrong(KEY, "accepted, but it sees no workspace", fix)
    if len(teams) > 1:
        fix = "Use the key of a bot user who is a member of one workspace only: docs/operations.md, step 1."
        return warning(KEY, f"accepted, and it can change all that is in {len(workspaces)} workspaces: {names}", fix)
    return ok(KEY, f"accepted in {seconds(took)}; it opens {names}")


async def look_at_clock(render: RenderSight | UsageError) -> list[Finding]:
    """By the time that Render's last answer told."""
    ahead = None if isinstance(render, UsageError) else render.clock_ahead
    if ahead is None:
        return [skipped(CLOCK, "Render told no time to compare it with")]
    off, way = round(abs(ahead)) * SECOND, "ahead of" if ahead > 0 else "behind"
    if off <= DOUBTFUL:
        return [ok(CLOCK, f"within {format_duration(DOUBTFUL)} of Render's")]
    text = f"this machine's clock is {format_duration(off)} {way} Render's"
    fix = "Let the system set it: `sudo timedatectl set-ntp true`; in a container it is the host's clock."
    return [(warning if off <= BAD else wrong)(CLOCK, text, fix)]


def is_accepted(findings: Iterable[Finding]) -> bool:
    """Whether it is worth asking Render anything else."""
    return all(one.state is not State.WRONG for one in findings)
