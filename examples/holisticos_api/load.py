"""Puts load on the sample app: so many users who ask, wait for the answer, think for a moment and ask again.

    python load.py http://127.0.0.1:8000 --stages "20s:2,40s:14,30s:1"

Each stage is seconds and users. One line is printed at each change of stage and one at the end. SIGTERM and Ctrl-C end it; it exits 0.
Failed requests are counted and do not end it: while a deploy moves traffic some may fail.
"""

import argparse
import asyncio
import re
import signal
from dataclasses import dataclass
from itertools import count

import httpx

THINK_SECONDS = 0.1
PAUSE_AFTER_FAILURE = 0.5  # seconds


@dataclass(frozen=True, slots=True)
class Stage:
    """So many users for so many seconds."""

    seconds: float
    users: int


@dataclass(slots=True)
class Tally:
    """What came back since the last line was printed."""

    answered: int = 0
    failed: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        """One phrase for the terminal."""
        mean = f"{self.seconds / self.answered:.2f} s on average" if self.answered else "no answer"
        return f"{self.answered} answered, {mean}, {self.failed} failed"


def parse_stages(text: str) -> list[Stage]:
    """Read `20s:2,40s:14`.

    Raises:
        argparse.ArgumentTypeError: a part is no `<seconds>s:<users>`.
    """
    stages = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)s:(\d+)", part.strip())
        if match is None:
            raise argparse.ArgumentTypeError(f"{part!r} is not a stage: write <seconds>s:<users>, such as 20s:2")
        stages.append(Stage(float(match[1]), int(match[2])))
    return stages


async def one_user(client: httpx.AsyncClient, path: str, tally: Tally) -> None:
    """Ask, wait, think, for ever."""
    clock = asyncio.get_running_loop().time
    while True:
        asked = clock()
        try:
            response = await client.post(path)
            response.raise_for_status()
        except httpx.HTTPError:
            tally.failed += 1
            await asyncio.sleep(PAUSE_AFTER_FAILURE)
        else:
            tally.answered += 1
            tally.seconds += clock() - asked
            await asyncio.sleep(THINK_SECONDS)


async def run_stages(url: str, stages: list[Stage]) -> None:
    """Go through the stages; users come and go between them, those who stay are not interrupted."""
    tally = Tally()
    names = count(1)
    users: list[asyncio.Task[None]] = []
    # Unlimited: a pool of connections in the client must not be what the app waits for.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=30, limits=limits, trust_env=False) as client:
        try:
            for stage in stages:
                print(f"load: {stage.users} users for {stage.seconds:g} s (before: {tally})", flush=True)
                while len(users) < stage.users:
                    users.append(asyncio.create_task(one_user(client, f"/api/analysis/user-{next(names)}", tally)))
                leaving, users = users[stage.users :], users[: stage.users]
                await cancel(leaving)
                tally.answered, tally.failed, tally.seconds = 0, 0, 0.0
                await asyncio.sleep(stage.seconds)
        finally:
            await cancel(users)
            print(f"load: over ({tally})", flush=True)


async def cancel(tasks: list[asyncio.Task[None]]) -> None:
    """End these users and wait until they are gone."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def main() -> None:
    """Read the command line, run, and end early on a signal."""
    parser = argparse.ArgumentParser(description="Put load on the sample app.")
    parser.add_argument("url", help="where the app answers, such as http://127.0.0.1:8000")
    parser.add_argument("--stages", type=parse_stages, default="20s:2,40s:14,30s:1", help="default: %(default)s")
    arguments = parser.parse_args()
    running = asyncio.create_task(run_stages(arguments.url, arguments.stages))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    await asyncio.wait([running])
    if not running.cancelled():
        running.result()


if __name__ == "__main__":
    asyncio.run(main())
