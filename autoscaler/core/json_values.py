"""One value of a report, by its JMESPath, or the words for why it can't be. Nothing that an endpoint says is trusted unseen."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache

import jmespath
from jmespath.exceptions import JMESPathTypeError

LARGEST = 1e18
"""More than anything here can be; also what NaN and infinities fail to be less than."""
_NAMES = re.compile(r'[A-Za-z_]\w*(?:\.(?:[A-Za-z_]\w*|"[^"\\]+"))*', re.ASCII)


class BadReportError(ValueError):
    """A value of a report that can't be; its text says which."""


@cache
def _search(path: str) -> Callable[[object], object]:
    """Nearly all paths are names with dots between them: these are walked, which is ten times as fast as a tree of JMESPath."""
    if not _NAMES.fullmatch(path):
        search: Callable[[object], object] = jmespath.compile(path).search
        return search
    steps = [step.strip('"') for step in re.findall(r'"[^"]+"|[^.]+', path)]

    def walk(value: object) -> object:
        for step in steps:
            value = value.get(step) if isinstance(value, dict) else None
        return value

    return walk


def find(body: Mapping[str, object], path: str) -> object:
    """Whatever stands there, None where nothing does. Raises BadReportError when the path does not fit what it meets."""
    try:
        return _search(path)(body)
    except JMESPathTypeError as error:
        if error.current_value is None:  # `length()` of what is not there is no mistake: it is not there
            return None
        raise BadReportError(
            f"'{path[:60]}' does not fit it: {error.function_name}() of a {error.actual_type}"
        ) from None
    except (TypeError, ValueError, ArithmeticError, RecursionError) as error:  # jmespath lets Python's own through
        raise BadReportError(f"'{path[:60]}' does not fit it: {str(error)[:120]}") from None


def number(body: Mapping[str, object], path: str) -> float | None:
    """A count or measure. Raises BadReportError for what is none: negative, NaN, infinite, a word, a truth."""
    value = find(body, path)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LARGEST:
        raise BadReportError(f"{path.partition(' ')[0]} is {str(value)[:40]!r}, which is no count or measure")
    return float(value)


def text(body: Mapping[str, object], path: str) -> str | None:
    """A short text or whole number."""
    value = find(body, path)
    return str(value)[:200] if isinstance(value, str | int) else None


def time(body: Mapping[str, object], path: str) -> int | None:
    """An ISO 8601 time with its zone, ms UTC. Raises BadReportError for any other."""
    value = find(body, path)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise BadReportError(f"{path} is {str(value)[:40]!r}, which is no ISO 8601 time") from None
    if moment.tzinfo is None:
        raise BadReportError(f"{path} is {str(value)[:40]!r}, which has no time zone")
    return round(moment.timestamp() * 1000)
