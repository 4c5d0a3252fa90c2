"""Whether this process is one of several that serve the same instance, and the folder that they have in common."""

import contextlib
import fcntl
import os
import re
import stat
import sys
from pathlib import Path

from app_core.ledger import SIZE

SUFFIX = ".ledger"  # of the file of one process
_PREFIX = "app_core"
_MOST_OF_A_PROCESS = 100  # apps in one process


def common_folder(base: Path | None, processes: Path = Path("/proc")) -> Path | None:
    """The folder of this process and its siblings; None for a process that serves alone.

    Siblings are told by their parent: of gunicorn it is its arbiter, of uvicorn, hypercorn and granian the one that multiprocessing
    names. Two apps in one process have a folder each, by the order in which they begin to serve.

    Args:
        base: where to make it; the folder for temporary files when None. When it is given, any parent will do.
        processes: what the system tells about each process, if it does.
    """
    parent = os.getppid() if base or "gunicorn.arbiter" in sys.modules else _multiprocessing_parent()
    if not parent:  # 0 is outside of the container
        return None
    base = base or Path(os.environ.get("TMPDIR") or "/tmp")  # noqa: S108 - the folder in it is checked to be ours
    _remove_orphans(base, processes)
    # The size tells versions apart: old and new workers can be there at once, when gunicorn reloads.
    family = f"{_PREFIX}-{os.geteuid()}-{parent}-{_started(parent, processes)}-{SIZE}"
    folders = (base / f"{family}-{number}" for number in range(_MOST_OF_A_PROCESS))
    return next((folder for folder in folders if not _has_living(folder, f"{os.getpid()}-*{SUFFIX}")), None)


def is_locked(file: int) -> bool:
    """Whether somebody holds an open file locked, and so is alive."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: who looks does not look alive to the next
    except BlockingIOError:
        return True
    fcntl.flock(file, fcntl.LOCK_UN)
    return False


def _multiprocessing_parent() -> int | None:
    process = sys.modules.get("multiprocessing.process")
    parent = process.parent_process() if process else None
    return parent.pid if parent else None


def _started(process: int, processes: Path) -> str:
    """When it started, in the system's own count, since process ids come again; nothing where nothing tells (macOS)."""
    with contextlib.suppress(OSError, IndexError):
        return (processes / str(process) / "stat").read_text().rpartition(")")[2].split()[19]
    return ""


def _remove_orphans(base: Path, processes: Path) -> None:
    """Folders whose parent is no more, and all of whose workers are dead; only where that can be told."""
    if not _started(os.getpid(), processes):
        return
    for folder in base.glob(f"{_PREFIX}-{os.geteuid()}-*"):
        found = re.fullmatch(rf"{_PREFIX}-\d+-(\d+)-(\d*)-\d+-\d+", folder.name)
        if not found or (found[2] and _started(int(found[1]), processes) == found[2]):
            continue
        with contextlib.suppress(OSError):
            if not _is_ours(folder) or _has_living(folder, "*"):
                continue
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()


def _is_ours(folder: Path) -> bool:
    """Whether nobody else can have put it there; a link may lead to files that must not go."""
    status = folder.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()


def _has_living(folder: Path, pattern: str) -> bool:
    """Whether somebody holds one of these files locked."""
    for path in folder.glob(pattern):
        with contextlib.suppress(FileNotFoundError):
            file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # whatever it is
            try:
                if is_locked(file):
                    return True
            finally:
                os.close(file)
    return False
