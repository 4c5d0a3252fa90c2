"""What else happens to a service on Render is told, each thing once; and a fight is given up after the second revert."""

import pytest

from autoscaler.core.why import Why
from render_client.sim import suspension
from render_client.sim.controls import dashboard
from tests.support.rig import BUSY, MVP_ENV, SCALED_ENV, Load, running_rig

EVEN = Load(10.0, {"starter": 0.8, "standard": 0.8})


def suspend(rig):
    suspension.suspend(rig.sim.world, rig.service, rig.clock.now())


def resume(rig):
    suspension.resume(rig.sim.world, rig.service, rig.clock.now())


def autoscaling(rig):
    rig.service.details["autoscaling"] = {"enabled": True, "min": 1, "max": 3, "criteria": {}}


def no_autoscaling(rig):
    del rig.service.details["autoscaling"]


def a_disk(rig):
    rig.service.details["disk"] = {"id": "dsk-1", "name": "data", "sizeGB": 1, "mountPath": "/data"}


def no_disk(rig):
    del rig.service.details["disk"]


@pytest.mark.parametrize(
    ("begins", "told", "ends", "told_then"),
    (
        (suspend, "was suspended on Render: I leave it alone", resume, "runs again on Render"),
        (autoscaling, "has Render's own autoscaling now", no_autoscaling, "has Render's own autoscaling no more"),
        (
            a_disk,
            "has a disk now: a change of plan means some minutes down, so I ask first",
            no_disk,
            "has no disk any more",
        ),
    ),
)
async def test_what_begins_and_what_ends_is_told_once(tmp_path, begins, told, ends, told_then):
    async with running_rig(tmp_path) as rig:
        rig.load = EVEN
        await rig.run(minutes=2)
        begins(rig)
        await rig.run(minutes=10)
        assert sum(told in title for title in rig.told.titles) == 1
        ends(rig)
        await rig.run(minutes=10)
        assert [sum(words in title for title in rig.told.titles) for words in (told, told_then)] == [1, 1]


async def test_a_plan_that_somebody_set_is_told_once(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.load = EVEN
        await rig.run(minutes=2)
        dashboard(rig.sim.world, rig.service, rig.clock.now(), plan="standard", env=SCALED_ENV)
        await rig.run(minutes=5)
        await rig.restart()
        await rig.run(minutes=10)
        assert rig.told.titles == ["Somebody set holisticos-api to standard (scaled)"]


async def test_after_the_second_revert_within_a_day_it_gives_way_and_says_so_once(tmp_path):
    async with running_rig(tmp_path) as rig:
        for _ in range(2):
            rig.load = BUSY
            await rig.run(minutes=5)
            assert rig.running[0] == "standard"
            dashboard(rig.sim.world, rig.service, rig.clock.now(), plan="starter", env=MVP_ENV)
            rig.load = EVEN
            await rig.run(minutes=65)  # three restarts within an hour would hold it as well
        rig.load = BUSY
        await rig.run(minutes=10)
        assert [change.target.tier for change in await rig.changes()] == ["scaled", "scaled"]
        assert [blocker.why for blocker in rig.passes[-1].verdict.blockers] == [Why.FIGHT]
        assert sum("needs you: mvp → scaled is held" in title for title in rig.told.titles) == 1
