"""What a change would do, call by call, without doing it: the very steps of `next_step`, on a world that says yes to all."""

from dataclasses import dataclass, replace

from autoscaler.core.change import Change, DeploySeen, State, World
from autoscaler.core.steps import (
    AskDeploy,
    Become,
    CancelDeploy,
    Redeploy,
    SetEnv,
    SetInstances,
    SetPlan,
    Wait,
    Write,
    attempted,
    confirmed,
    next_step,
)

_MOST = 1000
"""More than any ladder has variables."""


@dataclass(frozen=True, slots=True)
class Preview:
    """The calls in order, and what would stop or delay them, if anything."""

    writes: tuple[Write, ...]
    note: str = ""


def preview(change: Change, world: World, now: int) -> Preview:
    """Every write, as if each succeeded and the deploy went live."""
    writes: list[Write] = []
    for _ in range(_MOST):
        match next_step(change, world, now, look_every=0):
            case Wait(why=why):
                return Preview(tuple(writes), why)
            case Become(change=after):
                if after.state.is_final:
                    return Preview(tuple(writes), after.outcome)
                if after.state is State.SOAKING:
                    return Preview(tuple(writes))
                change = after
            case write:
                writes.append(write)
                change, world = confirmed(attempted(change, write, now), write), _after(world, write)
    return Preview(tuple(writes), "more steps than can be shown")


def _after(world: World, write: Write) -> World:
    match write:
        case SetPlan(plan):
            return replace(world, plan=plan)
        case SetInstances(count):
            return replace(world, instances=count)
        case SetEnv(name, value):
            return replace(world, env={**world.env, name: value})
        case CancelDeploy(deploy_id):
            return replace(world, deploys=tuple(_cancelled(one, deploy_id) for one in world.deploys))
        case Redeploy():
            return world
        case AskDeploy(newest):
            ours = DeploySeen("", "live", "api", newest.created_at, newest.commit)
            return replace(world, deploys=(ours, *world.deploys))


def _cancelled(one: DeploySeen, deploy_id: str) -> DeploySeen:
    return replace(one, status="canceled") if one.id == deploy_id else one
