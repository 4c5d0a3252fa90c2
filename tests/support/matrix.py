"""The crash matrix in one process: every scene cut off at every boundary, and every pair with its recovery.

python -m tests.support.matrix              singles of all scenes, pairs of the first: the table of counts
python -m tests.support.matrix SECONDS SEED sampled pairs of all scenes for so long
"""

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from tests.support.matrix_checks import check_end
from tests.support.matrix_lives import Bench, Image, Life, bench
from tests.support.matrix_scenes import SCENES, Scene


@dataclass
class Counts:
    """What was tried. A boundary at which nothing lasting has happened since the one before is the same crash: tried once."""

    scene: str
    points: int = 0
    """Boundaries at which a process was cut off."""
    lives: int = 0
    """Processes that carried on afterwards."""
    pairs: int = 0
    """Boundaries of those processes at which they were cut off in turn."""
    pair_lives: int = 0

    def row(self) -> str:
        """For the table."""
        return f"{self.scene:44} {self.points:6} {self.lives:6} {self.pairs:8} {self.pair_lives:6}"


_AT_A_TIME = 5
"""Pairs of one first crash before the next one has its turn."""

HEADER = f"{'scene':44} {'points':>6} {'lives':>6} {'pairs':>8} {'lives':>6}"


async def lived(made: Bench, scene: Scene, image: Image, *, recorded: bool = False, away: int = 0) -> tuple[Image, ...]:
    """Carry on from an image to the end, which must be the right one. Raises AssertionError that tells where it was cut off."""
    life = Life(made, scene, image, recorded=recorded, away=away)
    try:
        await life.live()
        await check_end(life)
    except Exception as error:
        error.add_note(f"{scene.name}, cut off: {'; then '.join(image.crashes) or 'never'}")
        raise
    return tuple(life.images)


async def singles(made: Bench, scene: Scene, counts: Counts, *, away: int = 0) -> None:
    """A crash at every boundary of the scene."""
    for image in await lived(made, scene, await made.first(scene), recorded=True):
        await lived(made, scene, image, away=away)
        counts.points += image.boundaries
        counts.lives += 1


async def pairs(made: Bench, scene: Scene, counts: Counts, *, part: int = 0, of: int = 1) -> None:
    """Every pair: a crash, and another one of the process that follows it. `part` of `of`: of the first crashes only these."""
    for image in (await lived(made, scene, await made.first(scene), recorded=True))[part::of]:
        counts.points += image.boundaries
        counts.lives += 1
        for second in await lived(made, scene, image, recorded=True):
            await lived(made, scene, second)
            counts.pairs += image.boundaries * second.boundaries
            counts.pair_lives += 1


async def sampled_pairs(seconds: float, seed: int, scenes: Iterable[Scene] = SCENES) -> list[Counts]:
    """Pairs of all scenes in turn, drawn without repetition from the seed, for so long or until there are no more."""
    drawn, until = random.Random(seed), time.monotonic() + seconds
    with bench() as made:
        tables = [(Counts(scene.name), _drawn_pairs(made, scene, drawn)) for scene in scenes]
        left = list(tables)
        while left and time.monotonic() < until:
            for table in tuple(left):
                counts, images = table
                boundaries = await anext(images, None)
                if boundaries is None:
                    left.remove(table)
                    continue
                counts.pairs += boundaries
                counts.pair_lives += 1
    return [counts for counts, _ in tables]


async def _drawn_pairs(made: Bench, scene: Scene, drawn: random.Random) -> AsyncIterator[int]:
    """Every pair of the scene once, a few of each first crash at a time; how many boundaries each stands for."""
    firsts = list(await lived(made, scene, await made.first(scene), recorded=True))
    drawn.shuffle(firsts)
    orders: dict[Image, list[int]] = {}
    while firsts:
        for first in tuple(firsts):
            seconds = await lived(made, scene, first, recorded=True)
            order = orders.setdefault(first, drawn.sample(range(len(seconds)), len(seconds)))
            for _ in range(min(_AT_A_TIME, len(order))):
                second = seconds[order.pop()]
                await lived(made, scene, second)
                yield first.boundaries * second.boundaries
            if not order:
                firsts.remove(first)


async def table() -> None:
    """Print the counts of what `make test` tries."""
    print(HEADER)  # noqa: T201 - it is what the program is for
    with bench() as made:
        for number, scene in enumerate(SCENES):
            counts = Counts(scene.name)
            await (pairs if number == 0 else singles)(made, scene, counts)
            print(counts.row())  # noqa: T201 - see above


def main() -> None:
    """See the module."""
    match sys.argv[1:]:
        case [seconds, seed]:
            rows = asyncio.run(sampled_pairs(float(seconds), int(seed)))
            print("\n".join([HEADER, *(counts.row() for counts in rows)]))  # noqa: T201 - it is what the program is for
        case _:
            asyncio.run(table())


if __name__ == "__main__":
    main()
