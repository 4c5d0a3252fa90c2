"""The system's clocks."""

import time


class SystemClock:
    """ports.Clock."""

    def now(self) -> int:
        """Wall clock, ms UTC."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()
