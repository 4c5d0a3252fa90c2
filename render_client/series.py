"""Render's metrics: time series of what it measures itself, for several services in one call."""

from collections.abc import Sequence
from datetime import UTC, datetime

from render_client.models import RenderModel, Timestamp
from render_client.replies import Call, entries, parsed
from render_client.transport import Transport


class Label(RenderModel):
    """What a series is of: `resource` (or `service`) with an id, `instance`, `statusCode`, `quantile`, and others."""

    field: str
    value: str = ""


class Point(RenderModel):
    """One value; it stands for the time from `timestamp` on, as long as the resolution."""

    timestamp: Timestamp
    value: float


class TimeSeries(RenderModel):
    """Points of one instance, status code … in the order in which Render sends them; read the unit, it may change."""

    labels: tuple[Label, ...] = ()
    values: tuple[Point, ...] = ()
    unit: str = ""

    def label(self, *fields: str) -> str | None:
        """The value of the first label that there is."""
        found = {label.field: label.value for label in self.labels}
        return next((found[field] for field in fields if field in found), None)


class MetricsApi:
    """The reads under /metrics. Each takes ids of several services, a span of aware times, and the seconds of a point.

    The span must lie within the last 30 days. Too many points at once are answered with a 500: RenderDownError. An empty
    list is what a service has that did not run, or serves no HTTP. Instances that have ended in the span are among the series.
    """

    _transport: Transport

    async def get_cpu(
        self, resources: Sequence[str], start: datetime, end: datetime, *, resolution: int = 60
    ) -> list[TimeSeries]:
        """Return the CPU used, in cores, a series an instance."""
        return await self._series("cpu", resources, start, end, resolution)

    async def get_cpu_limit(
        self, resources: Sequence[str], start: datetime, end: datetime, *, resolution: int = 60
    ) -> list[TimeSeries]:
        """Return the cores that each instance had: those of the plan that ran, not of the configured one."""
        return await self._series("cpu-limit", resources, start, end, resolution)

    async def get_memory(
        self, resources: Sequence[str], start: datetime, end: datetime, *, resolution: int = 60
    ) -> list[TimeSeries]:
        """Return the memory used, a series an instance; the unit stands in each series."""
        return await self._series("memory", resources, start, end, resolution)

    async def get_memory_limit(
        self, resources: Sequence[str], start: datetime, end: datetime, *, resolution: int = 60
    ) -> list[TimeSeries]:
        """Return the memory that each instance had."""
        return await self._series("memory-limit", resources, start, end, resolution)

    async def get_http_requests(
        self, resources: Sequence[str], start: datetime, end: datetime, *, resolution: int = 60
    ) -> list[TimeSeries]:
        """Return how many requests were answered in each span of the resolution, a series a status code."""
        return await self._series("http-requests", resources, start, end, resolution, ("aggregateBy", "statusCode"))

    async def get_http_latency(
        self, resources: Sequence[str], start: datetime, end: datetime, *, quantile: float, resolution: int = 60
    ) -> list[TimeSeries]:
        """Return one quantile (0 to 1) of the response times, as Render's proxy measures them."""
        return await self._series("http-latency", resources, start, end, resolution, ("quantile", f"{quantile:g}"))

    async def _series(
        self,
        name: str,
        resources: Sequence[str],
        start: datetime,
        end: datetime,
        resolution: int,
        *more: tuple[str, str],
    ) -> list[TimeSeries]:
        if not resources:
            return []
        query = (
            ("resource", ",".join(resources)),
            ("startTime", rfc3339(start)),
            ("endTime", rfc3339(end)),
            ("resolutionSeconds", str(resolution)),
            *more,
        )
        call = Call("GET", f"/metrics/{name}", "reads", is_idempotent=True, query=query)
        return [parsed(TimeSeries, call, entry) for entry in entries(call, await self._transport.send(call))]


def rfc3339(moment: datetime) -> str:
    """Return the time as Render wants it. Raises ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone. Give one, such as datetime.now(UTC).")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
