"""YAML text into *literal* scalars, with the place of each.

YAML 1.1 would turn `0123` into 83, `1.10` into 1.1 and `yes` into True, and they would reach production as env vars. So only
YAML's parser is used, never its resolver: a scalar is its text, quoted or not. A policy needs no tags, no merge keys and
no second document: these are refused, and so is what only an attack needs (depth, aliases that multiply).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from autoscaler.core.lint import Path

MAX_NODES = 20_000
"""Keys and values of a file, aliases counted each time; a large policy has a few hundred."""
MAX_DEPTH = 32
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_SYNTAX = (
    ("found character '\\t'", "a tab: indent with spaces"),
    (
        "mapping values are not allowed here",
        "a ':' that does not belong here: put the text in quotes, or check the indentation",
    ),
    ("could not find expected ':'", "this is no 'key: value'"),
    ("expected <block end>, but found '-'", "this list item is not in line with the ones above"),
    ("expected <block end>", "the indentation does not fit the lines above"),
    ("expected ',' or", "a ',' or the closing bracket is missing before this"),
    ("found unexpected end of stream", "a quote is opened here and never closed"),
    ("found character '@'", "a text that begins with @ needs quotes"),
    ("found character '`'", "a text that begins with ` needs quotes"),
    ("found character '%'", "a text that begins with % needs quotes"),
)
"""What YAML's parser says, and what it means to somebody who writes a policy."""


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
    path: Path | None = None
    """Where a value is missing."""


@dataclass(frozen=True, slots=True)
class Node:
    """One value: a text, None for nothing, a list, or a mapping with the places of its keys."""

    value: "str | tuple[Node, ...] | Mapping[str, Node] | None"
    mark: Mark
    keys: Mapping[str, Mark] = field(default_factory=dict)
    size: int = 1
    """Itself and everything below, each alias counted in full."""

    def plain(self) -> Any:
        """The value without its places: str, None, list, dict."""
        if isinstance(self.value, Mapping):
            return {key: child.plain() for key, child in self.value.items()}
        return [child.plain() for child in self.value] if isinstance(self.value, tuple) else self.value

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


def read_yaml(text: str) -> tuple[Node | None, tuple[Flaw, ...]]:
    """The text's one document, and what is wrong with it; no document where the text is no YAML at all."""
    try:
        builder = _Builder(text)
        return builder.document(), tuple(builder.flaws)
    except _UnreadableError as unreadable:
        return None, (*unreadable.flaws, unreadable.flaw)


class _UnreadableError(Exception):
    """Nothing after this place can be read."""

    def __init__(self, flaw: Flaw, flaws: Iterable[Flaw] = ()) -> None:
        super().__init__(flaw.message)
        self.flaw = flaw
        self.flaws = tuple(flaws)


