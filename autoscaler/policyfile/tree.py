"""Literal values with the place of each."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from autoscaler.core.findings import Path


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in the text, both from 1."""

    line: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something that is wrong with the text itself."""

    mark: Mark
    message: str
    code: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """One value: a text, None for nothing, a list, or a mapping with the places of its keys."""

    value: "str | tuple[Node, ...] | Mapping[str, Node] | None"
    mark: Mark
    keys: Mapping[str, Mark] = field(default_factory=dict)
    size: int = 1
    """Itself and everything below, each alias counted in full."""
    height: int = 1
    """Levels, itself included."""

    def plain(self) -> Any:
        """The value without its places: str, None, list, dict."""
        if isinstance(self.value, Mapping):
            return {key: child.plain() for key, child in self.value.items()}
        return [child.plain() for child in self.value] if isinstance(self.value, tuple) else self.value

    def nothing(self) -> Iterator[Path]:
        """The paths of the values that are None."""
        below: Iterable[tuple[str | int, Node]] = ()
        if isinstance(self.value, Mapping):
            below = self.value.items()
        elif isinstance(self.value, tuple):
            below = enumerate(self.value)
        for step, child in below:
            if child.value is None:
                yield (step,)
            yield from ((step, *path) for path in child.nothing())

    def child(self, step: str | int) -> "Node | None":
        """What stands under a key or an index, if anything."""
        if isinstance(self.value, Mapping):
            return self.value.get(step) if isinstance(step, str) else None
        return (
            self.value[step]
            if isinstance(self.value, tuple) and isinstance(step, int) and step < len(self.value)
            else None
        )

    def locate(self, path: Path, *, at_key: bool = False) -> Mark:
        """The place of a value (of its key, if asked for or if it is a section), or of the nearest section that is there."""
        node, mark = self, self.mark
        for step in path:
            child = node.child(step)
            if child is None:
                break
            is_section = not isinstance(child.value, str)
            mark = node.keys[step] if isinstance(step, str) and (at_key or is_section) else child.mark
            node = child
        return mark

    def without(self, paths: Iterable[Path]) -> "Node":
        """The same tree with these values left out."""
        below: dict[str | int, list[Path]] = {}
        for path in paths:
            if path:
                below.setdefault(path[0], []).append(path[1:])
        if isinstance(self.value, Mapping):
            kept = {
                key: child.without(below.get(key, ()))
                for key, child in self.value.items()
                if () not in below.get(key, ())
            }
            return replace(self, value=kept)
        if isinstance(self.value, tuple):
            numbered = enumerate(self.value)
            return replace(
                self,
                value=tuple(child.without(below.get(i, ())) for i, child in numbered if () not in below.get(i, ())),
            )
        return self
