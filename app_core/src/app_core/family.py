"""Whether this process is one of several that serve the same instance, and the folder that they have in common."""

import contextlib
import os
import sys
from pathlib import Path

_PREFIX = "app_core"


def common_folder(base: Path | None) -> Path | None:
    """The folder of this process and its siblings; None for a process that serves alone.

    Siblings are told by their parent: of uvicorn, hypercorn and granian it is the one that multiprocessing names, of gunicorn its
    arbiter.

    Args:
        base: where to make it; the folder for temporary files when None. When it is given, any parent will do.
    """
    parent = os.getppid() if base else _parent_of_worker()
    if parent is None or not hasattr(os, "getuid"):  # Windows can't tell who is alive
        return None
    base = base or Path(os.environ.get("TMPDIR") or "/tmp")  # noqa: S108 - the folder in it is checked to be ours
    _remove_orphans(base)
    return base / f"{_PREFIX}-{os.getuid()}-{parent}-{_started(parent)}"


def _parent_of_worker() -> int | None:
    process = sys.modules.get("multiprocessing.process")
    parent = process.parent_process() if process else None
    if parent is not None and parent.pid is not None:
        return int(parent.pid)
    return os.getppid() if "gunicorn.arbiter" in sys.modules else None


def _started(process: int) -> str:
    """When it started, in the system's own count, since process ids come again; nothing where /proc does not tell."""
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    return ""


def _remove_orphans(base: Path) -> None:
    """Folders whose parent is no more; only where that can be told."""
    if not _started(os.getpid()):
        return
    for folder in base.glob(f"{_PREFIX}-{os.getuid()}-*-*"):
        _, _, parent, started = folder.name.split("-")
        if not parent.isdigit() or _started(int(parent)) == started:
            continue
        with contextlib.suppress(OSError):
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()
