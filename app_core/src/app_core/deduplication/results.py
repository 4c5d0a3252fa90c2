"""How a result is kept, so that no caller can change what another one gets."""

import pickle
import zlib
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any
from uuid import UUID

Load = Callable[[Any], Any]
Kept = tuple[Any, Load | None]
"""What is stored, and what makes a caller's own object of it; None when the stored object can be handed out itself."""

_IMMUTABLE = frozenset(
    {
        str,
        bytes,
        int,
        float,
        complex,
        bool,
        type(None),
        date,
        datetime,
        time,
        timedelta,
        timezone,
        Decimal,
        Fraction,
        UUID,
    }
)
_WORTH_A_TRY = 1024  # bytes; below, zlib's own cost outweighs what it saves
_STACK_GLOBAL = b"\x93"  # the opcode by which a pickle names a class; one without it is plain data and always loads


def keeper(*, copy: bool, compress: bool) -> Callable[[Any], Kept]:
    """The function that makes results ready to be kept.

    It raises TypeError for what cannot be copied; the message names the type and the two ways out.

    Args:
        copy: whether results that could be changed are kept as bytes, of which every later caller gets an object of its own.
        compress: whether bytes of 1 KB or more are compressed where that saves at least a quarter.
    """
    if compress:
        return _compressed if copy else _compressed_shared
    return _protected if copy else _shared


def is_immutable(value: Any) -> bool:
    """Whether nobody can change it. Exact types only: an instance of a subclass may carry attributes."""
    kind = type(value)
    if kind in _IMMUTABLE:
        return True
    if kind is tuple or kind is frozenset:
        return all(map(is_immutable, value))
    return isinstance(value, Enum)


def compressed(data: bytes) -> bytes | None:
    """The data compressed, or None where that does not save at least a quarter."""
    if len(data) < _WORTH_A_TRY:
        return None
    small = zlib.compress(data, 1)
    return small if 4 * len(small) <= 3 * len(data) else None


def _shared(value: Any) -> Kept:
    return value, None


def _protected(value: Any) -> Kept:
    if type(value) in _IMMUTABLE:
        return value, None
    pickled = _pickled(value)
    return (value, None) if pickled is None else (pickled, pickle.loads)


def _compressed(value: Any) -> Kept:
    kept, load = _compressed_shared(value)
    if load is not None:
        return kept, load
    pickled = _pickled(value)
    if pickled is None:
        return value, None
    small = compressed(pickled)
    return (pickled, pickle.loads) if small is None else (small, _inflated_pickle)


def _compressed_shared(value: Any) -> Kept:
    load: Load
    if type(value) is bytes:
        small, load = compressed(value), zlib.decompress
    elif type(value) is str:
        small, load = compressed(value.encode("utf-8", "surrogatepass")), _inflated_text
    else:
        return value, None
    return (value, None) if small is None else (small, load)


def _inflated_text(small: bytes) -> str:
    return zlib.decompress(small).decode("utf-8", "surrogatepass")


def _inflated_pickle(small: bytes) -> Any:
    return pickle.loads(zlib.decompress(small))  # noqa: S301 - bytes that this process made and never gave away


def _pickled(value: Any) -> bytes | None:
    """Bytes that give an equal object; None for what is immutable."""
    try:
        if is_immutable(value):
            return None
        pickled = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
        if _STACK_GLOBAL in pickled:
            pickle.loads(pickled)  # noqa: S301 - made in the line above; now is the time to learn that a class does not load
    except Exception as error:  # a class may raise anything from its own reduce or setstate
        raise TypeError(
            f"a result of type {type(value).__module__}.{type(value).__qualname__} cannot be copied for later callers, as it cannot"
            " be pickled: return plain data such as dicts, lists and strings, or make the Deduplicator with copy=False and"
            " change no result after it was returned"
        ) from error
    return pickled
