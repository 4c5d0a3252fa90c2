"""After it went live: does the new instance answer, and does it run with what was set?"""

from dataclasses import replace

from autoscaler.core.change import AppSeen, Change, Direction, Rung, State, World
from autoscaler.core.durations import MINUTE, SECOND, format_duration
from autoscaler.core.steps.kinds import Become, Step, Wait, ended, walk_back

GLANCE = 30 * SECOND
"""Between two looks at what soaks."""
CRASH_LOOP = 3
"""So many failures of instances in one soak are a crash loop."""
UNASKED = 10 * MINUTE
"""How long a poll is waited for: a worker that was away has not asked yet, and only who asks can meet with silence."""


def soak(change: Change, world: World, now: int, look_every: int) -> Step:
    """Its end is decided by polls made since it went live: one answer proves it, a soak's length of silence turns it back."""
    live_at = change.live_at or now
    over = live_at + change.soak
    if cause := _not_enough(change, world):
        return walk_back(change, cause, now)
    if now < over:
        return Wait(min(over, now + GLANCE), "soaking")
    if world.app is not None and world.app.at >= live_at:
        few = "" if world.few_requests is None else f", unproven ({world.few_requests:.0f} requests so far)"
        return _watching(change, f"{change.target.plan} is live{few}{_mismatch(change.target, world.app)}", now)
    if world.suspended:
        outcome = f"somebody suspended the service; {change.target.plan} had gone live, unproven"
        return ended(change, State.SUPERSEDED, outcome, now)
    return _unanswered(change, world, now, look_every)


def watch(change: Change, world: World, now: int) -> Step:
    """Until its time is over. A downgrade is taken back as soon as it proves too small; an up only waits for its report."""
    until = (change.live_at or change.created_at) + change.watch
    if change.direction is Direction.DOWN and (cause := _not_enough(change, world)):
        return walk_back(change, cause, now)
    if now < until:
        return Wait(until if change.direction is Direction.UP else min(until, now + MINUTE), "watching")
    return Become(replace(change, state=State.DONE, due_at=now))


def _not_enough(change: Change, world: World) -> str:
    """Why what went live is not kept: for an up only a crash loop, for a down whatever shows that the plan is too small."""
    if change.direction is Direction.DOWN and world.strain:
        return f"returned, as {world.strain}"
    if change.state is State.SOAKING and len(world.crashes) >= CRASH_LOOP:
        return f"its instances failed {len(world.crashes)} times since it went live"
    return ""


def _unanswered(change: Change, world: World, now: int, look_every: int) -> Step:
    live_at = change.live_at or now
    if world.silence is not None and now - world.silence[1] < UNASKED:
        first, last = world.silence
        if last - max(first, live_at) >= change.soak:
            return walk_back(change, f"no answer from the new instance within {format_duration(change.soak)}", now)
        return Wait(now + look_every, "no answer so far")
    if now < live_at + change.soak + UNASKED:
        return Wait(now + look_every, "no poll has told yet")
    return _watching(change, f"{change.target.plan} is live, unproven: the app gave no report since", now)


def _watching(change: Change, outcome: str, now: int) -> Become:
    until = (change.live_at or now) + change.watch
    return Become(replace(change, state=State.WATCHING, outcome=outcome, ended_at=now, due_at=until))


def _mismatch(target: Rung, app: AppSeen) -> str:
    """What the app itself says it runs with, where that is not what we wrote."""
    wrong = [
        f"{name}={app.settings[name]} instead of {value}"
        for name, value in target.env.items()
        if name in app.settings and not _same_value(app.settings[name], value)
    ]
    if wrong:
        return f", but the app says it runs with {', '.join(wrong)}"
    told = sum(name in app.settings for name in target.env)
    return f" and the app confirms {told} of {len(target.env)} settings" if told else " and the app answers"


def _same_value(told: str, wanted: str) -> bool:
    """Equal as text, as numbers, or as a switch: an app that reads `5.0` may tell `5`, and `on` as `true`."""
    if told in _SWITCH:
        return wanted.lower() in _SWITCH[told]
    try:
        return told == wanted or float(told) == float(wanted)
    except ValueError:
        return False


_SWITCH = {"true": ("true", "yes", "on", "1"), "false": ("false", "no", "off", "0")}
