"""The table of metrics: name, unit, kind, where a report has it. A metric's kind comes from here, never from syntax."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType


class Kind(StrEnum):
    """How samples of a metric are judged (design, Evidence 1)."""

    GAUGE = "gauge"
    """Sample by sample."""
    RATIO = "ratio"
    """A ratio of two sums, pooled over time; never the mean of ratios."""
    COUNTED = "counted"
    """Events, counted `within` a time."""
    BUSINESS = "business"
    """Holds until replaced; old values move nothing."""


class Dimension(StrEnum):
    """What the number measures. Base units: seconds, bytes, per cent, cores, per second, USD, a plain count."""

    TIME = "time"
    MEMORY = "memory"
    SHARE = "share"
    CORES = "cores"
    RATE = "rate"
    MONEY = "money"
    COUNT = "count"


UNITS: MappingProxyType[str, tuple[Dimension, float]] = MappingProxyType(
    {
        "ms": (Dimension.TIME, 0.001),
        "s": (Dimension.TIME, 1.0),
        "min": (Dimension.TIME, 60.0),
        "KB": (Dimension.MEMORY, 1024.0),  # powers of two, as the seed divides
        "MB": (Dimension.MEMORY, 1024.0**2),
        "GB": (Dimension.MEMORY, 1024.0**3),
        "%": (Dimension.SHARE, 1.0),
        "cores": (Dimension.CORES, 1.0),
        "/s": (Dimension.RATE, 1.0),
        "/min": (Dimension.RATE, 1 / 60),
        "USD": (Dimension.MONEY, 1.0),
    }
)
"""Unit -> what it measures, and its size in base units."""

UNITS_OPTIONAL = frozenset({Dimension.COUNT, Dimension.MONEY})


@dataclass(frozen=True, slots=True)
class Metric:
    """One thing that a condition can speak of.

    `path` is a JMESPath into the report of `app_core` (or the seed's own endpoint) and `scale` turns it into base units;
    ratios name the two counters instead: `over` divided by `under`, times `scale`.
    """

    name: str
    dimension: Dimension
    kind: Kind
    meaning: str
    path: str | None = None
    scale: float = 1.0
    over: str | None = None
    under: str | None = None
    aliases: tuple[str, ...] = ()
    less_is_worse: bool = False
    """Of most things more is."""


_TABLE = (
    Metric(
        "avg_response_time",
        Dimension.TIME,
        Kind.RATIO,
        "mean time from arrival to the last byte, queue included",
        path="current_metrics.avg_response_time",
        over="response_seconds",
        under="requests",
    ),
    Metric("p50_response_time", Dimension.TIME, Kind.GAUGE, "median response time", path='windows."{window}".p50'),
    Metric("p95_response_time", Dimension.TIME, Kind.GAUGE, "95th percentile", path='windows."{window}".p95'),
    Metric("p99_response_time", Dimension.TIME, Kind.GAUGE, "99th percentile", path='windows."{window}".p99'),
    Metric(
        "error_rate",
        Dimension.SHARE,
        Kind.RATIO,
        "share of requests answered 5xx, failed or shed",
        over="errors",
        under="requests",
        scale=100.0,
        aliases=("error_rate_percent",),
    ),
    Metric(
        "concurrent_requests",
        Dimension.COUNT,
        Kind.GAUGE,
        "most requests in flight at once since the last poll",
        path='concurrency.peak."{window}" || current_metrics.concurrent_requests',
        aliases=("peak_concurrent", "concurrent_users"),
    ),
    Metric(
        "memory_usage",
        Dimension.MEMORY,
        Kind.GAUGE,
        "memory used by the instance",
        path="resources.memory_used_bytes",
        aliases=("memory_usage_mb",),
    ),
    Metric(
        "memory_percent",
        Dimension.SHARE,
        Kind.GAUGE,
        "memory used, of the instance's limit",
        aliases=("memory_usage_percent",),
    ),
    Metric(
        "cpu_percent", Dimension.SHARE, Kind.GAUGE, "CPU used, of the instance's limit", aliases=("cpu_utilization",)
    ),
    Metric("loop_lag", Dimension.TIME, Kind.GAUGE, "delay of the event loop", path="resources.loop_lag_seconds"),
    Metric("db_pool_usage", Dimension.SHARE, Kind.GAUGE, "database connections in use, of the pool"),
    Metric(
        "cache_hit_ratio",
        Dimension.SHARE,
        Kind.RATIO,
        "share of look-ups that the cache answered",
        over="cache_hits",
        under="cache_lookups",
        scale=100.0,
        less_is_worse=True,
    ),
    Metric("request_rate", Dimension.RATE, Kind.RATIO, "requests finished a second", over="requests", under="seconds"),
    Metric("stalled", Dimension.COUNT, Kind.GAUGE, "1 while requests are in flight and none finishes"),
    Metric("unreachable", Dimension.COUNT, Kind.GAUGE, "1 while the endpoint does not answer, or with 5xx"),
    Metric("poll_timeouts", Dimension.COUNT, Kind.COUNTED, "polls of the health endpoint that timed out"),
    Metric("oom_kills", Dimension.COUNT, Kind.COUNTED, "instances ended for want of memory"),
    Metric("server_failed", Dimension.COUNT, Kind.COUNTED, "instances that failed, for whatever reason"),
    Metric(
        "complaints",
        Dimension.COUNT,
        Kind.COUNTED,
        "customers who complained about performance",
        aliases=("complaint",),
    ),
    Metric(
        "daily_active_users", Dimension.COUNT, Kind.BUSINESS, "users seen today", path="business.daily_active_users"
    ),
    Metric(
        "monthly_revenue",
        Dimension.MONEY,
        Kind.BUSINESS,
        "revenue this month",
        path="business.monthly_revenue",
        aliases=("revenue_monthly",),
    ),
    Metric(
        "revenue_per_user",
        Dimension.MONEY,
        Kind.BUSINESS,
        "revenue a user and month",
        path="business.revenue_per_user",
    ),
    Metric(
        "api_calls_per_user", Dimension.COUNT, Kind.BUSINESS, "calls a user and day", path="business.api_calls_per_user"
    ),
    Metric(
        "customer_satisfaction",
        Dimension.COUNT,
        Kind.BUSINESS,
        "satisfaction score",
        path="business.customer_satisfaction",
        less_is_worse=True,
    ),
)

METRICS = MappingProxyType({metric.name: metric for metric in _TABLE})
"""Every built-in metric by its one name."""

_BY_ANY_NAME = MappingProxyType({name: metric for metric in _TABLE for name in (metric.name, *metric.aliases)})
NAMES = tuple(_BY_ANY_NAME)
"""Every built-in name that may stand in a condition, aliases included."""


def find_metric(name: str) -> Metric | None:
    """The built-in metric of that name or alias."""
    return _BY_ANY_NAME.get(name)


CONCURRENCY_LIMIT, POOL_SIZE = "MAX_CONCURRENT", "DB_POOL_SIZE"
"""The env variables, by the seed's names, that say how many requests a tier admits at once, and its database connections."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where an endpoint has a value: a JMESPath, what turns it into base units, and what it is divided by, if anything."""

    path: str
    scale: float = 1.0
    of: str | None = None


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What the conditions of one policy may speak of, and where its endpoint has what is not where the table says."""

    by_name: Mapping[str, Metric]
    """Every name, aliases included."""
    gauges: Mapping[str, Source] = field(default_factory=dict)
    """By the metric's one name."""
    counters: Mapping[str, Source] = field(default_factory=dict)
    """By the counter's name: as `over` and `under` of a ratio, or `signals.` and the name of a counted metric."""
    unsound: frozenset[str] = frozenset()
    """Names that the policy gives, but wrongly: told where they stand, and not again in every sentence."""

    @property
    def is_own(self) -> bool:
        """Whether the policy says itself where anything stands."""
        return bool(self.gauges or self.counters)


BUILT_IN = Vocabulary(_BY_ANY_NAME)
"""What every policy may speak of."""
SIGNALS = "signals."
"""What the names of the counters begin with whose rises are signals."""
