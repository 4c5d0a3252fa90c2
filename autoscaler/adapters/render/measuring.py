"""Render's time series into samples: units read and not assumed, instances put together, unfinished minutes left out."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType

from autoscaler.core.metrics import UNITS
from autoscaler.core.samples import QUANTILES, Sample
from render_client import RenderClient, TimeSeries

AT_ONCE = 50
"""Services in one call: enough that a thousand fit into the reads of a minute, few enough that Render answers."""
MOST_POINTS = 1000
"""Points of one service in one call: Render answers 500 to too many, and nobody says how many are."""
_UNITS: Mapping[str, float] = MappingProxyType(
    {name.lower(): size for name, (_, size) in UNITS.items()} | {"bytes": 1.0, "byte": 1.0, "b": 1.0}
)
"""By the word that a series says. Of "GB" nobody says whether it is 10^9 or 2^30: shares of a limit are right either way."""

Points = Mapping[str, Mapping[int, float]]
"""By service, by time in ms."""


async def samples(
    client: RenderClient, service_ids: Sequence[str], start: int, end: int, step: int, latency: Sequence[str]
) -> dict[str, tuple[Sample, ...]]:
    """Ask for all of it, a group of services and a span at a time. Raises RenderError."""
    found: dict[str, tuple[Sample, ...]] = dict.fromkeys(service_ids, ())
    for first in range(0, len(service_ids), AT_ONCE):
        group = service_ids[first : first + AT_ONCE]
        for begin in range(start, end, MOST_POINTS * step):
            part = await _span(client, group, begin, min(begin + MOST_POINTS * step, end), step, latency)
            found |= {service_id: found[service_id] + part.get(service_id, ()) for service_id in group}
    return found


async def _span(
    client: RenderClient, group: Sequence[str], start: int, end: int, step: int, latency: Sequence[str]
) -> dict[str, tuple[Sample, ...]]:
    since, until, seconds = _moment(start), _moment(end), step // 1000
    # One after the other: nothing waits for them, and reads for a fleet are spread.
    cpu = await client.get_cpu(group, since, until, resolution=seconds)
    cpu_limit = await client.get_cpu_limit(group, since, until, resolution=seconds)
    memory = await client.get_memory(group, since, until, resolution=seconds)
    memory_limit = await client.get_memory_limit(group, since, until, resolution=seconds)
    requests = await client.get_http_requests(group, since, until, resolution=seconds)
    told = {
        name: _points(
            await client.get_http_latency(group, since, until, quantile=QUANTILES[name], resolution=seconds), max
        )
        for name in latency
    }
    errors = [one for one in requests if (one.label("statusCode", "status_code", "status") or "").startswith("5")]
    parts = {
        "cpu": _points(cpu, max),
        "cpu_limit": _points(cpu_limit, min),
        "memory": _points(memory, max),
        "memory_limit": _points(memory_limit, min),
        "requests": _points(requests, sum),
        "errors": _points(errors, sum),
    }
    over = range(start, end - step + 1, step)
    return {service_id: tuple(_samples(service_id, parts, told, over)) for service_id in group}


def _samples(
    service_id: str, parts: Mapping[str, Points], latency: Mapping[str, Points], spans: range
) -> Iterator[Sample]:
    values = {name: points.get(service_id, {}) for name, points in parts.items()}
    waits = {name: points.get(service_id, {}) for name, points in latency.items()}
    for at in sorted({at for points in values.values() for at in points}):
        if spans.start <= at < spans.stop:  # a minute that is not over has counted too little
            sample = Sample(
                at,
                spans.step,
                cpu=values["cpu"].get(at),
                cpu_limit=values["cpu_limit"].get(at),
                memory=values["memory"].get(at),
                memory_limit=values["memory_limit"].get(at),
                requests=values["requests"].get(at),
                errors=values["errors"].get(at, 0.0),
            )
            yield replace(sample, latency={name: points[at] for name, points in waits.items() if at in points})


def _points(series: Iterable[TimeSeries], together: Callable[[Iterable[float]], float]) -> Points:
    """The series of one service as one: of instances the one that matters, of status codes the sum."""
    found: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in series:
        service_id = one.label("resource", "service", "serviceId")
        if service_id is None and (instance := one.label("instance")):
            service_id = instance.rpartition("-")[0]  # srv-…-abcde is an instance of srv-…
        scale = _UNITS.get(one.unit.lower(), 1.0)
        for point in one.values:
            if service_id is not None and 0 <= point.value < float("inf"):
                at = round(point.timestamp.timestamp() * 1000)
                found[service_id][at].append(point.value * scale)
    return {service_id: {at: together(values) for at, values in points.items()} for service_id, points in found.items()}


def _moment(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC)
