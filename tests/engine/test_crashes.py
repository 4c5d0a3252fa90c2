"""Cut off at any boundary of any call of any port, a worker is followed by one that ends the change as if nothing had been."""

import pytest

from tests.support.matrix import Counts, pairs, singles
from tests.support.matrix_lives import bench
from tests.support.matrix_scenes import SCENES

PARTS, PLAYED = 6, (0, 3)
"""Of the pairs; `python -m tests.support.matrix` plays all."""


@pytest.fixture
def made():
    with bench() as it:
        yield it


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
async def test_after_a_crash_at_any_boundary_the_change_ends_as_if_nothing_had_been(made, scene, record_property):
    counts = Counts(scene.name)
    await singles(made, scene, counts)
    record_property("crashes", counts.row())
    assert counts.points > 150
    assert counts.lives >= 30


@pytest.mark.parametrize("part", PLAYED)
async def test_a_crash_of_the_recovery_at_any_boundary_changes_nothing_either(made, part, record_property):
    counts = Counts(SCENES[0].name)
    await pairs(made, SCENES[0], counts, part=part, of=PARTS)
    record_property("pairs", counts.row())
    assert counts.pairs > 500
