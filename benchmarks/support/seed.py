"""The middleware of the plan that this project began with (its sections 1.2 and 2.2), as it is written there.

Only what a request runs through is here; its faults are kept, since they are part of what it costs.
"""

import time
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response


class PerformanceTracker:
    """Section 1.2: counters and the last hundred response times."""

    def __init__(self) -> None:
        self.current_concurrent = 0
        self.peak_concurrent = 0
        self.total_requests = 0
        self.total_errors = 0
        self.response_times: list[float] = []

    def request_start(self) -> str:
        """Mark the start of a request; returns its id."""
        self.current_concurrent += 1
        self.peak_concurrent = max(self.peak_concurrent, self.current_concurrent)
        return f"req_{time.time()}_{self.total_requests}"

    def request_end(self, _request_id: str, response_time: float, *, error: bool = False) -> None:
        """Mark the end of a request that took so many seconds."""
        self.current_concurrent = max(0, self.current_concurrent - 1)
        self.total_requests += 1
        if error:
            self.total_errors += 1
        self.response_times.append(response_time)
        if len(self.response_times) > 100:
            self.response_times.pop(0)


class PerformanceMonitoring:
    """Section 2.2: what the plan puts under `@app.middleware("http")`; `dispatch` is that function.

    Starlette 1.0 took the decorator away; `add_middleware(BaseHTTPMiddleware, dispatch=…)` is what it did.
    """

    def __init__(self) -> None:
        self.tracker = PerformanceTracker()

    async def dispatch(self, request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        """Time one request and tell the client."""
        request_id = self.tracker.request_start()
        start_time = time.time()
        try:
            response = await call_next(request)
        except Exception:
            self.tracker.request_end(request_id, time.time() - start_time, error=True)
            raise
        response_time = time.time() - start_time
        self.tracker.request_end(request_id, response_time, error=False)
        response.headers["X-Response-Time"] = f"{response_time:.3f}s"
        response.headers["X-Concurrent-Requests"] = str(self.tracker.current_concurrent)
        return response
