"""One request and its response: counted when it comes, and over with its last byte or as soon as the client is known to be gone."""

import asyncio
import math
from bisect import bisect_left
from threading import Lock

from app_core import ledger
from app_core.asgi import Message, Receive, Send, respond
from app_core.gate import Gate
from app_core.histogram import BIN_BOUNDS
from app_core.tracker import Tracker
from app_core.waits import Waits

_BODIES = frozenset({"http.response.body", "http.response.pathsend", "http.response.zerocopysend"})
_LONGEST_RETRY = 30  # seconds
_RUNNING = ledger.RUNNING
_ERRORS, _SECONDS = ledger.FRONT + ledger.ERRORS, ledger.FRONT + ledger.SECONDS
_HISTOGRAM = ledger.FRONT + ledger.HISTOGRAM


def _elapsed_header(seconds: float) -> tuple[bytes, bytes]:
    return b"x-response-time", b"%.3fs" % seconds


def _concurrent_header(requests: int) -> tuple[bytes, bytes]:
    return b"x-concurrent-requests", b"%d" % requests


# Nearly all responses have these: made once, since to make them takes longer than all the counting.
_ELAPSED_MADE = 0.999  # seconds
_ELAPSED_HEADERS = tuple(_elapsed_header(milliseconds / 1000) for milliseconds in range(1000))
_CONCURRENT_HEADERS = tuple(map(_concurrent_header, range(100)))


class Exchange:
    """Stands between the server and the app for one request.

    Args:
        tracker: counts it.
        headers: whether the response tells its time and the concurrency.
        receive: the server's.
        send: the server's.
    """

    __slots__ = ("_headers", "_receive", "_send", "_status", "_waits", "expired", "gate", "started", "tracker")
    _making_waits = Lock()  # of one request in several threads

    def __init__(self, tracker: Tracker, headers: bool, receive: Receive, send: Send) -> None:  # noqa: FBT001 - the hot path
        self.tracker: Tracker | None = tracker  # None once the request is counted
        self._headers = headers
        self._receive = receive
        self._send = send
        self._status = 0
        self._waits: Waits | None = None
        self.gate: Gate | None = None  # that let the request in
        self.expired = False
        # What follows, and `finish`, is written out here since a call takes as long as the counting.
        self.started = now = tracker.clock()
        if now >= tracker.second_ends:
            tracker.move_on(now)
        tracker.cells[_RUNNING] = tracker.concurrent = concurrent = tracker.concurrent + 1
        if concurrent > tracker.peak:  # noqa: PLR1730 - max() is another such call
            tracker.peak = concurrent

    async def receive(self) -> Message:
        """Pass a message of the client on."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self.finish(error=False)
        return message

    async def send(self, message: Message) -> None:
        """Pass a message of the app on."""
        kind = message["type"]
        tracker = self.tracker
        if kind == "http.response.start":
            self._status = message["status"]
            if self._headers and tracker is not None:
                # A copy: the app may send the same headers again.
                message = dict(message)
                elapsed, concurrent = tracker.clock() - self.started, tracker.concurrent
                message["headers"] = [
                    *message.get("headers", ()),
                    _elapsed_header(elapsed)
                    if elapsed >= _ELAPSED_MADE
                    else _ELAPSED_HEADERS[int(elapsed * 1000 + 0.5)],
                    _concurrent_header(concurrent) if concurrent >= 100 else _CONCURRENT_HEADERS[concurrent],
                ]
        try:
            await self._send(message)
        except OSError:  # how a server says that the client is gone
            self.finish(error=False)
            raise
        if kind in _BODIES and not message.get("more_body"):
            self.finish(error=False)

    def finish(self, *, error: bool) -> None:
        """Count the request as finished, unless that is done already, and give its place back."""
        tracker = self.tracker
        if tracker is None:
            return
        self.tracker = None
        now = tracker.clock()
        if now >= tracker.second_ends:
            tracker.move_on(now)
        elapsed = now - self.started
        cells = tracker.cells
        cells[_RUNNING] = tracker.concurrent = tracker.concurrent - 1
        cells[_SECONDS] += elapsed
        cells[_HISTOGRAM + bisect_left(BIN_BOUNDS, elapsed)] += 1
        if elapsed > tracker.longest:  # noqa: PLR1730 - the same
            tracker.longest = elapsed
        if error or self._status >= 500:
            cells[_ERRORS] += 1
        if self._waits is not None:
            self._waits.close()
        gate = self.gate
        if gate is not None and not self.expired:
            self.gate = None
            if gate.turns:
                gate.leave()
            else:
                gate.running -= 1

    def give_place_back(self) -> None:
        """Let the next one in."""
        gate = self.gate
        if gate is not None:
            self.gate = None
            gate.leave()

    def waits(self) -> Waits | None:
        """Of this request for others; None when it is over."""
        tracker = self.tracker
        if tracker is None or self._waits is not None:
            return None if tracker is None else self._waits
        with self._making_waits:
            if self._waits is None:
                self._waits = Waits(tracker.clock, tracker.ledger)
        return self._waits

    async def turn_away(self) -> None:
        """503 with the time that a response takes at present, which by then will have freed a place."""
        tracker = self.tracker
        if tracker is None:
            return
        tracker.shed()
        await respond(
            self.send, 503, {"detail": "too many requests are waiting, try again later"}, [_retry_after(tracker)]
        )

    def expire(self) -> asyncio.Task[None] | None:
        """End a request that takes too long; nothing of what the app still says goes out.

        Returns:
            What sends the answer; None when the app has begun to, or the request is over: it may take its time.
        """
        tracker = self.tracker
        if tracker is None or self._status:
            return None
        self.expired = True
        if self.gate is None:  # it never ran, so to try again does no harm
            status, headers = 503, [_retry_after(tracker)]
            tracker.shed()
            detail = "the request waited too long for its turn, try again later"
        else:
            status, headers, detail = 504, [], "the request took too long and was ended"
        self.finish(error=True)
        answer = respond(self._send, status, {"detail": detail}, headers)
        self._send = _discard
        return asyncio.get_running_loop().create_task(answer)


async def _discard(_message: Message) -> None:
    """Where an app that was told to end says the rest."""


def _retry_after(tracker: Tracker) -> tuple[bytes, bytes]:
    mean = tracker.mean_of_late() or 0.0
    return b"retry-after", b"%d" % min(max(1, math.ceil(mean)), _LONGEST_RETRY)
