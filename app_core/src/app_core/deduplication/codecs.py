"""How results become bytes that other instances read."""

import json
import pickle
from typing import Any, Protocol


class Codec(Protocol):
    """Writes results and reads them."""

    @property
    def name(self) -> str:
        """Part of every key in the store, so that no instance reads what another codec wrote."""

    def encode(self, value: Any) -> bytes:
        """Bytes that `decode` turns into exactly this value.

        Raises:
            ValueError: it would come back as another value, or not at all; any other error is taken for that too. Its text
                is logged, so it holds no values.
        """

    def decode(self, data: bytes) -> Any:
        """A fresh object; any error means that the bytes are none of this codec's."""


class JsonCodec:
    """Dicts with string keys, lists, strings, numbers, booleans and None. Reading it runs no code, whoever wrote it."""

    name = "json"

    def encode(self, value: Any) -> bytes:
        """Refuse whatever JSON would change: tuples, dates, keys that are numbers, enums, subclasses."""
        data = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        if not _is_same(value, self.decode(data)):
            raise ValueError("JSON would give it back as something else")
        return data

    def decode(self, data: bytes) -> Any:
        """Read it as it was written, lone surrogates and NaN too."""
        return json.loads(data.decode("utf-8", "surrogatepass"))


class PickleCodec:
    """Nearly every Python object.

    Not the default, as reading a pickle runs what it says: with this codec, whoever can write to that Redis can run code in
    every instance. All instances need the same classes, so change the backend's prefix when you change one.
    """

    name = "pickle"

    def encode(self, value: Any) -> bytes:
        """Pickle it."""
        try:
            return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
        except Exception as error:  # a class may raise anything from its own reduce
            raise ValueError("it cannot be pickled") from error

    def decode(self, data: bytes) -> Any:
        """Unpickle it: see the warning above."""
        return pickle.loads(data)  # noqa: S301 - the app chose it, and was told what it means


def _is_same(one: Any, other: Any) -> bool:
    """Equal in value and in type, all the way down, and dicts in order."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return len(one) == len(other) and all(map(_is_same, one.items(), other.items()))
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_is_same, one, other))
    return bool(one == other or (one != one and other != other))  # noqa: PLR0124 - NaN is what differs from itself
