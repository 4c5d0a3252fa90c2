"""Names of keys in a shared store: the same for equal keys in every instance, different for different ones."""

from collections.abc import Hashable
from hashlib import sha256
from typing import Any

_PLAIN = (str, bytes, int, float, bool, type(None))


def digest(key: Hashable) -> str:
    """Hexadecimal digits that tell the key, its types included, from every other one; nobody reads a user's name off them.

    Raises:
        TypeError: the key holds something whose text could be another key's too, or differ between processes.
    """
    _check(key)
    return sha256(ascii(key).encode()).hexdigest()  # ascii: repr depends on the Unicode version of the Python


def _check(part: Any) -> None:
    if type(part) is tuple:
        for inner in part:
            _check(inner)
    elif type(part) not in _PLAIN:
        raise TypeError(
            f"a key shared between instances may hold str, bytes, int, float, bool, None and tuples of them, and this one holds a"
            f" {type(part).__module__}.{type(part).__qualname__}: put its identifying values there instead"
        )
