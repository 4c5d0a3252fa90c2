"""One worker a SQLite file: a lock of the operating system, which a process that dies in any way lets go of."""

import fcntl
import os
from pathlib import Path

from autoscaler.errors import StoreError


class SoleWorker:
    """The right to be the one worker of a database file.

    It is a file beside the database: whoever closes any handle of the database itself would drop SQLite's own locks.
    """

    def __init__(self, database: Path) -> None:
        self._file = database.with_name(f"{database.name}-worker")
        self._handle: int | None = None

    def take(self) -> bool:
        """Whether it is ours as of now and was nobody's before; False when we have had it for some time.

        Raises BlockingIOError while another process has it, StoreError when there can be no such lock.
        """
        if self._handle is not None:
            return False
        try:
            handle = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise self._impossible(error) from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            if isinstance(error, BlockingIOError):
                raise
            raise self._impossible(error) from None
        self._handle = handle
        return True

    def release(self) -> None:
        """The next process may have it. The file stays: to remove it would race with who just opened it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _impossible(self, error: OSError) -> StoreError:
        return StoreError(
            f"{self._file} can't be locked ({error.strerror}), so two workers could act on one service. "
            "Give this user the right to write there, or put the database on a local disk."
        )
