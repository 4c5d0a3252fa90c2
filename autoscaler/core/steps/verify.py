"""After it went live: does the new instance answer, and does it run with what was set?"""

from dataclasses import replace

from autoscaler.core.change import AppSeen, Change, Direction, Rung, State, World
from autoscaler.core.durations import MINUTE, SECOND, format_duration
from autoscaler.core.plans import same_plan
from autoscaler.core.steps.kinds import Become, Step, Wait, ended, walk_back

GLANCE = 30 * SECOND
"""Between two looks at what soaks."""
CRASH_LOOP = 3
"""So many failures of instances in one soak, or in one hour of the watch, are a crash loop."""
SELDOM, OFTEN = 10 * MINUTE, MINUTE
"""Between two looks at an up that is watched, and at a down."""
LAST_POLLS = 2 * MINUTE
"""After the watch: until then its last polls are in, and with them whether an up has helped."""
UNASKED = 10 * MINUTE
"""How long a poll is waited for: a worker that was away has not asked yet, and only who asks can meet with silence."""


def soak(change: Change, world: World, now: int, look_every: int) -> Step:
    """Its end is decided by polls made since it went live: one answer proves it, a soak's length of silence turns it back."""
    live_at = change.live_at or now
    over = live_at + change.soak
    if not same_plan(world.plan, change.target.plan):
        return ended(change, State.SUPERSEDED, f"somebody set the plan to {world.plan}; what a person set is kept", now)
    if cause := _not_enough(change, world):
        return walk_back(change, cause, now)
    if now < over:
        return Wait(min(over, now + GLANCE), "soaking")
    if world.app is not None and world.app.at >= live_at:
        unproven = world.few_requests is not None
        few = f"; unproven ({world.few_requests:.0f} requests so far)" if unproven else ""
        outcome = f"{change.target.plan} is live{_mismatch(change.target, world.app)}{few}"
        return _watching(change, outcome, now, unproven=unproven)
    if world.suspended:
        outcome = f"somebody suspended the service; {change.target.plan} had gone live, unproven"
        return ended(change, State.SUPERSEDED, outcome, now)
    return _unanswered(change, world, now, look_every)


def watch(change: Change, world: World, now: int) -> Step:
    """Until its time is over. A downgrade is taken back as soon as it proves too small; an up only waits for its report."""
    live_at = change.live_at or change.created_at
    until = live_at + change.watch + (LAST_POLLS if change.watch else 0)
    if change.direction is Direction.DOWN and (cause := _not_enough(change, world)):
        return walk_back(change, cause, now)
    if now >= until:
        return Become(replace(change, state=State.DONE, due_at=now))
    if change.unproven and world.app is not None and world.app.at >= live_at and world.few_requests is None:
        outcome = f"{change.target.plan} is live{_mismatch(change.target, world.app)}"
        after = f"proven {format_duration(now - live_at)} after it went live"
        return Become(replace(change, unproven=False, outcome=f"{outcome}, {after}"))
    if len(world.crashes) >= CRASH_LOOP and not change.crashes_told:
        told = f"Instances of {change.service} failed {len(world.crashes)} times within an hour"
        return Become(replace(change, crashes_told=True), told)
    return Wait(min(until, now + (SELDOM if change.direction is Direction.UP else OFTEN)), "watching")


def _not_enough(change: Change, world: World) -> str:
    """Why what went live is not kept: for an up only a crash loop, for a down whatever shows that the plan is too small."""
    if change.direction is Direction.DOWN and world.strain:
        return f"returned: {world.strain}"
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
    outcome = f"{change.target.plan} is live, unproven: the app gave no report since"
    return _watching(change, outcome, now, unproven=True)


def _watching(change: Change, outcome: str, now: int, *, unproven: bool) -> Become:
    moved = replace(change, state=State.WATCHING, outcome=outcome, unproven=unproven)
    return Become(replace(moved, ended_at=now, due_at=now))


def _mismatch(target: Rung, app: AppSeen) -> str:
    """Where the app itself says that it runs with something else than what we wrote; what that is may be anybody's."""
    wrong = [
        f"another {name} than {target.shown(name)}"
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
