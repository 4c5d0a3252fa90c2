"""GET /metrics/…: what Render measures of its services by itself, from the load that each goes through."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from render_client.sim.clock import timestamp
from render_client.sim.incoming import Incoming, Reply
from render_client.sim.load import Measured, measured
from render_client.sim.plans import GIB
from render_client.sim.state import Json, Refused, Service

_HOUR, _DAY = 3600 * 1000, 24 * 3600 * 1000
MOST_POINTS = 50_000
"""So many points in one answer, over all series; more is a 500."""
_AGGREGATIONS: Mapping[str, Callable[[Sequence[float]], float]] = MappingProxyType(
    {"AVG": lambda values: sum(values) / len(values), "MAX": max, "MIN": min}
)

Points = dict[tuple[tuple[str, str], ...], list[tuple[int, float]]]
"""By the labels of a series: its points."""


@dataclass(frozen=True, slots=True)
class _Span:
    start: int
    end: int
    step: int
    services: tuple[Service, ...]

    def spans(self) -> Iterator[int]:
        """The beginning of each point's time that is over, in ms."""
        first = -(-self.start // self.step) * self.step
        return iter(range(first, self.end - self.step + 1, self.step))


def _asked(call: Incoming) -> _Span:
    now = call.now - round(call.world.spec.metrics_lag * 1000)
    end = call.query.moment("endTime")
    end = call.now if end is None else end
    start = call.query.moment("startTime")
    start = end - _HOUR if start is None else start
    if start > end or start < call.now - 30 * _DAY - _HOUR:
        raise Refused(400, "invalid startTime: before endTime, and within the last 30 days")
    step = _number(call, "resolutionSeconds", 60.0)
    if not 30 <= step <= 86_400:
        raise Refused(400, "invalid resolutionSeconds: at least 30")
    ids = call.query.many("resource") | call.query.many("service")
    if not ids:
        raise Refused(400, "resource is missing")
    services = tuple(service for service_id, service in call.world.services.items() if service_id in ids)
    span = _Span(start, min(end, now), round(step * 1000), services)
    if len(services) * (end - start) / (step * 1000) > MOST_POINTS:
        raise Refused(500, "internal server error")
    return span


def _number(call: Incoming, name: str, default: float) -> float:
    text = call.query.one(name)
    try:
        return default if text is None else float(text)
    except ValueError:
        raise Refused(400, f"invalid {name}: not a number") from None


def _by_instance(value: Callable[[Measured], float], unit: str, call: Incoming) -> Reply:
    """A series an instance, or one a service with an aggregation."""
    span, wanted = _asked(call), call.query.many("instance")
    method = call.query.one("aggregationMethod")
    if method is not None and method not in _AGGREGATIONS:
        raise Refused(400, "invalid aggregationMethod")
    points: Points = defaultdict(list)
    for service in span.services:
        for at in span.spans():
            values = {
                one.instance: value(one)
                for one in measured(service, at, span.step / 1000)
                if not wanted or one.instance in wanted
            }
            resource = ("resource", service.id)
            if method is not None and values:
                points[resource,].append((at, _AGGREGATIONS[method](list(values.values()))))
            elif method is None:
                for instance, one in values.items():
                    points[resource, ("instance", instance)].append((at, one))
    return _series(points, call.world.spec.memory_unit if unit == "bytes" else unit)


def _requests(call: Incoming) -> Reply:
    """Counts a status code, or in all."""
    span, by = _asked(call), call.query.one("aggregateBy")
    if by not in {None, "statusCode", "host"}:
        raise Refused(400, "invalid aggregateBy")
    points: Points = defaultdict(list)
    for service in span.services:
        for at in span.spans():
            found = measured(service, at, span.step / 1000)
            requests, errors = round(sum(one.requests for one in found)), round(sum(one.errors for one in found))
            resource = ("resource", service.id)
            if by != "statusCode":
                _add(points, (resource,), at, requests)
                continue
            _add(points, (resource, ("statusCode", "200")), at, requests - errors)
            _add(points, (resource, ("statusCode", "500")), at, errors)
    return _series(points, "requests")


def _latency(call: Incoming) -> Reply:
    span, quantile = _asked(call), _number(call, "quantile", 0.95)
    if not 0 <= quantile <= 1:
        raise Refused(400, "invalid quantile: from 0 to 1")
    points: Points = defaultdict(list)
    for service in span.services:
        for at in span.spans():
            busy = [one for one in measured(service, at, span.step / 1000) if one.requests]
            if busy:
                slowest = max(one.quantile(quantile) for one in busy)
                _add(points, (("resource", service.id),), at, slowest * 1000)
    return _series(points, "ms")


def _add(points: Points, labels: tuple[tuple[str, str], ...], at: int, value: float) -> None:
    """Where nothing was counted there is no point."""
    if value:
        points[labels].append((at, value))


def _series(points: Points, unit: str) -> Reply:
    scale = GIB if unit == "GB" else 1
    return Reply(200, [_document(labels, values, unit, scale) for labels, values in points.items()])


def _document(labels: tuple[tuple[str, str], ...], values: list[tuple[int, float]], unit: str, scale: float) -> Json:
    return {
        "labels": [{"field": field, "value": value} for field, value in labels],
        "values": [{"timestamp": timestamp(at), "value": value / scale} for at, value in values],
        "unit": unit,
    }


RUNS: Mapping[str, Callable[[Incoming], Reply]] = MappingProxyType(
    {
        "cpu": partial(_by_instance, lambda one: one.cpu, "cpu"),
        "cpu-limit": partial(_by_instance, lambda one: one.cpu_limit, "cpu"),
        "memory": partial(_by_instance, lambda one: one.memory, "bytes"),
        "memory-limit": partial(_by_instance, lambda one: one.memory_limit, "bytes"),
        "http-requests": _requests,
        "http-latency": _latency,
    }
)
"""By the last word of the path."""
