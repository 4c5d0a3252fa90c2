"""The instrumented core that an app installs: honest load numbers of one instance at GET /api/health/scaling.

```python
from app_core import instrument
instrument(app)
```
"""

from app_core.gauges import Gauges
from app_core.instruments import HEALTH_PATHS, Instruments
from app_core.middleware import ScalingMiddleware, instrument
from app_core.profiles import ScalingConfig, SettingError

__all__ = ["HEALTH_PATHS", "Gauges", "Instruments", "ScalingConfig", "ScalingMiddleware", "SettingError", "instrument"]
