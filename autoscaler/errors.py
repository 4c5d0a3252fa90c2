"""Every error that the bot raises on purpose, by what a person can do about it.

AutoscalerError
├── UsageError            exit 2: the call or the environment is wrong; the message names the fix
│   └── PolicyError       a policy file is wrong; carries every problem at once
├── StoreError            the database can't be used
│   └── FencedError       another worker has taken the service over
└── OutsideError          something that we depend on failed; trying again may help
    ├── RefusedError      it answered, and said no: trying again will not help
    │   ├── KeyRefusedError  to the key, not to what was asked
    │   └── GoneError        what was asked about does not exist, or not any more
    └── UnavailableError  it did not answer, or not properly
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command returns to its shell (design, section 7)."""

    OK = 0
    FAILED = 1
    USAGE = 2
    BUG = 3
    INTERRUPTED = 130


class AutoscalerError(Exception):
    """The root: its text says what, where, and the next command, and never holds a secret."""

    exit_code = ExitCode.FAILED


class UsageError(AutoscalerError):
    """The call, a setting or a file is wrong; nothing was done."""

    exit_code = ExitCode.USAGE


class StoreError(AutoscalerError):
    """The database can't be reached, is locked, or belongs to a newer release."""


class FencedError(StoreError):
    """A worker's lease was taken over, as when it stood still for long: nothing of what it wanted to write was kept."""

    def __init__(self, service_id: str) -> None:
        super().__init__(f"Another worker looks after {service_id} now: what this one did last was not kept.")


class OutsideError(AutoscalerError):
    """Render, Slack or the app failed; `may_have_acted` says whether a write may have taken effect all the same."""

    def __init__(self, message: str, *, may_have_acted: bool = False, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.may_have_acted = may_have_acted
        self.retry_after = retry_after
        """Seconds that the other side asked us to wait, if it said so."""


class RefusedError(OutsideError):
    """It answered and refused (bad key, unknown service, payment needed …): a person has to act."""


class OverError(RefusedError):
    """What a person answers is asked no more: what it was about has happened, or will not."""


class BadRequestError(RefusedError):
    """It does not take the request as it was made: another way to ask may do."""


class KeyRefusedError(RefusedError):
    """It does not take the key: whatever was asked can still be done once somebody has put a good one in."""


class GoneError(RefusedError):
    """It knows nothing by that id: deleted, or out of this key's sight."""


class UnavailableError(OutsideError):
    """It did not answer, or answered nonsense: look again later."""


class BusyError(UnavailableError):
    """It answered that the present state of the thing does not allow it: that may change, or not."""
