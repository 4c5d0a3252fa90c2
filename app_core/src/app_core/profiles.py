"""Settings that suit the size of the instance: a profile's defaults, each overridden by its environment variable."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_type_hints

Profile = Literal["mvp", "scaled", "enterprise"]

_GIB = 1 << 30
_MOST = 10**9  # of any number: 31 years, a billion entries; what is more is a typo, and infinite as a float
_WHOLE = re.compile(r"[0-9]+")  # int() also takes 1_000, +8 and the digits of every script
_DECIMAL = re.compile(r"[0-9]+(\.[0-9]+)?|\.[0-9]+")  # float() also takes nan, inf and 1e400
_WORDS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}
_SHOWN = 40  # characters of a wrong value in its message


class SettingError(ValueError):
    """An environment variable holds a value that cannot be used; the message names every such variable and how to mend it."""


class _Defaults(NamedTuple):
    """A setting's value in each profile, and the least that it may be."""

    mvp: float
    scaled: float
    enterprise: float
    least: int = 0


@dataclass(frozen=True, slots=True)
class ScalingConfig:
    """The settings in force. Times are seconds, sizes are MB of 2**20 bytes.

    Each attribute but the profile is set by the environment variable of its name in capitals. The defaults are the seed's: its
    `ScalingConfig` for 512 MB, its `ScaledConfig` for 2 GB, and for "future larger instances" what it has of them, else the next step.
    """

    profile: Profile
    request_cache_ttl: Annotated[int, _Defaults(600, 1200, 1200)]
    # Of results that change seldom; the seed gives it an hour on larger instances, and on the first one no value of its own.
    behavior_analysis_cache_ttl: Annotated[int, _Defaults(600, 3600, 3600)]
    max_concurrent: Annotated[int, _Defaults(8, 20, 50)]  # requests that run at once, the rest queue; 0 lets all run
    db_pool_size: Annotated[int, _Defaults(3, 6, 10, least=1)]
    db_pool_overflow: Annotated[int, _Defaults(2, 4, 6)]
    max_cache_entries: Annotated[int, _Defaults(100, 500, 1000)]
    result_compression: Annotated[bool, _Defaults(0, 1, 1)]  # whether cached results are compressed where it pays
    cleanup_interval: Annotated[int, _Defaults(300, 600, 600, least=1)]
    async_worker_threads: Annotated[int, _Defaults(0, 4, 8)]  # of the event loop's default executor; 0 leaves Python's
    request_timeout: Annotated[float, _Defaults(0, 60, 60)]  # ends a request; 0 turns it off
    response_time_warning: Annotated[float, _Defaults(5, 5, 5)]  # a mean over a minute above this is logged; 0: off
    # Memory above this is logged; 0: off. The seed's 350 and 1500 MB are 70 % of theirs, so 3000 MB for the next plan of 4 GB.
    memory_warning_mb: Annotated[int, _Defaults(350, 1500, 3000)]

    @classmethod
    def from_environment(
        cls, memory_limit_bytes: int | None, environ: Mapping[str, str] | None = None
    ) -> "ScalingConfig":
        """Read the settings of an instance with so much memory.

        A whole number is written in digits, a number of seconds may have decimals, a switch is true, false, yes, no, on, off, 1 or 0;
        blanks around a value do not matter. A variable that is set to nothing is refused, since it could mean "the default" as
        well as "off".

        Raises:
            SettingError: variables hold something else, or a number that is out of range; the message tells of all of them.
        """
        given = os.environ if environ is None else environ
        profile = profile_for(memory_limit_bytes)
        values: dict[str, Any] = {}
        problems: list[str] = []
        for name, kind, defaults in _ROWS:
            default = kind(getattr(defaults, profile))
            try:
                values[name.lower()] = _READ[kind](given[name], defaults.least) if name in given else default
            except _WrongError as wrong:
                problems.append(
                    f"{name}={_shorten(given[name])} is not {wrong}: correct it, or unset it for {_as_text(default)}, "
                    f"the default of profile {profile!r}"
                )
        if problems:
            raise SettingError("; ".join(problems))
        return cls(profile=profile, **values)

    def settings(self) -> dict[str, float | bool]:
        """The values in force by the names of their variables."""
        return {name: getattr(self, name.lower()) for name, _, _ in _ROWS}

    def pool_options(self) -> dict[str, int]:
        """DB_POOL_SIZE and DB_POOL_OVERFLOW as SQLAlchemy takes them: `create_engine(url, **config.pool_options())`."""
        return {"pool_size": self.db_pool_size, "max_overflow": self.db_pool_overflow}


def profile_for(memory_limit_bytes: int | None) -> Profile:
    """The seed's bounds: mvp below 1 GB, scaled below 3 GB, else enterprise; without a limit the most careful one."""
    if memory_limit_bytes is None or memory_limit_bytes < _GIB:
        return "mvp"
    return "scaled" if memory_limit_bytes < 3 * _GIB else "enterprise"


# Variable, type and defaults of each setting, read once: the health endpoint goes through them at each poll.
_ROWS: tuple[tuple[str, type, _Defaults], ...] = tuple(
    (name.upper(), *get_args(hint))
    for name, hint in get_type_hints(ScalingConfig, include_extras=True).items()
    if name != "profile"
)


class _WrongError(Exception):
    """Says what the value should have been."""


def _whole(text: str, least: int) -> int:
    text = text.strip()
    # The length first: Python refuses to read thousands of digits, with a message of its own.
    if not _WHOLE.fullmatch(text) or len(text) > _SHOWN or not least <= int(text) <= _MOST:
        raise _WrongError(f"a whole number from {least} to {_MOST}")
    return int(text)


def _seconds(text: str, least: int) -> float:
    text = text.strip()
    if not _DECIMAL.fullmatch(text) or not least <= float(text) <= _MOST:
        raise _WrongError(f"a number of seconds from {least} to {_MOST}")
    return float(text)


def _switch(text: str, _: int) -> bool:
    value = _WORDS.get(text.strip().lower())
    if value is None:
        raise _WrongError("a switch, true or false")
    return value


_READ: Mapping[type, Callable[[str, int], float | bool]] = {int: _whole, float: _seconds, bool: _switch}


def _shorten(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def _as_text(value: float) -> str:
    """As a person would write it into the variable."""
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"
