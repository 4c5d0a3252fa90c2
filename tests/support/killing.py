"""A real worker killed at every write to Render and at every commit. A program of its own: it forks, and so has no threads.

python -m tests.support.killing FOLDER                every point of every scene once: the table of counts
python -m tests.support.killing FOLDER SECONDS SEED   pairs of points drawn from the seed, for so long

A run: the worker is killed at a point, and another one on the same database must bring the change to its right end; of a pair
that one is killed too, at a point of its own, and a third one goes on. Several lanes make runs beside each other.

The points are those that workers come to which are not killed. At a write the simulator kills the worker before the write takes
effect, and in another run after that but before the answer. At a commit the worker kills itself before COMMIT is sent, and in
another run when it has returned. What makes two commits the same is said at killing_worker.Commits; those that only record a
poll, a lease or a wait are killed once for each kind and state of the change, before COMMIT. An up whose deploy fails is up to
then like one that succeeds: what they have in common is killed there.
"""

import functools
import gc
import os
import pickle
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from itertools import chain
from pathlib import Path
from struct import Struct

from httpx._transports import default as transports

from tests.support.killing_runs import CHOSEN, Bench, Run, ended, forked
from tests.support.killing_worker import Point
from tests.support.matrix_scenes import Scene

LANES = 4 * (os.cpu_count() or 1)
"""Runs beside each other: most of a worker's time is waiting."""
RECORDINGS = 2
"""Of each scene: what a worker does beside its change is not always the same."""
TRIES = 4
"""A worker that does not come to its point is tried again."""
SECONDS_OF_ONE = 4
"""Second points for a first one, before another is drawn."""

_NUMBER = Struct("i")
_IMPORTED_LATE = (
    "alembic.command",
    "alembic.config",
    "anyio._backends._asyncio",
    "apscheduler.executors.asyncio",
    "apscheduler.triggers.interval",
    "httpcore",
    "autoscaler.adapters.slack.notifier",
)

Work = Callable[[Bench], list[Run]]


def preload() -> None:
    """All that a worker takes its time for at the start, once for all of them. No TLS is spoken, and no life is long here."""
    for name in _IMPORTED_LATE:
        import_module(name)
    transports.create_ssl_context = functools.cache(transports.create_ssl_context)
    for trust in (True, False):
        transports.create_ssl_context(verify=True, cert=None, trust_env=trust)
    gc.collect()
    gc.freeze()
    gc.disable()


def beside_each_other(folder: Path, work: Work) -> list[Run]:
    """The same work in every lane, a process each; all that they did."""

    def lane(number: int) -> None:
        runs = work(Bench(folder / f"lane-{number}"))
        (folder / f"{number}.runs").write_bytes(pickle.dumps(runs))

    codes = [ended(child) for child in [forked(functools.partial(lane, number), limit=0) for number in range(LANES)]]
    assert not any(codes), codes
    written = [(folder / f"{number}.runs").read_bytes() for number in range(LANES)]
    return [run for runs in written for run in pickle.loads(runs)]  # noqa: S301 - our own lanes wrote it


def all_of(jobs: Sequence[tuple[Scene, tuple[Point, ...]]]) -> Work:
    """Each of these runs once, by whichever lane is free. A point that was not come to is tried again."""
    waiting, put = os.pipe()
    os.write(put, b"".join(map(_NUMBER.pack, range(len(jobs)))))
    os.close(put)
    parent = os.getpid()

    def work(bench: Bench) -> list[Run]:
        done: list[Run] = []
        while (number := os.read(waiting, _NUMBER.size)) and os.getppid() == parent:
            scene, kills = jobs[_NUMBER.unpack(number)[0]]
            for _ in range(TRIES):
                done.append(bench.run(scene, *kills))
                if done[-1].met == len(kills) or done[-1].problems:
                    break
        return done

    return work


