"""YAML text into *literal* scalars, with the place of each.

YAML 1.1 would turn `0123` into 83, `1.10` into 1.1 and `yes` into True, and they would reach production as env vars. So only
YAML's parser is used, never its resolver: a scalar is its text, quoted or not. A policy needs no tags, no merge keys and
no second document: these are refused, and so is what only an attack needs (depth, aliases that multiply).
"""

from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any

import yaml

from autoscaler.policyfile.tree import Flaw, Mark, Node

MAX_NODES = 10_000
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
    (
        "expected the node content, but found '<stream end>'",
        "a bracket above is never closed; a '#' after a space begins a comment, so a channel is written \"#ops\"",
    ),
    ("found unexpected end of stream", "a quote is opened here and never closed"),
    ("found character '@'", "a text that begins with @ needs quotes"),
    ("found character '`'", "a text that begins with ` needs quotes"),
    ("found character '%'", "a text that begins with % needs quotes"),
)
"""What YAML's parser says, and what it means to somebody who writes a policy."""


def read_yaml(text: str) -> tuple[Node | None, tuple[Flaw, ...]]:
    """The text's one document, and what is wrong with it; no document where the text is no YAML at all."""
    if (
        yaml.__with_libyaml__
    ):  # ten times as fast; PyYAML's own parser says better what is wrong, so it reads what C refuses
        with suppress(yaml.YAMLError, ValueError):
            return _read(text, yaml.CSafeLoader)
    try:
        return _read(text, yaml.SafeLoader)
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        mark = Mark(before.count("\n") + 1, len(before) - before.rfind("\n"))
        return None, (Flaw(mark, f"a character that no text holds (U+{ord(text[error.position]):04X})", "yaml"),)


def _read(text: str, loader: type[yaml.SafeLoader | yaml.CSafeLoader]) -> tuple[Node | None, tuple[Flaw, ...]]:
    builder = _Builder(loader(text))
    try:
        return builder.document(), tuple(builder.flaws)
    except _UnreadableError as unreadable:
        return None, (*builder.flaws, unreadable.flaw)


