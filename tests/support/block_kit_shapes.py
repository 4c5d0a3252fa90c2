"""Small checks that a description of Block Kit is put together from. Each tells what is wrong with a value, and where."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Problems = Iterator[str]
Check = Callable[[str, Any], Problems]


def length(shown: str) -> int:
    return len(shown.encode("utf-16-le", "surrogatepass")) // 2


def string(limit: int) -> Check:
    def check(where: str, value: Any) -> Problems:
        if not isinstance(value, str) or not 1 <= length(value) <= limit:
            yield f"{where}: a string of 1 to {limit} characters"

    return check


def text(limit: int, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")) -> Check:
    def check(where: str, value: Any) -> Problems:
        if not isinstance(value, dict) or value.get("type") not in kinds or not isinstance(value.get("text"), str):
            yield f"{where}: a text object of {kinds}"
            return
        allowed = {"type", "text", "emoji" if value["type"] == "plain_text" else "verbatim"}
        if unknown := set(value) - allowed:
            yield f"{where}: unknown keys {sorted(unknown)}"
        if not 1 <= length(value["text"]) <= limit or not value["text"].strip():
            yield f"{where}: 1 to {limit} characters, not {length(value['text'])}"

    return check


def url(where: str, value: Any) -> Problems:
    yield from string(3000)(where, value)
    if not str(value).startswith(("https://", "http://")):
        yield f"{where}: no URL"


def boolean(where: str, value: Any) -> Problems:
    if not isinstance(value, bool):
        yield f"{where}: true or false"


def integer(least: int, most: int) -> Check:
    def check(where: str, value: Any) -> Problems:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            yield f"{where}: a number from {least} to {most}"

    return check


def choice(*allowed: str) -> Check:
    def check(where: str, value: Any) -> Problems:
        if value not in allowed:
            yield f"{where}: one of {allowed}"

    return check


def several(one: Check, most: int) -> Check:
    def check(where: str, value: Any) -> Problems:
        if not isinstance(value, list) or not 1 <= len(value) <= most:
            yield f"{where}: a list of 1 to {most}"
            return
        for number, item in enumerate(value):
            yield from one(f"{where}/{number}", item)

    return check


def every(*checks: Check) -> Check:
    def check(where: str, value: Any) -> Problems:
        for one in checks:
            yield from one(where, value)

    return check


def exactly_one(shape: Check, *names: str) -> Check:
    def check(where: str, value: Any) -> Problems:
        yield from shape(where, value)
        if isinstance(value, dict) and len(set(names) & set(value)) != 1:
            yield f"{where}: exactly one of {names}"

    return check


@dataclass(frozen=True)
class Shape:
    """An object by its keys; `type` was looked at by who chose the shape."""

    needs: Mapping[str, Check]
    may: Mapping[str, Check] = field(default_factory=dict)

    def __call__(self, where: str, value: Any) -> Problems:
        if not isinstance(value, dict):
            yield f"{where}: an object"
            return
        yield from (f"{where}: needs {name}" for name in self.needs if name not in value)
        known = {**self.needs, **self.may}
        for name in value.keys() - {"type"}:
            if name in known:
                yield from known[name](f"{where}/{name}", value[name])
            else:
                yield f"{where}: unknown key {name}"


@dataclass(frozen=True)
class OneOf:
    """The shape that its `type` calls for."""

    shapes: Mapping[str, Check]
    otherwise: Check | None = None

    def __call__(self, where: str, value: Any) -> Problems:
        kind = value.get("type") if isinstance(value, dict) else None
        check = self.shapes.get(str(kind), self.otherwise)
        if check is None:
            yield f"{where}: unknown type {kind}"
        else:
            yield from check(where, value)
