"""The clock on which windows run: it stands still while a mask lasts (design, Evidence 6)."""

from collections import deque

from autoscaler.core.durations import HOUR

DEPLOY_LOOP_MASKS = 3
"""So many masks within an hour are no deploys but a loop."""


class Clock:
    """Unmasked time, in ms. Masks that overlap are one."""

    __slots__ = ("_begun", "_mask", "behind", "masks", "runs_from")

    def __init__(self) -> None:
        self.masks = 0
        """How many there were."""
        self.runs_from = 0
        """When the last mask ends: from then on it runs."""
        self.behind = 0
        """By how much, once it runs."""
        self._mask: tuple[int, int] | None = None
        self._begun: deque[int] = deque(maxlen=DEPLOY_LOOP_MASKS)

    def mask(self, begun: int, until: int) -> None:
        """Stand still from `begun` to `until`; one that ends before it begins is none."""
        if until <= begun:
            return
        if begun < self.runs_from and self._mask is not None:
            begun, until = self._mask[0], max(self._mask[1], until)
            self.behind -= self._mask[1] - self._mask[0]
        else:
            self._begun.append(begun)
            self.masks += 1
        self._mask = (begun, until)
        self.runs_from = until
        self.behind += until - begun

    def is_masked(self, at: int) -> bool:
        """Whether it stands still at `at`."""
        return self._mask is not None and self._mask[0] <= at < self._mask[1]

    def masked_until(self, at: int) -> int:
        """When it goes on: `at` itself while it runs."""
        return self._mask[1] if self._mask is not None and self.is_masked(at) else at

    def unmasked(self, at: int) -> int:
        """Its time at the wall clock's `at`."""
        if self._mask is None or at >= self.runs_from:
            return at - self.behind
        return self._mask[1] - self.behind

    def is_loop(self, now: int) -> bool:
        """Three masks within an hour."""
        return len(self._begun) == DEPLOY_LOOP_MASKS and now - self._begun[0] <= HOUR
