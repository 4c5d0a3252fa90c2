"""Charts of two changes: up for its response time, down for its memory."""

from dataclasses import replace

from autoscaler.core.conditions import Op
from autoscaler.core.durations import DAY, HOUR, MINUTE
from autoscaler.core.evaluate import Role
from autoscaler.core.metrics import Dimension
from autoscaler.report.reason_chart import Chart
from tests.support.stories import MB, NOW

UP = Chart(
    service="holisticos-api",
    origin="mvp",
    target="scaled",
    metric="avg_response_time",
    dimension=Dimension.TIME,
    rule="avg_response_time > 8s for 1h",
    role=Role.UP,
    op=Op.ABOVE,
    bound=8.0,
    points=((NOW - 80 * MINUTE, 4.0), (NOW - 40 * MINUTE, 12.0), (NOW, 9.4)),
    steps=((NOW - 90 * MINUTE, "mvp"),),
    window="1h",
    window_begun=NOW - HOUR,
    begun=NOW - 90 * MINUTE,
    now=NOW,
)
DOWN = replace(
    UP,
    origin="scaled",
    target="mvp",
    metric="memory_usage",
    dimension=Dimension.MEMORY,
    rule="memory_usage < 200MB for 48h",
    role=Role.DOWN,
    op=Op.BELOW,
    bound=200 * MB,
    points=((NOW - 70 * HOUR, 9000 * MB), (NOW - 50 * HOUR, 150 * MB), (NOW, 120 * MB)),
    window="48h",
    window_begun=NOW - 2 * DAY,
    begun=NOW - 3 * DAY,
)
