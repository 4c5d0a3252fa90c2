"""Windows of `core.window` on a beat of their own, fed sample by sample."""

from autoscaler.core import window
from autoscaler.core.window import Beat, Coverage


class Held(window.Held):
    """Told of every sample."""

    __slots__ = ()

    def __init__(self, length: int, every: int, share: float, upward: bool) -> None:  # noqa: FBT001 - the tests' tables read best so
        super().__init__(share, Coverage(length, Beat(every), upward=upward))

    def add(self, at: int, *, good: bool) -> None:
        """One judged sample."""
        self.coverage.beat.seen(at)
        self.judge(at, good=good)

    def lacking(self, now: int) -> str | None:
        """Why it can't be judged, or None."""
        return self.coverage.lacking(now)


class Function(window.Function):
    """Told of every sample."""

    __slots__ = ("_beat",)

    def __init__(self, name: str, length: int, every: int, *, rises: bool, upward: bool) -> None:
        self._beat = Beat(every)
        super().__init__(name, Coverage(length, self._beat, upward=upward), rises=rises)

    def add(self, at: int, value: float, *, good: bool) -> None:
        """One sample and whether it is past the bound."""
        self._beat.seen(at)
        self.judge(at, value, good=good)
