"""What is due: a heap on monotonic time. One scheduler job for a thousand services, instead of a job each."""

import hashlib
import heapq
from dataclasses import dataclass, field


@dataclass(order=True, slots=True)
class _Entry:
    at: float
    key: str = field(compare=False)
    every: float = field(compare=False)


class DueQueue:
    """Keys that come round every so often, each at its own phase, so that a fleet's polls are spread. Times in seconds."""

    def __init__(self) -> None:
        self._heap: list[_Entry] = []

    def add(self, key: str, every: float, now: float) -> None:
        """Due within one round from now, at a phase that the key alone decides."""
        phase = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=4).digest()) / 2**32
        heapq.heappush(self._heap, _Entry(now + phase * every, key, every))

    def remove(self, key: str) -> None:
        """Never due again."""
        self._heap = [entry for entry in self._heap if entry.key != key]
        heapq.heapify(self._heap)

    def pop(self, now: float) -> list[str]:
        """The keys that are due, each once however many rounds were missed; all are put back for their next round."""
        due = []
        while self._heap and self._heap[0].at <= now:
            entry = heapq.heappop(self._heap)
            missed = int((now - entry.at) // entry.every)
            heapq.heappush(self._heap, _Entry(entry.at + (missed + 1) * entry.every, entry.key, entry.every))
            due.append(entry.key)
        return due
