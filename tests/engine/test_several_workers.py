"""Two and three real workers on one Postgres: of all that happens to them nothing shows in what they do.

Forty seconds of what `python -m tests.support.fleet_program` does for minutes: see there. A lease lasts 25 s here as it does in
production, so most of that time others wait for what a dead worker held.
"""

import asyncio

import pytest

from tests.support.fleet_program import fleet


async def two(trouble):
    """One stops before a write that it has written down; the other one is replaced, and what follows it is disconnected."""
    caught, other = trouble.place.lives

    async def meanwhile():
        await trouble.do("replaced", other)
        heir = trouble.place.lives[-1]
        await trouble.do("paused", heir, seconds=3)
        await trouble.do("disconnected", heir)
        await trouble.do("cut", heir, seconds=0.3)

    await asyncio.gather(trouble.do("caught", caught, step="set MAX_CONCURRENT", repeats=1), meanwhile())


async def three(trouble):
    """One stops before a write that it has written down, one is killed, and the third stands still for a while."""
    caught, killed, other = trouble.place.lives

    async def meanwhile():
        await trouble.do("killed", killed, after=1)
        heir = trouble.place.lives[-1]
        await asyncio.gather(trouble.do("paused", other, seconds=12), trouble.do("cut", heir, seconds=0.3))
        await trouble.do("disconnected", other)

    await asyncio.gather(trouble.do("caught", caught, step="set plan", repeats=1), meanwhile())


@pytest.mark.parametrize(
    ("workers", "story", "killed"), ((2, two, 0), (3, three, 1)), ids=("two workers", "three workers")
)
async def test_whatever_happens_to_workers_every_change_ends_right_and_nothing_is_done_twice(
    postgres, tmp_path, record_property, workers, story, killed
):
    found = await fleet(
        postgres,
        tmp_path,
        workers=workers,
        services=6 * workers,
        changes=1_000,
        seconds=90,
        seed=1,
        story=story,
        settle=100,
    )
    record_property("figures", found.figures)
    assert found.wrong == [], (tmp_path / "evidence.txt").read_text()[-20_000:]
    assert found.figures["changes"] >= 4 * workers
    assert found.figures["stops between check and send"] == 1
    assert found.figures["repeated calls inside a stop"] >= 1, "Render knows nothing of leases, and takes it"
    assert found.figures["of these without any effect"] == found.figures["repeated calls inside a stop"]
    assert found.figures["writes refused by the fence"] >= 1
    assert found.figures["killed"] == killed
