"""Measures what share of their time requests spend waiting for others: a provider, a database, another service.

The middleware tells whose request it is only where this module is imported, so that apps without it pay nothing for it.
"""

from contextvars import ContextVar
from types import TracebackType
from typing import Literal, Protocol

from app_core.waits import Waits


class Request(Protocol):
    """What the middleware puts here while it serves a request."""

    def waits(self) -> Waits | None:
        """The request's waits; None when it is over."""


current: ContextVar[Request | None] = ContextVar("app_core.request", default=None)


class waiting:  # noqa: N801 - read as a statement, like contextlib.suppress
    """Measures the time that the current request waits for somebody, in async code and in worker threads alike.

    Waits of one request for the same name at the same time count once, so a share is never above 1. Outside of a request, and
    after its end, nothing is counted. Names beyond the eleventh all count as `other`.

    Args:
        name: whom the request waits for.
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        waits = _of_this_request()
        if waits is not None:
            waits.begin(self._name)

    def __exit__(
        self, kind: type[BaseException] | None, exception: BaseException | None, traceback: TracebackType | None
    ) -> Literal[False]:
        waits = _of_this_request()
        if waits is not None:
            waits.end(self._name)
        return False


class dependency(waiting):  # noqa: N801 - the same
    """Measures a call of an outside dependency: `with dependency("openai"): …`. An exception inside makes it a failed call."""

    __slots__ = ()

    def __exit__(
        self, kind: type[BaseException] | None, exception: BaseException | None, traceback: TracebackType | None
    ) -> Literal[False]:
        count_call(
            self._name, failed=kind is not None and issubclass(kind, Exception)
        )  # a cancelled call is no failure
        return super().__exit__(kind, exception, traceback)


def count_call(name: str, *, failed: bool) -> None:
    """Count a call whose waits are measured one by one, by `waiting`."""
    waits = _of_this_request()
    if waits is not None:
        waits.count(name, failed=failed)


def _of_this_request() -> Waits | None:
    request = current.get()
    return None if request is None else request.waits()
