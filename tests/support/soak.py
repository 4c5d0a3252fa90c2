"""`make soak`: ten minutes of random faults and load, every invariant checked throughout; ends with 1 at the first that fails.

python -m tests.support.soak [MINUTES [SEED]]     the seed is printed, so that a failure can be played again

Two lanes beside each other: one mostly computes, the other mostly waits for real workers.
"""

import asyncio
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
MINUTES = 10.0
GRACE = 240
"""Seconds that a program may take beyond its share: what it has begun, it ends."""


def lanes(seconds: float, seed: int, folder: Path) -> tuple[tuple[tuple[str, ...], ...], ...]:
    """The programs of each lane, one after the other."""
    quarter, half = f"{seconds / 4:.0f}", f"{seconds / 2:.0f}"
    fleet = ("tests.support.fleet_program", "--services", "24", "--changes", "100000", "--seconds", half)
    return (
        (
            ("tests.support.matrix", quarter, str(seed)),
            ("tests.support.faulty", quarter, str(seed)),
            ("tests.support.interference", quarter, str(seed)),
            ("tests.support.killing", str(folder), quarter, str(seed)),
        ),
        (
            (*fleet, "--workers", "2", "--seed", str(seed)),
            (*fleet, "--workers", "3", "--seed", str(seed + 1)),
        ),
    )


async def run_lane(programs: Sequence[Sequence[str]], share: float) -> None:
    """Raises RuntimeError with what a program said before it failed."""
    for program in programs:
        began = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *program, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(), share + GRACE)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        took = time.monotonic() - began
        print(f"\n== {' '.join(program)}  ({took:.0f} s)\n{output.decode(errors='replace').rstrip()}", flush=True)  # noqa: T201
        if process.returncode:
            raise RuntimeError(f"{program[0]} ended with {process.returncode}")


async def soak(minutes: float, seed: int) -> None:
    """Both lanes to their end. Raises ExceptionGroup at the first failure."""
    seconds = minutes * 60
    with TemporaryDirectory() as folder:
        async with asyncio.TaskGroup() as group:
            for lane in lanes(seconds, seed, Path(folder)):
                group.create_task(run_lane(lane, seconds / len(lane)))


def main() -> int:
    """See the module."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else MINUTES
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1_000_000)
    print(f"soaking for {minutes:g} minutes, seed {seed}", flush=True)  # noqa: T201
    failed: list[BaseException] = []
    try:
        asyncio.run(soak(minutes, seed))
    except* (RuntimeError, TimeoutError) as failures:
        failed += failures.exceptions
    for failure in failed:
        print(f"\nFAILED: {failure}; again: python -m tests.support.soak {minutes:g} {seed}", file=sys.stderr)  # noqa: T201
    if not failed:
        print("\nAll invariants held.")  # noqa: T201
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
