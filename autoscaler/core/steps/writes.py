"""What a walk still has to write, and whether a person has written meanwhile.

A tier's values run only on its plan or a larger one (design, section 5): on the way to the larger tier the plan goes first,
on the way to the smaller one the env vars do, whichever way is back.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from autoscaler.core.change import Change, Direction, World
from autoscaler.core.plans import is_smaller, same_plan
from autoscaler.core.steps.kinds import SetEnv, SetInstances, SetPlan, Write

MOST_REWRITES = 3
"""How often a value is written in one walk, should calls of an earlier change keep arriving."""


@dataclass(frozen=True, slots=True)
class _Values:
    plan: str
    instances: int
    env: Mapping[str, str | None]


def missing(change: Change, world: World) -> Iterator[Write]:
    """What still has to be replaced, in order. Only what is as this walk found it: anything else is a person's by now.

    The order follows the sizes of the plan that is there and the one to come: after an emergency took the place of a change
    the way on may lead upwards from what that one had written, whatever the way is called.
    """
    old, new = _walk(change)
    if new.instances < old.instances:
        yield from _instances(change, world)  # scale in first; out only once the new plan is live
    env: list[Write] = [
        SetEnv(name, value)
        for name, value in new.env.items()
        if value is not None
        and world.env.get(name) != value
        and _is_ours(
            change, f"env:{name}", as_found=world.env.get(name) == old.env[name], left=_left(change, world, name)
        )
    ]
    plan: list[Write] = []
    as_found, left = same_plan(world.plan, old.plan), _left_plan(change, world)
    if not same_plan(world.plan, new.plan) and _is_ours(change, "plan", as_found=as_found, left=left):
        plan.append(SetPlan(new.plan))
    smaller = is_smaller(world.plan, new.plan)
    if smaller and not plan:
        return  # what was to be restored belongs to a larger plan than the person's
    upward = (change.direction is Direction.UP) != (change.walking_back is not None)
    grows = upward if smaller is None else smaller
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
    if (plan := foreign_plan(change, world)) is not None:
        return plan
    if change.attempts:
        return None
    wanted = {new.instances} if "instances" in change.written else {old.instances, new.instances}
    if not world.render_autoscaling and world.instances not in wanted:
        return f"somebody set {world.instances} instances"
    for name, value in new.env.items():
        now = world.env.get(name)
        as_found, left = now == old.env[name], _left(change, world, name)
        if now != value and not _is_ours(change, f"env:{name}", as_found=as_found, left=left):
            return f"somebody changed {name}"
    return None


def foreign_plan(change: Change, world: World) -> str | None:
    """Whether the plan is one that somebody else has set since this walk began."""
    old, new = _walk(change)
    as_found, left = same_plan(world.plan, old.plan), _left_plan(change, world)
    if same_plan(world.plan, new.plan) or _is_ours(change, "plan", as_found=as_found, left=left):
        return None
    return f"somebody set the plan to {world.plan}"


def _is_ours(change: Change, what: str, *, as_found: bool, left: bool) -> bool:
    """Whether a value may be replaced: it is as this walk found it, or a leftover of a change of ours that this one replaced.

    A leftover may arrive after our own write: a call of the earlier change that was on its way. A few times, and no more.
    """
    return (as_found and what not in change.written) or (left and change.written.count(what) < MOST_REWRITES)


def _left(change: Change, world: World, name: str) -> bool:
    return change.leftover is not None and world.env.get(name) == change.leftover.env.get(name)


def _left_plan(change: Change, world: World) -> bool:
    return change.leftover is not None and same_plan(world.plan, change.leftover.plan)


def _instances(change: Change, world: World) -> Iterator[SetInstances]:
    old, new = _walk(change)
    if world.instances == old.instances and not world.render_autoscaling and "instances" not in change.written:
        yield SetInstances(new.instances)


def _walk(change: Change) -> tuple[_Values, _Values]:
    """What this walk finds, and what it puts there.

    The way back gives what was not set, or what an earlier change of ours had left, the tier's own value.
    """
    assert change.before is not None  # noqa: S101 - preflight set it before any write
    before, after = change.before, change.target
    target = _Values(after.plan, after.instances, after.env)
    if change.walking_back is None:
        return _Values(before.plan, before.instances, before.env), target
    found, left, origin = before.env, change.leftover, change.origin
    if left is None:
        seen = {name: origin.env.get(name) if value is None else value for name, value in found.items()}
        return target, _Values(before.plan, before.instances, seen)
    whole = {
        name: origin.env.get(name) if value in {None, left.env.get(name)} else value for name, value in found.items()
    }
    plan = origin.plan if same_plan(before.plan, left.plan) else before.plan
    return target, _Values(plan, origin.instances if before.instances == left.instances else before.instances, whole)
