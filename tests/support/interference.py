"""Everybody does what they like between any two calls of ours (hypothesis, stateful): see tests.support.interfering.

python -m tests.support.interference [SECONDS SEED]     drawn from the seed for so long: how many stories held
"""

import asyncio
import itertools
import logging
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from autoscaler.adapters.store import open_store
from tests.support.interfering import KINDS, Town
from tests.support.loaded_app import LOADS
from tests.support.meddling import ACTS
from tests.support.worlds import any_world

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where a database costs no disk."""
ROUND = 10
"""Stories before the time is looked at."""


def empty_database(file: Path) -> Path:
    """A migrated one, to be copied."""

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
        world=any_world(),
        lag=st.sampled_from((0, 20)),
        rung=st.sampled_from((0, 1, 2)),
        kind=st.sampled_from(("plain", *KINDS)),
    )
    def begin(self, world, lag, rung, kind):
        shutil.copy(self.template, self.folder / "bot.db")
        self.town = Town(self.folder, {**world, "list_lag": lag}, rung, kind)
        self.runner.run(self.town.start())
        self.runner.run(self.town.pass_time(7))

    @rule(after=st.integers(0, 14), act=st.sampled_from(ACTS))
    def somebody(self, after, act):
        self.town.plan(after, act)

    @rule(load=st.sampled_from(sorted(LOADS)))
    def load(self, load):
        self.town.app.load = load

    @rule(polls=st.sampled_from((1, 3, 12, 30)))
    def time_passes(self, polls):
        self.runner.run(self.town.pass_time(polls))

    @rule(after=st.integers(0, 14), answered=st.booleans())
    def killed(self, after, answered):
        self.town.kill(after, answered=answered)

    @rule(after=st.integers(0, 14), taken=st.booleans())
    def unanswered(self, after, taken):
        self.town.lose(after, taken=taken)

    @rule()
    def edited(self):
        self.runner.run(self.town.edit())

    def teardown(self):
        try:
            if self.town is not None:
                self.runner.run(self.town.at_rest())
                self.runner.run(self.town.people_come_once_more())
        finally:
            if self.town is not None:
                self.runner.run(self.town.end())
            self.runner.close()
            shutil.rmtree(self.folder)


def play(template: Path, stories: int, **more: object) -> None:
    """So many of them. Raises whatever fails, with the shortest story that does so."""
    Interference.template = template
    run_state_machine_as_test(
        Interference,
        settings=settings(
            max_examples=stories,
            stateful_step_count=12,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            **more,
        ),
    )


def main() -> None:
    """See the module."""
    logging.disable()
    seconds, drawn = (float(sys.argv[1]), int(sys.argv[2])) if len(sys.argv) > 1 else (60.0, random.randrange(10**6))
    until, folder = time.monotonic() + seconds, Path(tempfile.mkdtemp(prefix="towns-"))
    template = empty_database(folder / "template.db")
    for number in itertools.count():
        seed(drawn + number)(Interference)
        play(template, ROUND, database=None)
        if time.monotonic() > until:
            break
    shutil.rmtree(folder)
    print(f"{(number + 1) * ROUND} stories held, seed {drawn}")  # noqa: T201 - see main


if __name__ == "__main__":
    main()
