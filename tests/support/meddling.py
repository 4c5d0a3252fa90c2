"""What everybody else does to the service in the interference test: people, pushes, Blueprints, other programs, bad luck.

others = Others(render, clock)
others.act("plan", "starter", "save")
others.excused_until                    # until then the env may be too large for that plan
"""

from render_client.sim import ManualClock, configuration, fleet, lifecycle, suspension
from render_client.sim.controls import dashboard, fail_next_deploy, oom_kill, push
from render_client.sim.lifecycle import Order
from render_client.sim.state import Service
from tests.support.crashing import PlainRender

INTERVAL = 80_000
"""From the next look on the env follows a plan that somebody set, and within one drift interval it fits: a minute and two polls, ms."""
SHARE = {"enabled": True, "percentage": 60}
ACTS = (
    ("push",),
    ("rollback",),
    ("plan", "starter"),
    ("plan", "standard"),
    ("plan", "pro"),
    ("plan", "pro_plus"),
    ("plan", "starter", "save"),
    ("plan", "standard", "save"),
    ("sync", "starter"),
    ("sync", "standard"),
    ("env", "DB_POOL_SIZE", "99"),
    ("env", "DB_POOL_SIZE", "12", "save"),
    ("env", "MAX_CONCURRENT", "9", "save"),
    ("foreign",),
    ("suspend",),
    ("resume",),
    ("scale", "3"),
    ("scale", "1"),
    ("autoscaling", "on"),
    ("autoscaling", "off"),
    ("fail", "update"),
    ("fail", "build"),
    ("fail", "pre_deploy"),
    ("out_of_memory",),
    ("cancel",),
)
"""What they may do; a call that Render refuses has done nothing."""


class Others:
    """They act on the world itself; what has to be known of it to judge the bot is noted."""

    def __init__(self, render: PlainRender, clock: ManualClock) -> None:
        self.render = render
        self.clock = clock
        self.persons: set[tuple[str, str]] = set()
        """Names and values of variables that people set."""
        self.excused_until = 0
        """Until when the env may be too large for a plan that somebody else set, ms."""
        self.rolled_back: set[str] = set()
        """Deploys that bring old env vars, and may bring an old plan."""
        self.saved_only = False
        """Whether somebody left something undeployed."""
        self.log: list[tuple[object, ...]] = []
        """What they did, and when."""

    @property
    def service(self) -> Service:
        return self.render.service

    def act(self, what: str, *more: str) -> None:
        """Do it. Raises Refused."""
        self.log.append((self.clock.now(), what, *more))
        before = self.service.configured().plan
        getattr(self, f"_{what}")(*more)
        if self.service.configured().plan != before:
            self.excuse()

    def excuse(self) -> None:
        """The interval begins now: that of a worker that lives, and of a Render that answers it."""
        self.excused_until = self.clock.now() + INTERVAL

    @property
    def is_excused(self) -> bool:
        return self.clock.now() <= self.excused_until

    def _push(self) -> None:
        push(self.render.world, self.service, self.clock.now())

    def _plan(self, plan: str, how: str = "deploy") -> None:
        dashboard(self.render.world, self.service, self.clock.now(), plan=plan, deploy=how == "deploy")
        self.saved_only |= how != "deploy"

    def _sync(self, plan: str) -> None:
        """A Blueprint sync."""
        configuration.patch(self.render.world, self.service, {"serviceDetails": {"plan": plan}}, self.clock.now())
        self._deploy("blueprint_sync")

    def _env(self, name: str, value: str, how: str = "deploy") -> None:
        dashboard(self.render.world, self.service, self.clock.now(), env={name: value}, deploy=how == "deploy")
        self.persons.add((name, value))
        self.saved_only |= how != "deploy"

    def _rollback(self) -> None:
        older = [deploy for deploy in self.service.deploys if deploy.status == "deactivated"]
        if older:
            order = Order("rollback", older[-1].source, build=False, rollback_of=older[-1])
            deploy = lifecycle.request_deploy(self.render.world, self.service, order, self.clock.now())
            self.rolled_back.add(deploy.id)

    def _foreign(self) -> None:
        """Somebody else's program asks for a deploy through the API."""
        self._deploy("api")

    def _deploy(self, trigger: str) -> None:
        order = Order(trigger, lifecycle.branch_head(self.service), build=True)
        lifecycle.request_deploy(self.render.world, self.service, order, self.clock.now())

    def _suspend(self) -> None:
        suspension.suspend(self.render.world, self.service, self.clock.now())

    def _resume(self) -> None:
        suspension.resume(self.render.world, self.service, self.clock.now())

    def _scale(self, count: str) -> None:
        fleet.scale(self.render.world, self.service, int(count), self.clock.now())

    def _autoscaling(self, how: str) -> None:
        """Render's own."""
        config = {"enabled": True, "min": 1, "max": 3, "criteria": {"cpu": SHARE, "memory": SHARE}}
        configuration.set_autoscaling(
            self.render.world, self.service, config if how == "on" else None, self.clock.now()
        )

    def _fail(self, stage: str) -> None:
        fail_next_deploy(self.service, stage)

    def _out_of_memory(self) -> None:
        oom_kill(self.render.world, self.service, self.clock.now())

    def _cancel(self) -> None:
        if self.service.running_deploy:
            lifecycle.cancel(self.render.world, self.service, self.service.running_deploy, self.clock.now())