def pairs(seed: int, until: float, points: Mapping[str, Sequence[Point]]) -> Work:
    """Pairs drawn from the seed, of another order in every lane."""
    parent = os.getpid()

    def work(bench: Bench) -> list[Run]:
        drawn, done = random.Random(f"{seed} {bench.name}"), list[Run]()
        while time.monotonic() < until and os.getppid() == parent:
            scene = drawn.choice(CHOSEN)
            first = drawn.choice(points[scene.name])
            done.append(bench.run(scene, first))
            if done[-1].problems or not done[-1].met:
                continue
            seconds = list(kills(done[-1].points[1]))
            for second in drawn.sample(seconds, min(SECONDS_OF_ONE, len(seconds))):
                if time.monotonic() < until:
                    done.append(bench.run(scene, first, second))
        return done

    return work


def kills(points: Sequence[Point]) -> Iterator[Point]:
    """Every way to be killed at these points."""
    for point in points:
        for when in ("before",) if point.kind == "record" else ("before", "after"):
            yield replace(point, when=when)


def recorded(folder: Path) -> tuple[list[Run], dict[str, tuple[Point, ...]]]:
    """Runs without a kill, and every way to be killed in each scene; at records only where all its runs came to them."""
    runs = beside_each_other(folder, all_of([(scene, ()) for scene in CHOSEN] * RECORDINGS))
    points = {}
    for scene in CHOSEN:
        each = [run.points[0] for run in runs if run.scene.name == scene.name]
        every = dict.fromkeys(chain(*each))
        points[scene.name] = tuple(
            kills([one for one in every if one.kind != "record" or all(one in run for run in each)])
        )
    return runs, points


def each_once(points: Mapping[str, Sequence[Point]]) -> Iterator[tuple[Scene, tuple[Point, ...]]]:
    """The jobs of all scenes: what scenes that begin on the same tier have in common, and any record, in the first of them."""
    had = set[object]()
    for scene in CHOSEN:
        for kill in points[scene.name]:
            known = kill if kill.kind == "record" else (kill, scene.origin.tier)
            if known not in had:
                had.add(known)
                yield scene, (kill,)


HEADER = "scene                      writes  commits  records   pairs  not met    runs   wrong"


def row(name: str, runs: Sequence[Run]) -> str:
    """How many kills of each kind the workers came to, alone or both of a pair; those that none did; and the runs it took."""
    met, missed = met_and_missed(runs)
    alone = [kills_[0].kind for kills_ in met if len(kills_) == 1]
    of_kinds = (alone.count("write"), alone.count("commit"), alone.count("record"), len(met) - len(alone))
    wrong = sum(bool(run.problems) for run in runs)
    return f"{name:24} " + " ".join(f"{count:8}" for count in (*of_kinds, len(missed), len(runs), wrong))


def met_and_missed(runs: Sequence[Run]) -> tuple[set[tuple[Point, ...]], set[tuple[Point, ...]]]:
    """The kills, or pairs of them, that workers came to, and those that they did not, however often it was tried."""
    met = {run.kills for run in runs if run.kills and run.met == len(run.kills)}
    return met, {run.kills for run in runs if run.kills} - met


def main() -> None:
    """See the module."""
    folder, began, lost = Path(sys.argv[1]).absolute(), time.monotonic(), list[Point]()
    preload()
    runs, points = recorded(folder)
    match sys.argv[2:]:
        case [seconds, seed]:
            runs += beside_each_other(folder, pairs(int(seed), began + float(seconds), points))
        case _:
            runs += beside_each_other(folder, all_of(list(each_once(points))))
            lost = [kill for (kill,) in met_and_missed(runs)[1] if kill.kind != "record"]
    rows = [row(scene.name, [run for run in runs if run.scene.name == scene.name]) for scene in CHOSEN]
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = f"{time.monotonic() - began:.0f} s in {LANES} lanes, {used.ru_utime + used.ru_stime:.0f} s of processors"
    print("\n".join([HEADER, *rows, took]))  # noqa: T201 - it is what the program is for
    if wrong := [str(run) for run in runs if run.problems] + [f"nobody came to be killed {kill}" for kill in lost]:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
