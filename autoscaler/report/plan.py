"""What a change would do, line by line, before anybody says yes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from autoscaler.core.change import Change, Direction
from autoscaler.core.durations import format_duration
from autoscaler.core.plans import same_plan
from autoscaler.report.units import format_plan, monthly_step


@dataclass(frozen=True, slots=True)
class Line:
    """`+` is set where nothing was, `~` gets another value, ` ` stays, `!` should be known first."""

    sign: str
    what: str
    text: str


@dataclass(frozen=True, slots=True)
class Around:
    """What matters beside the change itself."""

    env: Mapping[str, str]
    """What is configured now."""
    ours: frozenset[tuple[str, str]]
    """Every name and value that the policy itself holds: no other value is shown."""
    has_disk: bool
    pre_deploy: str
    month: float
    """USD that this month comes to with the target."""
    budget: float | None


def lines(change: Change, around: Around) -> tuple[Line, ...]:
    """In the order in which it is written: up the plan first, down the env values."""
    plan = list(_size(change))
    env = list(_env(change, around))
    ordered = [*plan, *env] if change.direction is Direction.UP else [*env, *plan]
    return (*ordered, Line("~", "cost", monthly_step(change.origin.monthly, change.target.monthly)), *_warnings(around))


def afterwards(change: Change, respect: int) -> str:
    """What happens once it is said yes to. `respect`: how long nothing comes down by itself then, ms."""
    return (
        f"Then one deploy of the build that is live. I look at it for {format_duration(change.soak)} and go back if it fails; "
        f"nothing comes down by itself for {format_duration(respect)} after it."
    )


def _size(change: Change) -> Iterator[Line]:
    before, after = change.origin, change.target
    changed = not same_plan(before.plan, after.plan) or before.instances != after.instances
    if changed:
        yield Line(
            "~", "plan", f"{format_plan(before.plan, before.instances)} → {format_plan(after.plan, after.instances)}"
        )
    else:
        yield Line(" ", "plan", f"{format_plan(after.plan, after.instances)}, as it is")


def _env(change: Change, around: Around) -> Iterator[Line]:
    def shown(name: str, value: str) -> str:
        return value if (name, value) in around.ours else "(somebody's)"

    for name, value in change.target.env.items():
        if name not in around.env:
            yield Line("+", name, shown(name, value))
        elif around.env[name] != value:
            yield Line("~", name, f"{shown(name, around.env[name])} → {shown(name, value)}")


def _warnings(around: Around) -> Iterator[Line]:
    if around.has_disk:
        yield Line("!", "downtime", "a few minutes: a service with a disk stops before it starts again")
    if around.pre_deploy:
        yield Line("!", "pre-deploy", f"`{around.pre_deploy}` runs with the deploy")
    if around.budget is not None and around.month > around.budget:
        yield Line("!", "budget", f"this month comes to ${around.month:.2f} of ${around.budget:.2f}")
