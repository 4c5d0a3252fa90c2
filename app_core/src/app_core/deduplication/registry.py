"""The deduplicators of this process, so that the health endpoint finds them without being told.

The one deliberate module-level state of app_core: a cache belongs to its process, as a logger does. It keeps none of them alive.
"""

from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    from app_core.deduplication.deduplicator import Deduplicator

_live: "WeakSet[Deduplicator]" = WeakSet()


def register(deduplicator: "Deduplicator") -> None:
    """List it for as long as somebody else holds it."""
    _live.add(deduplicator)


def live() -> "list[Deduplicator]":
    """Those that somebody holds, in no order."""
    return list(_live)
