"""The log of public calls, and the hooks around those that write."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from render_client.sim.state import Json


@dataclass(frozen=True, slots=True)
class Call:
    """One public call. `at` in ms; `path` without `/v1`; `body` as decoded, env values included: all of it is local.

    `status` is what the caller was sent, None when nothing complete was; `effective` says whether the world took it.
    """

    at: int
    method: str
    path: str
    query: str
    body: Any
    status: int | None = None
    effective: bool = False
    fault: str | None = None

    def as_json(self) -> Json:
        """All fields."""
        return asdict(self)


class Hooks:
    """Callbacks around every write (all but GET) that reaches the world, for tests that crash the caller there."""

    def __init__(self) -> None:
        self._before: list[Callable[[Call], None]] = []
        self._after: list[Callable[[Call], None]] = []

    def before_write(self, callback: Callable[[Call], None]) -> None:
        """Call back before a write takes effect."""
        self._before.append(callback)

    def after_write(self, callback: Callable[[Call], None]) -> None:
        """Call back when a write has taken effect and is not answered yet."""
        self._after.append(callback)

    def run_before(self, call: Call) -> None:
        """Tell that a write comes."""
        for callback in self._before:
            callback(call)

    def run_after(self, call: Call) -> None:
        """Tell that a write took effect."""
        for callback in self._after:
            callback(call)
