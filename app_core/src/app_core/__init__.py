"""The instrumented core that an app installs: honest load numbers of one instance at GET /api/health/scaling.

```python
from app_core import instrument
instrument(app)
```
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from app_core.gauges import Gauges
from app_core.instruments import HEALTH_PATHS, Instruments
from app_core.middleware import ScalingMiddleware, instrument
from app_core.pools import sqlalchemy_pool
from app_core.profiles import ScalingConfig, SettingError

if TYPE_CHECKING:
    from app_core.deduplication import Deduplicator
    from app_core.dependencies import dependency
    from app_core.httpx_client import measure_client

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
    "measure_client",
    "sqlalchemy_pool",
]

# Loaded when an app asks for them: the others pay neither the memory nor, for `dependency`, the time of each request.
_WHEN_ASKED = {
    "Deduplicator": "app_core.deduplication",
    "dependency": "app_core.dependencies",
    "measure_client": "app_core.httpx_client",
}


def __getattr__(name: str) -> Any:
    if name not in _WHEN_ASKED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_WHEN_ASKED[name]), name)