class _UnreadableError(Exception):
    """Nothing after this place can be read."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(flaw.message)
        self.flaw = flaw


class _Builder:
    """Builds nodes from the parser's events, so that its limits hold before anything is expanded."""

    def __init__(self, loader: yaml.SafeLoader | yaml.CSafeLoader) -> None:
        self.flaws: list[Flaw] = []
        self._loader = loader
        self._anchors: dict[str, Node] = {}
        self._open_anchors: set[str] = set()
        self._nodes = 0

    def document(self) -> Node:
        self._next()  # the stream begins
        first = self._next()
        if isinstance(first, yaml.StreamEndEvent):
            raise self._unreadable(Mark(), "the file is empty", "empty")
        root = self._node(self._next(), 0)
        self._next()  # the document ends
        after = self._next()
        if not isinstance(after, yaml.StreamEndEvent):
            raise self._unreadable(
                _mark(after), "a second document begins here: one file holds one policy", "documents"
            )
        if root.value is None:
            raise self._unreadable(Mark(), "the file is empty", "empty")
        return root

    def _next(self) -> Any:
        """The C parser's errors are let out: PyYAML's own parser words them."""
        event: Any
        if not isinstance(self._loader, yaml.SafeLoader):
            event = self._loader.get_event()
            return event
        try:
            event = self._loader.get_event()  # type: ignore[no-untyped-call]  # PyYAML has no types of its own
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

    def _tell(self, mark: Mark, message: str, code: str, hint: str | None = None) -> None:
        self.flaws.append(Flaw(mark, message, code, hint))

    def _unreadable(self, mark: Mark, message: str, code: str = "yaml") -> _UnreadableError:
        return _UnreadableError(Flaw(mark, message, code))

    def _node(self, event: yaml.Event, depth: int) -> Node:
        mark = _mark(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event.anchor or "", depth, mark)
        self._limit(1, depth, mark)
        anchor, tag = event.anchor, event.tag  # type: ignore[attr-defined]  # every event that is left has both
        if tag is not None:
            self._tell(mark, f"the tag '{tag[:40]}' has no meaning here: every value is taken as it is written", "tag")
        if anchor:
            self._open_anchors.add(anchor)
        if isinstance(event, yaml.MappingStartEvent):
            node = self._mapping(mark, depth)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(mark, depth)
        else:
            node = self._scalar(event, mark)
        if anchor:
            self._open_anchors.discard(anchor)
            self._anchors[anchor] = node
        return node

    def _limit(self, nodes: int, depth: int, mark: Mark) -> None:
        self._nodes += nodes
        if depth > MAX_DEPTH:
            raise self._unreadable(mark, f"nested more than {MAX_DEPTH} levels deep", "too_large")
        if self._nodes > MAX_NODES:
            message = f"more than {MAX_NODES} values, aliases counted: no policy is that large"
            raise self._unreadable(mark, message, "too_large")

    def _alias(self, name: str, depth: int, mark: Mark) -> Node:
        if name in self._open_anchors:
            raise self._unreadable(
                mark, f"the alias '*{name}' stands within its own anchor: it would never end", "alias"
            )
        if name not in self._anchors:
            raise self._unreadable(mark, f"the alias '*{name}' has no anchor '&{name}' above it", "alias")
        node = self._anchors[name]
        self._limit(node.size, depth + node.height - 1, mark)
        return node

    def _scalar(self, event: yaml.Event, mark: Mark) -> Node:
        text: str = event.value  # type: ignore[attr-defined]  # a scalar event
        if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
            self._tell(mark, "a '\\u' escape that is half a character", "yaml")
            return Node("", mark)
        is_plain = not event.style  # type: ignore[attr-defined]  # a scalar event; one parser says None, the other ""
        return Node(None if is_plain and text in _NULLS else text, mark)

    def _sequence(self, mark: Mark, depth: int) -> Node:
        items: list[Node] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
            if items[-1].value is None:
                self._tell(items[-1].mark, "an empty list item", "no_value", "write a value, or remove the '-'")
        return _branch(tuple(items), mark)

    def _mapping(self, mark: Mark, depth: int) -> Node:
        children: dict[str, Node] = {}
        keys: dict[str, Mark] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            place = _mark(event)
            key = self._key(event, place)
            child = self._node(self._next(), depth + 1)
            if key in keys:
                at = f"line {keys[key].line}, column {keys[key].column}"
                self._tell(place, f"duplicate key '{key[:60]}': it stands in {at} already", "duplicate_key")
            elif key == "<<":
                self._tell(place, "merge keys ('<<') are not read: write the lines out", "merge_key")
            else:
                keys[key], children[key] = place, child
                if child.value is None:
                    hint = 'write a value, or remove the line ("" is the empty text)'
                    self._tell(place, f"'{key[:60]}' has no value", "no_value", hint)
        return _branch(children, mark, keys)

    def _key(self, event: yaml.Event, mark: Mark) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise self._unreadable(mark, "a key must be a plain word, not a list, a mapping or an alias", "yaml")
        self._limit(1, 0, mark)
        node = self._scalar(event, mark)
        if node.value is None:
            self._tell(mark, "a key is missing before this ':'", "yaml")
        return str(node.value or "")


def _branch(
    value: tuple[Node, ...] | dict[str, Node], mark: Mark, keys: Mapping[str, Mark] = MappingProxyType({})
) -> Node:
    below = value if isinstance(value, tuple) else value.values()
    size = 1 + len(keys) + sum(child.size for child in below)
    return Node(value, mark, keys, size, 1 + max((child.height for child in below), default=0))


def _mark(event: yaml.Event) -> Mark:
    return _at(event.start_mark)


def _at(place: Any) -> Mark:
    """Of PyYAML's mark, which counts from 0."""
    return Mark(place.line + 1, place.column + 1) if place else Mark()
