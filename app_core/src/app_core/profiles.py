"""Settings that suit the size of the instance: a profile's defaults, each overridden by its environment variable."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass

_GIB = 1 << 30
# Seed: 512 MB, 2 GB and "future larger" instances. Its 350 and 1500 MB are 70 % of theirs, so 3000 MB for the next plan of 4 GB.
_DEFAULTS: dict[str, dict[str, float]] = {
    "mvp": {
        "REQUEST_CACHE_TTL": 600,
        "MAX_CONCURRENT": 8,
        "DB_POOL_SIZE": 3,
        "DB_POOL_OVERFLOW": 2,
        "MAX_CACHE_ENTRIES": 100,
        "CLEANUP_INTERVAL": 300,
        "RESPONSE_TIME_WARNING": 5.0,
        "MEMORY_WARNING_MB": 350,
    },
    "scaled": {
        "REQUEST_CACHE_TTL": 1200,
        "MAX_CONCURRENT": 20,
        "DB_POOL_SIZE": 6,
        "DB_POOL_OVERFLOW": 4,
        "MAX_CACHE_ENTRIES": 500,
        "CLEANUP_INTERVAL": 600,
        "RESPONSE_TIME_WARNING": 5.0,
        "MEMORY_WARNING_MB": 1500,
    },
    "enterprise": {
        "REQUEST_CACHE_TTL": 1200,
        "MAX_CONCURRENT": 50,
        "DB_POOL_SIZE": 10,
        "DB_POOL_OVERFLOW": 6,
        "MAX_CACHE_ENTRIES": 1000,
        "CLEANUP_INTERVAL": 600,
        "RESPONSE_TIME_WARNING": 5.0,
        "MEMORY_WARNING_MB": 3000,
    },
}


class SettingError(ValueError):
    """An environment variable holds a value that cannot be used; the message names every such variable and how to mend it."""


@dataclass(frozen=True, slots=True)
class ScalingConfig:
    """The settings in force. Times are seconds, sizes are MB of 2**20 bytes."""

    profile: str
    request_cache_ttl: int
    max_concurrent: int  # requests that run at once, the rest queue; 0 lets all of them run
    db_pool_size: int
    db_pool_overflow: int
    max_cache_entries: int
    cleanup_interval: int
    response_time_warning: float  # a mean over a minute above this is logged; 0 turns it off
    memory_warning_mb: int  # memory above this is logged; 0 turns it off

    @classmethod
    def from_environment(
        cls, memory_limit_bytes: int | None, environ: Mapping[str, str] | None = None
    ) -> "ScalingConfig":
        """Read the settings of an instance with so much memory.

        Raises:
            SettingError: a variable holds something else than a number in its range.
        """
        reader = _Reader(os.environ if environ is None else environ, profile_for(memory_limit_bytes))
        config = cls(
            profile=reader.profile,
            request_cache_ttl=reader.integer("REQUEST_CACHE_TTL", 0),
            max_concurrent=reader.integer("MAX_CONCURRENT", 0),
            db_pool_size=reader.integer("DB_POOL_SIZE", 1),
            db_pool_overflow=reader.integer("DB_POOL_OVERFLOW", 0),
            max_cache_entries=reader.integer("MAX_CACHE_ENTRIES", 0),
            cleanup_interval=reader.integer("CLEANUP_INTERVAL", 1),
            response_time_warning=reader.number("RESPONSE_TIME_WARNING"),
            memory_warning_mb=reader.integer("MEMORY_WARNING_MB", 0),
        )
        if reader.problems:
            raise SettingError("; ".join(reader.problems))
        return config

    def settings(self) -> dict[str, float]:
        """The values in force by the names of their variables."""
        return {
            "REQUEST_CACHE_TTL": self.request_cache_ttl,
            "MAX_CONCURRENT": self.max_concurrent,
            "DB_POOL_SIZE": self.db_pool_size,
            "DB_POOL_OVERFLOW": self.db_pool_overflow,
            "MAX_CACHE_ENTRIES": self.max_cache_entries,
            "CLEANUP_INTERVAL": self.cleanup_interval,
            "RESPONSE_TIME_WARNING": self.response_time_warning,
            "MEMORY_WARNING_MB": self.memory_warning_mb,
        }


def profile_for(memory_limit_bytes: int | None) -> str:
    """The seed's bounds: mvp below 1 GB, scaled below 3 GB, else enterprise; without a limit the most careful one."""
    if memory_limit_bytes is None or memory_limit_bytes < _GIB:
        return "mvp"
    return "scaled" if memory_limit_bytes < 3 * _GIB else "enterprise"


class _Reader:
    """Reads variables and collects what is wrong with them, so that all of it is told at once."""

    def __init__(self, environ: Mapping[str, str], profile: str) -> None:
        self.profile = profile
        self.problems: list[str] = []
        self._environ = environ
        self._defaults = _DEFAULTS[profile]

    def integer(self, name: str, least: int) -> int:
        text = self._environ.get(name)
        if text is None:
            return int(self._defaults[name])
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            self._refuse(name, text, f"a whole number of {least} or more")
        return value

    def number(self, name: str) -> float:
        text = self._environ.get(name)
        if text is None:
            return self._defaults[name]
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 <= value < math.inf:
            self._refuse(name, text, "a number of seconds of 0 or more")
        return value

    def _refuse(self, name: str, text: str, wanted: str) -> None:
        default = f"{self._defaults[name]:g}"
        self.problems.append(
            f"{name}={text!r} is not {wanted}: correct it, or unset it for {default}, the default of profile {self.profile!r}"
        )
