"""The instrumented core that an app installs: honest load numbers of one instance at GET /api/health/scaling.

```python
from app_core import instrument
instrument(app)
```
"""

from typing import TYPE_CHECKING, Any

from app_core.gauges import Gauges
from app_core.instruments import HEALTH_PATHS, Instruments
from app_core.middleware import ScalingMiddleware, instrument
from app_core.pools import sqlalchemy_pool
from app_core.profiles import ScalingConfig, SettingError

if TYPE_CHECKING:
    from app_core.deduplication import Deduplicator
    from app_core.dependencies import dependency

__all__ = [
    "HEALTH_PATHS",
    "Deduplicator",
    "Gauges",
    "Instruments",
    "ScalingConfig",
    "ScalingMiddleware",
    "SettingError",
    "dependency",
    "instrument",
    "sqlalchemy_pool",
]


def __getattr__(name: str) -> Any:
    """Load what only some apps use when it is asked for: requests pay for `dependency` only in apps that have it."""
    if name == "dependency":
        from app_core.dependencies import dependency  # noqa: PLC0415

        return dependency
    if name == "Deduplicator":
        from app_core.deduplication import Deduplicator  # noqa: PLC0415

        return Deduplicator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
