"""One thing that was looked at, and what to do about it."""

import asyncio
import re
import traceback
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from autoscaler.errors import AutoscalerError
from autoscaler.report.text import one_line


class State(StrEnum):
    """How it is."""

    OK = "ok"
    WARNING = "warning"
    """The bot works, but maybe not as it is meant to."""
    WRONG = "wrong"
    SKIPPED = "skipped"
    """It could not, or need not, be looked at: the text says why."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. `fix` is the next command, or the page and the button; empty where there is nothing to do."""

    check: str
    state: State
    text: str
    fix: str = ""
    about: str = ""
    """Which of several: the service, the channel, the file."""


def ok(check: str, text: str, *, about: str = "") -> Finding:
    """All is well."""
    return Finding(check, State.OK, text, about=about)


def warning(check: str, text: str, fix: str, *, about: str = "") -> Finding:
    """It works, and yet."""
    return Finding(check, State.WARNING, text, fix, about)


def wrong(check: str, text: str, fix: str, *, about: str = "") -> Finding:
    """It does not work."""
    return Finding(check, State.WRONG, text, fix, about)


def skipped(check: str, text: str, fix: str = "", *, about: str = "") -> Finding:
    """It was not looked at."""
    return Finding(check, State.SKIPPED, text, fix, about)


def of_error(check: str, error: AutoscalerError, *, about: str = "") -> Finding:
    """What an error says. Its text is what is wrong, and then the next step: the first sentence is told apart from the others."""
    what, _, fix = re.sub(r"\.\s+(?=[A-Z`])", ".\0", one_line(str(error)), count=1).partition("\0")
    return wrong(check, what.rstrip("."), fix, about=about)


async def guarded(
    check: str, looking: Awaitable[Iterable[Finding]], patience: float, *, about: str = ""
) -> list[Finding]:
    """What was found; also where it took too long, failed, or met a mistake of ours: no check stops another."""
    try:
        async with asyncio.timeout(patience):
            return list(await looking)
    except TimeoutError:
        fix = "Try again in a minute; if it stays so, look at the network and at firewalls in between."
        return [wrong(check, f"no answer within {patience:g} s", fix, about=about)]
    except AutoscalerError as error:
        return [of_error(check, error, about=about)]
    except Exception as error:  # noqa: BLE001 - told as what it is; the other checks go on
        place = traceback.extract_tb(error.__traceback__)[-1]
        # Not the error's own words: they may hold anything, a token as well.
        text = f"this check has a bug ({type(error).__name__} in {Path(place.filename).name}:{place.lineno})"
        return [wrong(check, text, "Please report it with this line; the other checks are good.", about=about)]


def renamed(finding: Finding, names: Mapping[str, str]) -> Finding:
    """About the same, by the name that people know."""
    return replace(finding, about=names.get(finding.about, finding.about))


def seconds(time: float) -> str:
    """How long something took: `12 ms`, `1.4 s`."""
    return f"{time:.1f} s" if time >= 1 else f"{max(1, round(time * 1000))} ms"


def listed(words: Iterable[str], most: int = 5) -> str:
    """`a, b, c and 4 more`."""
    every = list(words)
    rest = len(every) - most
    return ", ".join(every) if rest <= 0 else f"{', '.join(every[:most])} and {rest} more"
