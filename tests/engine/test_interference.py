"""Pushes, rollbacks, the dashboard, Blueprints and other programs, between any two calls of ours (hypothesis, stateful)."""

import asyncio
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from autoscaler.adapters.store import open_store
from tests.support.interfering import LOADS, Town

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where a database costs no disk."""

FOREIGN = (
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
    ("fail", "update"),
    ("fail", "build"),
    ("cancel",),
)


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A migrated, empty database."""
    file = tmp_path_factory.mktemp("store") / "template.db"

    async def migrate():
        store = open_store(f"sqlite:///{file}")
        await store.migrate()
        await store.close()

    asyncio.run(migrate())
    return file


class Interference(RuleBasedStateMachine):
    """Everybody does what they like; whenever we call Render, they may have been there first."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="town-", dir=MEMORY))
        self.runner = asyncio.Runner()
        self.town: Town | None = None

    @initialize(
        overlap=st.sampled_from(("override", "wait")), lag=st.sampled_from((0, 20)), rung=st.sampled_from((0, 1, 2))
    )
    def begin(self, overlap, lag, rung):
        shutil.copy(self.template, self.folder / "bot.db")
        self.town = Town(self.folder, overlap, lag, rung)
        self.runner.run(self.town.start())
        self.runner.run(self.town.pass_time(7))

    @rule(after=st.integers(0, 14), act=st.sampled_from(FOREIGN))
    def somebody(self, after, act):
        self.town.plan(after, act)

    @rule(load=st.sampled_from(sorted(LOADS)))
    def load(self, load):
        self.town.load = load

    @rule(polls=st.sampled_from((1, 3, 12, 30)))
    def time_passes(self, polls):
        self.runner.run(self.town.pass_time(polls))

    @rule(after=st.integers(0, 14), answered=st.booleans())
    def killed(self, after, answered):
        self.town.kill(after, answered=answered)

    def teardown(self):
        try:
            if self.town is not None:
                self.runner.run(self.town.at_rest())
        finally:
            if self.town is not None:
                self.runner.run(self.town.end())
            self.runner.close()
            shutil.rmtree(self.folder)


def test_whatever_people_do_between_our_calls_the_order_holds_and_the_env_fits_again(template):
    Interference.template = template
    run_state_machine_as_test(
        Interference,
        settings=settings(
            max_examples=12,
            stateful_step_count=12,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
