"""What a Deduplicator asks of a store that several instances share."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Found:
    """A result that some instance left in the store.

    Attributes:
        value: a fresh object of the caller's own.
        ttl: seconds it is still good for.
        waited: whether this instance waited for another one's execution.
    """

    value: Any
    ttl: float
    waited: bool


class Lease(Protocol):
    """The right to be the one instance that executes. It ends at once, whatever the store does: neither method waits or raises."""

    def keep(self, value: Any, ttl: float) -> None:
        """Leave the result for the others, for so many seconds, unless the lease was lost meanwhile."""

    def release(self) -> None:
        """Let another instance execute."""


class Backend(Protocol):
    """A shared store. When it is away it says so by None, never by an error."""

    @property
    def errors(self) -> int:
        """Times that the store failed, or could not take a result."""

    async def claim(self, key: Hashable) -> Found | Lease | None:
        """Wait until there is a result, or until this instance shall execute; None: the store is away, go on without.

        Raises:
            TypeError: the store has no unambiguous name for such a key.
        """

    async def forget(self, key: Hashable) -> None:
        """Drop the result, and make whoever executes lose the lease."""
