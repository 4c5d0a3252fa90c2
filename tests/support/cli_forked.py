"""The command in a process of its own, forked from one that has imported it: most of a short command's time is its imports."""

import multiprocessing
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from autoscaler.cli import output
from autoscaler.cli.main import main

TIMEOUT = 60
"""Seconds that a command may take."""


def run(arguments: Sequence[str], cwd: Path, env: Mapping[str, str], folder: Path) -> int:
    """To its end, and its exit code; what it wrote is in `out` and `err` of `folder`. Raises TimeoutError."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=_command, args=(arguments, cwd, env, folder))
    process.start()
    process.join(TIMEOUT)
    if process.exitcode is None:
        process.kill()
        raise TimeoutError(f"autoscaler {' '.join(arguments)}")
    return process.exitcode


def _command(arguments: Sequence[str], cwd: Path, env: Mapping[str, str], folder: Path) -> None:
    """In the new process: nothing of the one it came from but the modules."""
    for number, file in ((0, Path(os.devnull)), (1, folder / "out"), (2, folder / "err")):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT
        os.dup2(os.open(file, flags), number)
    sys.stdin, sys.stdout = os.fdopen(0, encoding="utf-8"), os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    for console in (output.out, output.err):  # they have read it where they were imported
        console.width = int(env["COLUMNS"])
    os.chdir(cwd)
    sys.argv = ["autoscaler", *arguments]
    main()
