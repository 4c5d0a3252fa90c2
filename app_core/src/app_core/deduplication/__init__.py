"""One execution for any number of identical calls, and its result kept for a while.

```python
from app_core import Deduplicator
dedup = Deduplicator(ttl=600, max_entries=100)
result = await dedup.run(("user-1", "archetype", "analysis"), compute)
```

Nothing here imports `app_core.deduplication.redis`: it alone needs redis-py.
"""

from app_core.deduplication.deduplicator import Deduplicator
from app_core.deduplication.stats import Stats

__all__ = ["Deduplicator", "Stats"]
