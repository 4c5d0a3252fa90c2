"""The world: its services, what is due when, its events. No I/O; every function is told what time it is.

Rules that change it live in `configuration` (plan, env vars), `lifecycle` (deploys) and `fleet` (instances).
"""

import base64
import heapq
import itertools
import random
import string
from collections.abc import Callable

from render_client.sim.clock import timestamp
from render_client.sim.spec import Durations, WorldSpec
from render_client.sim.state import Event, Json, Refused, Service

_ID_ALPHABET = string.digits + string.ascii_lowercase
_STEPS_PER_ADVANCE = 100_000

Action = Callable[[int], None]


class World:
    """The mutable state behind one simulator.

    `spec` holds the settings and may be replaced while it runs. Ids come from a fixed seed: the same calls give the
    same ids.
    """

    def __init__(self, spec: WorldSpec) -> None:
        self.spec = spec
        self.services: dict[str, Service] = {}
        self.blueprints: list[tuple[int, Json]] = []
        self._random = random.Random("render")
        self._sequence = itertools.count(1)
        self._due: list[tuple[int, int, Action]] = []

    @property
    def durations(self) -> Durations:
        """How long things take, in seconds."""
        return self.spec.durations

    def next_sequence(self) -> int:
        """A number larger than all before: the order of everything that is listed."""
        return next(self._sequence)

    def new_id(self, prefix: str) -> str:
        """A new id such as `dep-…` with twenty characters."""
        return f"{prefix}-{self._letters(20)}"

    def new_instance_id(self, service: Service) -> str:
        """A new id such as `srv-…-abcde`."""
        return f"{service.id}-{self._letters(5)}"

    def new_commit_id(self) -> str:
        """A new git hash."""
        return f"{self._random.getrandbits(160):040x}"

    def new_secret(self) -> str:
        """A generated value: 32 bytes in base64, as recorded."""
        return base64.b64encode(self._random.randbytes(32)).decode()

    def _letters(self, count: int) -> str:
        return "".join(self._random.choices(_ID_ALPHABET, k=count))

    def find(self, service_id: str) -> Service:
        """The service of that id.

        Raises:
            Refused: 404, there is none.
        """
        service = self.services.get(service_id)
        if service is None:
            raise Refused(404, f"not found: {service_id}")
        return service

    def named(self, name: str) -> Service:
        """The service of that name.

        Raises:
            KeyError: There is none.
        """
        for service in self.services.values():
            if service.document["name"] == name:
                return service
        raise KeyError(
            f"no service named {name}; there are: {', '.join(s.document['name'] for s in self.services.values())}"
        )

    def record(self, service: Service, kind: str, details: Json, now: int) -> Event:
        """Add an event to the service's list."""
        event = Event(self.next_sequence(), self.new_id("evt"), now, kind, details)
        service.events.append(event)
        return event

    def touch(self, service: Service, now: int) -> None:
        """Move the service's `updatedAt`."""
        service.document["updatedAt"] = timestamp(now)

    def after(self, seconds: float, now: int, action: Action) -> None:
        """Do something later; the action checks itself whether it still applies."""
        heapq.heappush(self._due, (now + round(seconds * 1000), self.next_sequence(), action))

    def advance(self, now: int) -> None:
        """Let everything happen that is due by now, in order, each at its own time.

        Raises:
            RuntimeError: The world does not come to rest, a defect of a rule.
        """
        for _ in range(_STEPS_PER_ADVANCE):
            if not self._due or self._due[0][0] > now:
                return
            due, _sequence, action = heapq.heappop(self._due)
            action(due)
        raise RuntimeError(f"the world did not come to rest within {_STEPS_PER_ADVANCE} steps")
