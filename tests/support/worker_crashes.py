"""Worker processes that are killed, as a program of its own: it forks, which a process with threads better does not.

`python -m tests.support.worker_crashes FOLDER crashes|readers|killed|forks|preloaded` prints what was tried; it fails with what went wrong.
"""

import os
import pathlib
import shutil
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType

from app_core import Instruments, siblings
from app_core.ledger import Kind
from tests.support.asgi import Clock
from tests.support.counted import begin
from tests.support.workers import LONG, Worker, ledgers

# Which functions change files.
_WRITERS = {
    siblings.__file__: {"__init__", "retire", "_locked", "_agree", "_create", "_fold", "_sweep", "_write"},
    pathlib.__file__: {"mkdir", "open", "rename", "unlink", "write_text"},
}
_MOST_POINTS = 500


def in_child(work: Callable[[], None]) -> bool:
    """Run it in a process of its own; False when that was killed."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return False
    assert os.waitstatus_to_exitcode(status) == 0
    return True


def killed_at(line: int, work: Callable[[], object]) -> None:
    """Do the work up to that line of the code that works on files."""
    left = line

    def trace(frame: FrameType, event: str, _: object) -> "Callable | None":
        nonlocal left
        if frame.f_code.co_name not in _WRITERS.get(frame.f_code.co_filename, ()):
            return None
        if event == "line":
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)
    work()
    sys.settrace(None)


def crash_everywhere(
    base: Path, prepare: Callable[[Path, Clock], int], begin_work: Callable[[Path, Clock], Callable[[], object]]
) -> int:
    """Kill the work before each of its lines that work on files; after each kill the next workers must find everything that was counted, once."""
    for line in range(_MOST_POINTS):
        folder, clock = base / str(line), Clock()
        counted = prepare(folder, clock)
        finished = in_child(lambda folder=folder, clock=clock, line=line: killed_at(line, begin_work(folder, clock)))
        heir = Worker(folder, clock)
        view = heir.look()
        assert (view.requests, view.processes) == (counted, 1), f"after line {line}: {view.requests}, {view.processes}"
        heir.retire()
        late = Worker(folder, clock)
        assert late.look().requests == heir.look().requests == counted, f"after line {line} and one more fold"
        heir.die()
        late.die()
        clock.advance(LONG)
        last = Worker(folder, clock)
        last.retire()
        assert last.look().requests == counted, f"after line {line} and the last fold"
        assert len(ledgers(folder)) == 1
        assert {path.name for path in folder.iterdir()} <= {"instance.json", "retired.json", "lock", *ledgers(folder)}
        last.die()
        shutil.rmtree(folder)
        if finished:
            return line
    raise AssertionError("it never came to an end")


def _with_dead(folder: Path, clock: Clock) -> int:
    """Three that died long ago, of whom one is folded already."""
    for number in range(3):
        worker = Worker(folder, clock)
        for _ in range(number + 1):
            worker.serve(waits_for="openai")
        worker.die()
        if number == 0:
            clock.advance(LONG)
            other = Worker(folder, clock)
            other.retire()
            other.die()
    clock.advance(LONG)
    return 6


def crashes(base: Path) -> str:
    folding = crash_everywhere(base, _with_dead, lambda folder, clock: Worker(folder, clock).retire)
    joining = crash_everywhere(base, lambda *_: 0, lambda folder, clock: partial(Worker, folder, clock))
    return f"{folding} {joining}"


def readers(base: Path) -> str:
    """One process folds files one by one while another looks all the time."""
    clock = Clock()
    for _ in range(60):
        worker = Worker(base, clock)
        worker.serve()
        worker.die()
        clock.advance(2)
    heir = Worker(base, clock)
    clock.advance(LONG - 120)
    child = os.fork()
    if child == 0:
        folding = Worker(base, clock)
        while len(ledgers(base)) > 2:
            clock.advance(2)
            folding.retire()
        os._exit(0)
    looks = 0
    while os.waitpid(child, os.WNOHANG)[0] == 0:
        assert heir.look().requests == 60
        looks += 1
    assert heir.look().requests == 60
    assert len(ledgers(base)) == 2
    return str(looks)


def killed(base: Path) -> str:
    """Workers that count as fast as they can and are killed in the middle; each tells of every request in advance."""
    clock = Clock()
    heir = Worker(base, clock)
    before = promised = 0
    for _ in range(12):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            worker = Worker(base, clock)
            while True:
                worker.serve(0.5)
                os.write(writing, b".")
        os.close(writing)
        told = 0
        while told < 300:
            told += len(os.read(reading, 300 - told))
            now = heir.look().requests
            assert now >= before
            before = now
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        while rest := len(os.read(reading, 65536)):
            told += rest
        os.close(reading)
        promised += told
        view = heir.look()
        assert view.processes == 1
        assert promised <= view.requests <= promised + 12, (promised, view.requests)
        promised = view.requests
    return str(promised)


def forks(base: Path) -> str:
    """A worker's child, such as multiprocessing makes, is no worker, also when it outlives its parent."""
    told, tell = os.pipe()
    waits, go = os.pipe()
    worker = os.fork()
    if worker == 0:
        instruments = _serving(Instruments(shared_folder=base))
        instruments.gauges.signal("complaints")
        if os.fork() == 0:
            instruments.gauges.signal("complaints", 5)
            begin(instruments.tracker)
            os.write(tell, b".")
            os.read(waits, 1)
            os._exit(0)
        signal.pause()
    os.read(told, 1)  # from the child's child
    try:
        before = _seen_by_another(Instruments(shared_folder=base))
        os.kill(worker, signal.SIGKILL)
        os.waitpid(worker, 0)
        return f"{before}, {_seen_by_another(Instruments(shared_folder=base))}"
    finally:
        os.write(go, b".")


def preloaded(base: Path) -> str:
    """A server that loads the app and forks then, as gunicorn does with --preload: what the app did when loaded is nobody's."""
    instruments = Instruments(shared_folder=base)
    instruments.gauges.signal("complaints")
    begin(instruments.tracker)
    workers = []
    told, tell = os.pipe()
    for _ in range(2):
        workers.append(os.fork())
        if workers[-1] == 0:
            _serving(instruments).gauges.signal("complaints")
            assert instruments.view().cpu_seconds >= 0
            os.write(tell, b".")
            signal.pause()
        os.read(told, 1)
    seen = _seen_by_another(instruments)
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
        os.waitpid(worker, 0)
    return seen


def _serving(instruments: Instruments) -> Instruments:
    instruments.each_second()
    return instruments


def _seen_by_another(instruments: Instruments) -> str:
    """How one more worker sees the instance."""
    reading, writing = os.pipe()

    def look() -> None:
        view = _serving(instruments).view()
        signals = int(view.named(Kind.SIGNAL)["complaints"][0])
        os.write(writing, f"{view.processes} processes, {view.concurrent} running, {signals} complaints".encode())

    assert in_child(look)
    return os.read(reading, 1000).decode()


if __name__ == "__main__":
    print(globals()[sys.argv[2]](Path(sys.argv[1])))  # noqa: T201 - what the test reads
