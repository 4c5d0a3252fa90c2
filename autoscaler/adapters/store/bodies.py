"""Values to JSON text and back. Keys of a later release are ignored; keys that an earlier one did not write get their default."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from autoscaler.adapters.store.packing import pack, unpack
from autoscaler.core.change import Change, JournalEntry
from autoscaler.core.consent import Answer, Snooze
from autoscaler.core.facts import GoneLive, Pause
from autoscaler.core.guards import Verdict
from autoscaler.core.observations import (
    EnvSeen,
    Masked,
    Missed,
    Observation,
    Overridden,
    Reading,
    Signal,
    TierChanged,
    Told,
)
from autoscaler.errors import StoreError
from autoscaler.ports import Event, Heartbeat

Value = TypeVar("Value")

READING, MISSED, TIER_CHANGED, SIGNAL, TOLD = "reading", "missed", "tier_changed", "signal", "told"
OVERRIDDEN, ENV_SEEN = "overridden", "env_seen"

KINDS: Mapping[str, type[Observation]] = MappingProxyType(
    {
        READING: Reading,
        MISSED: Missed,
        "masked": Masked,
        TIER_CHANGED: TierChanged,
        SIGNAL: Signal,
        TOLD: Told,
        OVERRIDDEN: Overridden,
        ENV_SEEN: EnvSeen,
    }
)
"""The column `kind` of an observation."""

_KIND_OF: Mapping[type, str] = MappingProxyType({shape: kind for kind, shape in KINDS.items()})

_ADAPTERS: Mapping[type, TypeAdapter[object]] = MappingProxyType(
    {
        shape: TypeAdapter(shape)
        for shape in (*KINDS.values(), Verdict, Change, JournalEntry, Event, Heartbeat, Pause, Answer, Snooze, GoneLive)
    }
)


def kind_of(observation: Observation) -> str:
    """Its name in the column `kind`."""
    return _KIND_OF[type(observation)]


def dump(value: object) -> str:
    """Any value that the store keeps, as JSON. Infinity and NaN are written as Python writes them; `load` reads them."""
    # Pydantic warns of, or refuses, a Mapping that is no dict (MappingProxyType, ChainMap): it is written as one.
    plain = _ADAPTERS[type(value)].dump_python(value, mode="json", fallback=dict, warnings=False)
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))


def load(shape: type[Value], body: str) -> Value:
    """The value again. Raises StoreError when the row was not written by this program."""
    try:
        return cast("Value", _ADAPTERS[shape].validate_json(body))
    except ValidationError as error:
        problem = f"{error.error_count()} problems, first: {error.errors()[0]['msg']}"
        raise _unreadable(shape, problem) from None


def dump_row(observation: Observation) -> str:
    """The body of its row: readings are packed, for they take nearly all of the room."""
    body = dump(observation)
    return pack(body) if isinstance(observation, Reading) else body


def load_row(shape: type[Value], row: str) -> Value:
    """The value of an observation's row, packed or not. Raises StoreError as `load` does."""
    try:
        body = unpack(row)
    except ValueError as error:
        raise _unreadable(shape, str(error)) from None
    return load(shape, body)


def _unreadable(shape: type, problem: str) -> StoreError:
    return StoreError(
        f"A stored {shape.__name__} can't be read ({problem}): "
        "was the row edited by hand, or written by a later release? Run the release that wrote it."
    )
