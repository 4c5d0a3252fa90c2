"""Workers of one instance, in one folder and on one clock."""

from contextlib import ExitStack

import pytest

from tests.support.asgi import Clock
from tests.support.workers import BIRTH, Worker


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "family"


@pytest.fixture
def hire(folder, clock):
    """Start workers, who leave at the end."""
    with ExitStack() as at_the_end:

        def start(birth=BIRTH):
            worker = Worker(folder, clock, birth)
            at_the_end.callback(worker.die)
            return worker

        yield start
