"""Measures what the calls of an httpx client wait for, so that the share of a slow provider in the response time is known.

```python
sdk = AsyncOpenAI(http_client=measure_client(httpx.AsyncClient(), "openai"))
```
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import httpx

from app_core.dependencies import count_call, waiting

C = TypeVar("C", bound=httpx.Client | httpx.AsyncClient)


def measure_client(client: C, name: str | None = None) -> C:
    """Measure the calls of a client as calls of the dependency of that name; None names each call by its host.

    A wait is the time from the request to the head of the response, a place in the client's pool and the connection included,
    then each time that more of the body is asked for; what the app does between two parts of a stream is none. Every request
    on the wire is a call, counted when it is over; a redirect or a retry is another one. It failed when it ended in an
    exception or was answered with a 5xx or 429, since then the dependency did not do its work. One that the app cancelled
    did not fail.

    A client may be measured again: the last name counts.

    Returns:
        The same client.

    Raises:
        TypeError: it is no httpx client, or one whose transports cannot be reached; `MeasuredAsyncTransport` and
            `MeasuredTransport` are the way to make one.
    """
    if not isinstance(client, httpx.Client | httpx.AsyncClient):
        raise TypeError(f"{type(client).__name__} is neither an httpx.Client nor an httpx.AsyncClient")
    measured = MeasuredAsyncTransport if isinstance(client, httpx.AsyncClient) else MeasuredTransport
    inside: Any = client
    try:
        transport, mounts = inside._transport, inside._mounts  # noqa: SLF001 - nothing public reaches the transports of a client
    except AttributeError:
        raise TypeError(
            f"the transports of a {type(client).__name__} of httpx {httpx.__version__} cannot be reached: make it with "
            f"transport=app_core.httpx_client.{measured.__name__}(...)"
        ) from None
    inside._transport = measured(transport, name)  # noqa: SLF001 - the same
    inside._mounts = {  # noqa: SLF001 - the same; None stands for the client's own transport
        pattern: None if mounted is None else measured(mounted, name) for pattern, mounted in mounts.items()
    }
    return client


class MeasuredAsyncTransport(httpx.AsyncBaseTransport):
    """Passes requests to another transport and measures them, as `measure_client` says."""

    def __init__(self, transport: httpx.AsyncBaseTransport, name: str | None = None) -> None:
        self.inner: httpx.AsyncBaseTransport = (
            transport.inner if isinstance(transport, MeasuredAsyncTransport) else transport
        )
        self._name = name

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request."""
        call = _Call(self._name or request.url.host)
        with call.waits():
            response = await self.inner.handle_async_request(request)
        if call.goes_on(response):
            response.stream = _AsyncBody(cast("httpx.AsyncByteStream", response.stream), call)
        return response

    async def __aenter__(self) -> Self:
        await self.inner.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.inner.__aexit__(kind, error, traceback)

    async def aclose(self) -> None:
        """Close the other transport."""
        await self.inner.aclose()


class MeasuredTransport(httpx.BaseTransport):
    """The same for `httpx.Client`."""

    def __init__(self, transport: httpx.BaseTransport, name: str | None = None) -> None:
        self.inner: httpx.BaseTransport = transport.inner if isinstance(transport, MeasuredTransport) else transport
        self._name = name

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request."""
        call = _Call(self._name or request.url.host)
        with call.waits():
            response = self.inner.handle_request(request)
        if call.goes_on(response):
            response.stream = _Body(cast("httpx.SyncByteStream", response.stream), call)
        return response

    def __enter__(self) -> Self:
        self.inner.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self.inner.__exit__(kind, error, traceback)

    def close(self) -> None:
        """Close the other transport."""
        self.inner.close()


class _Call:
    """One request on the wire, counted once, when it is over."""

    __slots__ = ("_failed", "_name", "_over")

    def __init__(self, name: str) -> None:
        self._name = name
        self._failed = False
        self._over = False

    @contextmanager
    def waits(self) -> Iterator[None]:
        """Measure one wait; an exception ends the call."""
        try:
            with waiting(self._name):
                yield
        except BaseException as error:
            # A call that the app cancels says nothing about the other side.
            self._failed = self._failed or isinstance(error, Exception)
            self.end()
            raise

    def goes_on(self, response: httpx.Response) -> bool:
        """Whether the body is still to come, now that the head is there."""
        self._failed = response.status_code >= 500 or response.status_code == 429
        if response.is_closed:  # answered from memory, as by a cache: nobody will read or close it again
            self.end()
        return not self._over

    def end(self) -> None:
        """Count the call."""
        if not self._over:
            self._over = True
            count_call(self._name, failed=self._failed)


class _AsyncBody(httpx.AsyncByteStream):
    def __init__(self, body: httpx.AsyncByteStream, call: _Call) -> None:
        self._body = body
        self._call = call

    async def __aiter__(self) -> AsyncIterator[bytes]:
        parts = aiter(self._body)
        while True:
            with self._call.waits():
                part = await anext(parts, None)
            if part is None:
                return
            yield part

    async def aclose(self) -> None:
        with self._call.waits():
            await self._body.aclose()
        self._call.end()


class _Body(httpx.SyncByteStream):
    def __init__(self, body: httpx.SyncByteStream, call: _Call) -> None:
        self._body = body
        self._call = call

    def __iter__(self) -> Iterator[bytes]:
        parts = iter(self._body)
        while True:
            with self._call.waits():
                part = next(parts, None)
            if part is None:
                return
            yield part

    def close(self) -> None:
        with self._call.waits():
            self._body.close()
        self._call.end()