class _Builder:
    """Builds nodes from the parser's events, so that its limits hold before anything is expanded."""

    def __init__(self, text: str) -> None:
        self.flaws: list[Flaw] = []
        self._anchors: dict[str, Node] = {}
        self._open_anchors: set[str] = set()
        self._nodes = 0
        try:
            self._loader = yaml.SafeLoader(text)
        except yaml.reader.ReaderError as error:
            before = text[: error.position]
            mark = Mark(before.count("\n") + 1, len(before) - before.rfind("\n"))
            raise self._unreadable(
                mark, f"a character that no text holds (U+{ord(text[error.position]):04X})"
            ) from error

    def document(self) -> Node:
        self._next()  # the stream begins
        first = self._next()
        if isinstance(first, yaml.StreamEndEvent):
            raise self._unreadable(Mark(), "the file is empty", "empty")
        root = self._node(self._next(), (), 0)
        self._next()  # the document ends
        after = self._next()
        if not isinstance(after, yaml.StreamEndEvent):
            raise self._unreadable(
                _mark(after), "a second document begins here: one file holds one policy", "documents"
            )
        if root.value is None:
            raise self._unreadable(Mark(), "the file is empty", "empty")
        return root

    def _next(self) -> yaml.Event:
        try:
            event: yaml.Event = self._loader.get_event()  # type: ignore[no-untyped-call]  # PyYAML has no types of its own
        except yaml.MarkedYAMLError as error:
            raise self._syntax(error) from error
        except (ValueError, OverflowError) as error:  # PyYAML lets chr() and int() fail on odd escapes
            place = _at(self._loader.get_mark())
            raise self._unreadable(place, "an escape or a directive that is no YAML") from error
        return event

    def _syntax(self, error: yaml.MarkedYAMLError) -> _UnreadableError:
        problem = error.problem or "it can't be read"
        told = next((words for start, words in _SYNTAX if problem.startswith(start)), f"no valid YAML: {problem}")
        place = error.context_mark if "end of stream" in problem else error.problem_mark
        return self._unreadable(_at(place), told)

    def _unreadable(self, mark: Mark, message: str, code: str = "yaml") -> _UnreadableError:
        return _UnreadableError(Flaw(mark, message, code), self.flaws)

    def _node(self, event: yaml.Event, path: Path, depth: int) -> Node:
        mark = _mark(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, mark)
        if depth > MAX_DEPTH:
            raise self._unreadable(mark, f"nested more than {MAX_DEPTH} levels deep", "too_large")
        self._count(1, mark)
        anchor, tag = event.anchor, event.tag  # type: ignore[attr-defined]  # every event that is left has both
        if tag is not None:
            self.flaws.append(
                Flaw(mark, f"the tag '{tag[:40]}' has no meaning here: every value is taken as it is written", "tag")
            )
        if anchor:
            self._open_anchors.add(anchor)
        if isinstance(event, yaml.MappingStartEvent):
            node = self._mapping(mark, path, depth)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(mark, path, depth)
        else:
            node = self._scalar(event, mark)
        if anchor:
            self._open_anchors.discard(anchor)
            self._anchors[anchor] = node
        return node

    def _count(self, nodes: int, mark: Mark) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise self._unreadable(
                mark, f"more than {MAX_NODES} values, aliases counted: no policy is that large", "too_large"
            )

    def _alias(self, event: yaml.AliasEvent, mark: Mark) -> Node:
        if event.anchor in self._open_anchors:
            raise self._unreadable(
                mark, f"the alias '*{event.anchor}' stands within its own anchor: it would never end", "alias"
            )
        if event.anchor not in self._anchors:
            raise self._unreadable(
                mark, f"the alias '*{event.anchor}' has no anchor '&{event.anchor}' above it", "alias"
            )
        node = self._anchors[event.anchor]
        self._count(node.size, mark)
        return node

    def _scalar(self, event: yaml.Event, mark: Mark) -> Node:
        text: str = event.value  # type: ignore[attr-defined]  # a scalar event
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            self.flaws.append(Flaw(mark, "a '\\u' escape that is half a character", "yaml"))
            return Node("", mark)
        is_plain = event.style is None  # type: ignore[attr-defined]  # a scalar event
        return Node(None if is_plain and text in _NULLS else text, mark)

    def _sequence(self, mark: Mark, path: Path, depth: int) -> Node:
        items: list[Node] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            place = (*path, len(items))
            items.append(self._node(event, place, depth + 1))
            if items[-1].value is None:
                self.flaws.append(
                    Flaw(items[-1].mark, "an empty list item", "no_value", "write a value or remove the '-'", place)
                )
        return Node(tuple(items), mark, size=1 + sum(item.size for item in items))

    def _mapping(self, mark: Mark, path: Path, depth: int) -> Node:
        children: dict[str, Node] = {}
        keys: dict[str, Mark] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            place = _mark(event)
            key = self._key(event, place)
            child = self._node(self._next(), (*path, key), depth + 1)
            if key in keys:
                first = keys[key]
                self.flaws.append(
                    Flaw(
                        place,
                        f"duplicate key '{key[:60]}': it stands in line {first.line}, column {first.column} already",
                        "duplicate_key",
                    )
                )
                continue
            if key == "<<":
                self.flaws.append(Flaw(place, "merge keys ('<<') are not read: write the lines out", "merge_key"))
                continue
            keys[key], children[key] = place, child
            if child.value is None:
                self.flaws.append(_no_value(key, place, (*path, key)))
        return Node(children, mark, keys, size=1 + sum(1 + child.size for child in children.values()))

    def _key(self, event: yaml.Event, mark: Mark) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise self._unreadable(mark, "a key must be a plain word, not a list, a mapping or an alias", "yaml")
        self._count(1, mark)
        node = self._scalar(event, mark)
        if node.value is None:
            self.flaws.append(Flaw(mark, "a key is missing before this ':'", "yaml"))
        return str(node.value or "")


def _mark(event: yaml.Event) -> Mark:
    return _at(event.start_mark)


def _at(place: Any) -> Mark:
    """Of PyYAML's mark, which counts from 0."""
    return Mark(place.line + 1, place.column + 1) if place else Mark()


def _no_value(key: str, mark: Mark, path: Path) -> Flaw:
    hint = "write a value, or remove the line"
    return Flaw(
        mark, f"'{key[:60]}' has no value", "no_value", f'{hint}; "" is the empty text' if "env" in path else hint, path
    )
