"""Ends the apps when the simulator dies: a small process of its own that only waits for the end of its input.

It reads `+pid` and `-pid` lines. When the input ends, for whatever reason (an orderly stop, a crash, SIGKILL), it kills
the process groups that are left. Unlike PR_SET_PDEATHSIG this works on every POSIX system, needs no code between fork
and exec, and asks nothing of the app. It is run as a file, with `python -I`, and imports nothing of this package.
"""

import contextlib
import os
import signal
import sys


def main() -> None:
    """Wait for the end of the input, then kill what is left."""
    alive: set[int] = set()
    for line in sys.stdin:
        pid = int(line[1:])
        if line.startswith("+"):
            alive.add(pid)
        else:
            alive.discard(pid)
    for pid in alive:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
