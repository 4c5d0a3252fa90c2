"""What needed a yes may be gone before anybody gave it, or just as they do: then the change begins once, and its question ends."""

from dataclasses import replace

import pytest

from autoscaler.core.change import State
from autoscaler.core.why import Why
from render_client.sim.spec import Disk
from tests.engine.test_asking import say, until_asked
from tests.support.rig import SERVICE, running_rig


@pytest.fixture
async def rig(tmp_path):
    """People are asked because it has a disk."""
    async with running_rig(tmp_path, service={"disk": Disk()}) as made:
        yield made


def loses_its_disk(rig):
    del rig.sim.world.services[SERVICE].details["disk"]
    rig.managed.seen = replace(rig.managed.seen, has_disk=False)


async def test_a_yes_in_the_pass_in_which_it_is_not_needed_any_more_begins_the_change(rig):
    change = await until_asked(rig)
    assert rig.passes[-1].verdict.why is Why.DISK_DOWNTIME
    await say(rig, change)
    loses_its_disk(rig)
    await rig.run(seconds=10)
    (begun,) = await rig.changes()
    assert (begun.id, begun.question.agreed_by) == (change.id, "ada")
    assert begun.state.is_open
    assert rig.passes[-1].change.id == change.id


async def test_without_one_the_question_is_withdrawn_and_the_change_begins(rig):
    change = await until_asked(rig)
    loses_its_disk(rig)
    await rig.run(seconds=10)
    asked, begun = await rig.changes()
    assert (asked.id, asked.state, asked.outcome) == (change.id, State.SUPERSEDED, "it needs nobody's yes any more")
    assert begun.state.is_open
    assert rig.managed.proposal is None
