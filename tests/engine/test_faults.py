"""Whatever goes wrong with whichever call of a change, over real HTTP, it ends as it must, and nothing is done twice."""

import logging

import pytest

from tests.support.faulty import CHOSEN, DOWN, FAULTS, MET, found, one_of_each, play_all

WAYS = {scene.name: scene for scene in CHOSEN}
KINDS = 7
"""Of calls: service, env, deploys and events are read; plan, a variable and a deploy are written."""


@pytest.fixture(autouse=True)
def quiet():
    """Each of some hundred changes says why it waits."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize(("way", "turn"), (("an up", 0), ("a down", 1)))
@pytest.mark.parametrize("part", range(2))
async def test_every_call_meets_every_fault_going_up_or_down(way, turn, part, record_property):
    """As on a chessboard: what a call meets on the way up, its neighbours meet on the way down. `make soak` plays all."""
    scene = WAYS[way]
    cells = list(one_of_each(scene, await found(scene), turn=turn, of=2))
    assert len({cell.place.call for cell in cells}) == KINDS
    assert len(cells) > KINDS * len(FAULTS) // 3
    counts = await play_all(cells[part::2])
    record_property("faults", str(dict(counts)))
    assert counts[way] == len(cells[part::2])
    assert counts[MET] >= counts[way]


@pytest.mark.parametrize("way", ("scale out", "scale in", "an emergency crosses a down"))
async def test_so_do_the_calls_that_only_some_changes_make(way, record_property):
    scene = WAYS[way]
    where = [place for place in await found(scene) if place.path.endswith(("/scale", "/cancel"))]
    cells = list(one_of_each(scene, where))
    assert {cell.fault for cell in cells} == {*FAULTS, DOWN}
    counts = await play_all(cells)
    record_property("faults", str(dict(counts)))
    assert counts[way] == len(cells)
