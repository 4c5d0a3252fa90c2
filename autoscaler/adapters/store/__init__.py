"""SQL lives here and nowhere else: `open_store(url)` gives an `autoscaler.ports.Store` over SQLite or Postgres."""

from autoscaler.adapters.store.examining import examine
from autoscaler.adapters.store.store import SqlStore, open_store

__all__ = ["SqlStore", "examine", "open_store"]
