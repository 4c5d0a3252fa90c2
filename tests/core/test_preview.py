"""A preview lists the very calls that a change would make, to the last one, or says what stands in its way."""

from dataclasses import replace

import pytest

from autoscaler.core.change import DeploySeen, World
from autoscaler.core.preview import preview
from autoscaler.core.steps import AskDeploy
from tests.support.played import DOWN, IN, OUT, START, UP, Played

LIVE = DeploySeen("dep-1", "live", "new_commit", START - 1000, "c1")


@pytest.mark.parametrize("change", (UP, DOWN, OUT, IN))
def test_it_lists_the_calls_that_are_then_made(change):
    played = Played(change)
    shown = preview(change, played.observe(), START)
    played.to_the_end()
    assert shown.note == ""
    assert [one for one in shown.writes if not isinstance(one, AskDeploy)] == [
        one for one in played.writes if not isinstance(one, AskDeploy)
    ]
    assert list(map(type, shown.writes)) == list(map(type, played.writes))


def test_it_changes_nothing():
    played = Played(UP)
    seen = played.configured
    preview(UP, played.observe(), START)
    assert (played.configured, played.writes, played.looks) == (seen, [], 0)


@pytest.mark.parametrize(
    ("seen", "note"),
    (
        ({"suspended": True}, "the service is suspended; nothing was changed"),
        ({"plan": "pro"}, "somebody set the plan to pro; nothing was changed"),
        ({"deploys": (replace(LIVE, id="dep-2", status="created"), LIVE)}, "deploy dep-2 is under way"),
    ),
)
def test_what_stands_in_the_way_is_said_instead(seen, note):
    world = replace(World("starter", 1, UP.origin.env, (LIVE,)), **seen)
    assert preview(UP, world, START).note == note
    assert preview(UP, world, START).writes == ()
