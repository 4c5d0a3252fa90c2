"""Ready readers for `gauges.pool`: how many connections are in use, and how many there can be."""

from collections.abc import Callable
from typing import Any, Protocol


class _HasPool(Protocol):
    """SQLAlchemy's Engine and AsyncEngine; named by shape, so that SQLAlchemy is not imported for it."""

    @property
    def pool(self) -> Any: ...


def sqlalchemy_pool(engine: _HasPool) -> Callable[[], tuple[int, int]]:
    """Read the connection pool of a SQLAlchemy engine.

    `scaling.gauges.pool("database", sqlalchemy_pool(engine))` reports it. In use are the connections that are
    checked out; the size is all that can be, the overflow included, since that is when the next caller waits.

    Args:
        engine: an Engine or an AsyncEngine with a QueuePool, which is what `create_engine` makes for every database that is a
            server or a file.

    Raises:
        TypeError: it is no engine, or its pool has no bound that could be reached: NullPool, StaticPool, SingletonThreadPool,
            an unlimited overflow, a size of 0.
    """
    if not hasattr(engine, "pool"):
        raise TypeError(f"{type(engine).__name__} has no connection pool: give the engine that create_engine made")
    pool = engine.pool
    overflow = getattr(pool, "_max_overflow", None)  # the one thing that SQLAlchemy tells nobody
    if not isinstance(overflow, int):
        raise TypeError(f"a {type(pool).__name__} has no size that could be reached, so there is nothing to report")
    if overflow < 0:
        raise TypeError(
            "the pool has no limit: give create_engine a pool_size above 0 and a max_overflow of 0 or more, such as "
            "**scaling.config.pool_options()"
        )
    size = int(pool.size()) + overflow
    # engine.dispose() puts another pool of the same size in the place of this one, so it is looked up at each reading.
    return lambda: (int(engine.pool.checkedout()), size)
