"""The pieces of work of one worker: beside each other, each at most once, left alone for a while after a failure, drained at the end."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet

from autoscaler.errors import FencedError, OutsideError, RefusedError, StoreError
from autoscaler.ports import Clock

log = logging.getLogger(__name__)

REST, LONGEST_REST = 5.0, 60.0
"""Seconds that work which failed is left alone, doubled with every failure in a row: nothing is hammered, nor logged all the time."""
REST_REFUSED = 300.0
"""The same where only a person can help."""

Work = Callable[[], Awaitable[object]]


class Bench:
    """What runs, and what rests."""

    def __init__(self, clock: Clock, renew: Work) -> None:
        """`renew`: what to do when another worker turns out to act."""
        self._clock = clock
        self._renew = renew
        self.in_flight: set[asyncio.Task[None]] = set()
        self._of: defaultdict[str, set[asyncio.Task[None]]] = defaultdict(set)
        self._busy: set[str] = set()
        self._failures: dict[str, tuple[int, float]] = {}
        """By name of the work: how often it failed in a row, and until when it rests."""
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Begin nothing more; safe in a signal handler of the loop."""
        self._stopping.set()

    async def stopped(self) -> None:
        """Return once it was told to stop."""
        await self._stopping.wait()

    def on(self, service_id: str) -> AbstractSet[asyncio.Task[None]]:
        """What runs on a service."""
        return self._of.get(service_id, set())

    def forgive(self, name: str) -> None:
        """That it failed before does not matter any more."""
        self._failures.pop(name, None)

    def start(self, name: str, work: Work, service_id: str = "") -> None:
        """Run one piece of work (on a service) beside the others, unless the same still runs."""
        if name in self._busy or self._stopping.is_set():
            return
        self._busy.add(name)
        task = asyncio.create_task(self.guarded(name, work), name=name)
        task.add_done_callback(lambda _: self._busy.discard(name))  # also if it is cancelled before it began
        for group in (self.in_flight, self._of[service_id]) if service_id else (self.in_flight,):
            group.add(task)
            task.add_done_callback(group.discard)

    async def guarded(self, name: str, work: Work, longest_rest: float = LONGEST_REST) -> None:
        """A failure ends nothing but itself, and the same work is left alone for a while."""
        failures, rests_until = self._failures.pop(name, (0, 0.0))
        if self._clock.monotonic() < rests_until:
            self._failures[name] = (failures, rests_until)
            return
        try:
            await work()
        except asyncio.CancelledError:
            if not self._stopping.is_set():
                raise
            # Cut off by the stop, which is no failure: the scheduler would log it as one, with a traceback.
        except FencedError as error:
            log.info("%s: %s", name, error)
            self.start("renew", self._renew)
        except (OutsideError, StoreError) as error:
            log.error("%s: %s", name, error)  # noqa: TRY400 - an outside failure: the text says all
            self._rest(name, failures, REST_REFUSED if isinstance(error, RefusedError) else 0.0, longest_rest)
        except Exception:
            log.exception("%s failed: this is a bug, please report it", name)
            self._rest(name, failures, 0.0, longest_rest)

    def _rest(self, name: str, failures: int, at_least: float, longest: float) -> None:
        rest = max(at_least, min(REST * 2 ** min(failures, 10), longest))
        self._failures[name] = (failures + 1, self._clock.monotonic() + rest)

    async def drain(self, patience: float) -> None:
        """Wait for what is in flight, so many seconds at most; what is late is cancelled."""
        began = time.monotonic()
        pending = set(self.in_flight)
        if pending:
            log.info("stopping: waiting for what is in flight (%d)", len(pending))
            _, late = await asyncio.wait(pending, timeout=patience)
            for task in late:
                task.cancel()  # every step is journalled, so the next worker goes on from it
            await asyncio.gather(*late, return_exceptions=True)
        log.info("drained in %.1fs", time.monotonic() - began)
