"""What a walk still has to write, and whether a person has written meanwhile.

A tier's values run only on its plan or a larger one (design, section 5): on the way to the larger tier the plan goes first,
on the way to the smaller one the env vars do, whichever way is back.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from autoscaler.core.change import Change, Direction, World
from autoscaler.core.plans import same_plan
from autoscaler.core.steps.kinds import SetEnv, SetInstances, SetPlan, Write


@dataclass(frozen=True, slots=True)
class _Values:
    plan: str
    instances: int
    env: Mapping[str, str | None]


def missing(change: Change, world: World) -> Iterator[Write]:
    """What still has to be replaced, in order. Only what is as this walk found it: anything else is a person's by now."""
    old, new = _walk(change)
    if new.instances < old.instances:
        yield from _instances(change, world)  # scale in first; out only once the new plan is live
    env: list[Write] = [
        SetEnv(name, value)
        for name, value in new.env.items()
        if value is not None and world.env.get(name) == old.env[name] != value and f"env:{name}" not in change.written
    ]
    plan: list[Write] = []
    if same_plan(world.plan, old.plan) and not same_plan(old.plan, new.plan) and "plan" not in change.written:
        plan.append(SetPlan(new.plan))
    grows = (change.direction is Direction.UP) != (change.walking_back is not None)
    yield from [*plan, *env] if grows else [*env, *plan]


def scale_out(change: Change, world: World) -> Iterator[SetInstances]:
    """The instances that the walk still has to add, once its plan is live."""
    old, new = _walk(change)
    if new.instances > old.instances:
        yield from _instances(change, world)


def person(change: Change, world: World) -> str | None:
    """What a person wrote since preflight: a value that is neither before nor after, or that differs from what we wrote.

    Once the deploy is asked for it carries what was configured then, and its end has to be seen: after that only another
    plan takes over. A variable that is edited later is left alone, and runs with the next deploy.
    """
    old, new = _walk(change)
    if not same_plan(world.plan, new.plan) and ("plan" in change.written or not same_plan(world.plan, old.plan)):
        return f"somebody set the plan to {world.plan}"
    if change.attempts:
        return None
    wanted = {new.instances} if "instances" in change.written else {old.instances, new.instances}
    if not world.render_autoscaling and world.instances not in wanted:
        return f"somebody set {world.instances} instances"
    for name, value in new.env.items():
        now = world.env.get(name)
        if now != value and (f"env:{name}" in change.written or now != old.env[name]):
            return f"somebody changed {name}"
    return None


def _instances(change: Change, world: World) -> Iterator[SetInstances]:
    old, new = _walk(change)
    if world.instances == old.instances and not world.render_autoscaling and "instances" not in change.written:
        yield SetInstances(new.instances)


def _walk(change: Change) -> tuple[_Values, _Values]:
    """What this walk finds, and what it puts there. The way back gives a variable that was not set the tier's own value."""
    assert change.before is not None  # noqa: S101 - preflight set it before any write
    before, after = change.before, change.target
    target = _Values(after.plan, after.instances, after.env)
    if change.walking_back is None:
        return _Values(before.plan, before.instances, before.env), target
    seen = {name: change.origin.env.get(name) if value is None else value for name, value in before.env.items()}
    return target, _Values(before.plan, before.instances, seen)
