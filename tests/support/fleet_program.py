"""Several real workers on one Postgres, with all that can happen to them, as a program of its own.

`python -m tests.support.fleet_program --workers 3 --services 24 --changes 500 --seconds 300 --seed 1`

starts the embedded Postgres, the simulator over real HTTP (its rate limits off: hundreds of changes by hand would wait for them),
an app that is calm, and two or three real `autoscaler run` processes; asks for changes of all services, up and down in turn, some
of which fail; and meanwhile kills, stops, disconnects and replaces workers whose wall clocks are wrong. It prints its figures, and
fails with what was wrong.
"""

import argparse
import asyncio
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.support.fleet_asker import Asker
from tests.support.fleet_checks import check
from tests.support.fleet_evidence import evidence
from tests.support.fleet_place import Place, a_place
from tests.support.fleet_trouble import Trouble
from tests.support.fleet_witnesses import Findings
from tests.support.postgres import PostgresServer, postgres_server

SKEWS = (0, 120_000, -60_000, 17_000, -9_000)
"""By how much the wall clocks of workers are off, ms."""
BEHIND = 60.0
"""Who asks has the latest clock of all, seconds: a change is due when the clock of the worker that carries it on says so."""
RENDER_SKEW = 45.0
PAUSE = (3.0, 8.0)
"""Seconds between two troubles."""
SETTLE = 200.0
"""Longest wait, in seconds, for what is still open at the end: a deploy that nobody knows of is waited for for 90."""

Story = Callable[[Trouble], Awaitable[None]]


async def fleet(
    server: PostgresServer,
    folder: Path,
    *,
    workers: int,
    services: int,
    changes: int,
    seconds: float,
    seed: int,
    story: Story | None = None,
    settle: float = SETTLE,
) -> Findings:
    """One run. With a story, that is what happens to the workers, instead of what is drawn from the seed."""
    rng = random.Random(seed)
    async with a_place(folder, server, services, RENDER_SKEW) as place:
        asker = Asker(place, random.Random(seed), changes, BEHIND)
        trouble = Trouble(place, asker, rng, workers, SKEWS)
        await asyncio.gather(*(trouble.start(slot) for slot in range(workers)))
        await trouble.shared()
        began = time.time()
        asking = asyncio.create_task(asker.run(seconds, settle))
        told = _tell(story, trouble, asker) if story else trouble.run(lambda: _is_enough(asker, began, seconds), PAUSE)
        try:
            await asyncio.gather(asking, told)
        finally:
            asking.cancel()
        took = time.time() - began
        await _end(place, trouble)
        _keep(folder, "trouble.txt", "\n".join(trouble.timeline))
        found = await check(place, asker, trouble)
        if found.wrong:
            _keep(folder, "evidence.txt", await evidence(place, found.wrong))
    found.figures = {"workers": workers, "services": services, "seed": seed, "seconds": round(took)} | found.figures
    found.figures["trouble"] = dict(trouble.counts)
    found.figures["clocks, ms"] = sorted({life.wrong_by for life in place.lives})
    return found


async def _tell(story: Story, trouble: Trouble, asker: Asker) -> None:
    await story(trouble)
    await trouble.well_again()
    asker.most = len(asker.asked)


def _is_enough(asker: Asker, began: float, seconds: float) -> bool:
    return len(asker.asked) >= asker.most or time.time() - began >= seconds


async def _end(place: Place, trouble: Trouble) -> None:
    await asyncio.gather(*(trouble.end(life) for life in place.lives if life.ended_at is None))


def _keep(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)


def _told(found: Findings) -> str:
    lines = [f"{name}: {value}" for name, value in found.figures.items()]
    wrong = [f"WRONG: {one[:2000]}" for one in found.wrong[:20]]
    return "\n".join([*lines, *wrong, f"{len(found.wrong)} things were wrong"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--services", type=int, default=24)
    parser.add_argument("--changes", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a new folder for the logs")
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="autoscaler-fleet-"))
    folder.mkdir(exist_ok=True)
    arguments = {name: getattr(options, name) for name in ("workers", "services", "changes", "seconds", "seed")}
    with postgres_server() as server:
        found = asyncio.run(fleet(server, folder, **arguments))
    _keep(folder, "figures.json", json.dumps(found.figures, indent=1))
    print(_told(found))  # noqa: T201 - what it is for
    if options.keep or found.wrong:
        print(f"logs: {folder}")  # noqa: T201
    else:
        shutil.rmtree(folder)
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
