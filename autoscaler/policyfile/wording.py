"""What pydantic says about a value, in the words of somebody who writes a policy."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import isclass
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from autoscaler.core.findings import Path
from autoscaler.core.policy import Policy

_EXAMPLES = {
    "version": "version: 1",
    "service": "service: {id: srv-…, health: {url: https://…}}",
    "health": "health: {url: https://…/api/health/scaling}",
    "url": "url: https://…/api/health/scaling",
    "env": "env: NAME_OF_THE_VARIABLE",
    "tiers": "tiers: with a list, the smallest plan first",
    "name": "name: mvp",
    "plan": "plan: starter",
    "when": "when: error_rate > 5% for 1h",
    "do": "do: investigate",
    "during": "during: mon-fri 08:00-20:00 Europe/Berlin",
    "at_least": "at_least: the name of a tier",
    "monthly": "monthly: 60",
}
_FORMS = {
    "url": "is no address: write http:// or https://, without a password in it",
    "id": "is no id of a Render service: it stands in the dashboard's address and begins with srv-",
    "approvers": "is no Slack id: a member's begins with U or W, a user group's with S",
}
_ANY_NAME = "may hold letters, digits, - and _ only"
_PHRASES = {
    "too_short": ("{what} is empty", "empty", "write at least one item, or remove it"),
    "string_pattern_mismatch": ("{what} {form}", "wrong_value", None),
    "string_type": ("{what} takes one value, not {kind}", "wrong_kind", None),
    "tuple_type": ("{what} takes a list, not {kind}", "wrong_kind", "write lines that begin with '- ', or […]"),
    "model_type": ("{what} takes 'key: value' lines, not {kind}", "wrong_kind", None),
    "dict_type": ("{what} takes 'key: value' lines, not {kind}", "wrong_kind", None),
    "secret": (
        "{what} names a variable and never holds the secret itself",
        "wrong_kind",
        "write 'token: {env: NAME_OF_THE_VARIABLE}'",
    ),
    "greater_than_equal": ("{what} must be at least {ge}", "wrong_value", None),
    "less_than_equal": ("{what} must be at most {le}", "wrong_value", None),
    "string_too_short": ("{what} is too short", "wrong_value", None),
    "string_too_long": ("{what} is too long", "wrong_value", None),
}
"""Pydantic's kind of error -> what is told, its code, and what to write instead."""


@dataclass(frozen=True, slots=True)
class Wording:
    """A message, what to write instead, a code, and whether it speaks of the key rather than of the value."""

    message: str
    code: str
    hint: str | None = None
    at_key: bool = False


def explain(error: ErrorDetails, path: Path, root: type[BaseModel] = Policy) -> Wording:
    """One of pydantic's errors at `path` (without the tags of its unions) of a file that `root` describes."""
    kind, what = error["type"], _what(path)
    context = error.get("ctx", {})
    if kind == "missing":
        key = str(path[-1])
        return Wording(f"'{key}' is missing", "missing_key", f"write '{_EXAMPLES.get(key, f'{key}: …')}'", at_key=True)
    if kind == "extra_forbidden":
        return _unknown_key(path, root)
    if kind in {"literal_error", "enum"}:
        return _not_one_of(what, error["input"], str(context["expected"]))
    if kind == "value_error":
        return Wording(error["msg"].removeprefix("Value error, "), "wrong_value")
    if kind == "model_type" and path[-1:] == ("token",):
        kind = "secret"
    message, code, hint = _PHRASES.get(kind, ("{what} is not what is expected here", "wrong_value", None))
    words = {"what": what, "kind": _kind(error["input"]), "form": _form(path)} | context
    return Wording(message.format(**words), code, hint)


def _what(path: Path) -> str:
    """`'plan'`, `item 2 of 'approvers'`."""
    last = path[-1] if path else ""
    if isinstance(last, int):
        section = next((step for step in reversed(path) if isinstance(step, str)), "")
        return f"item {last + 1} of '{section}'"
    return f"'{last[:60]}'" if last else "a policy"


def _unknown_key(path: Path, root: type[BaseModel]) -> Wording:
    key, valid = str(path[-1]), _keys(path[:-1], root)
    near = difflib.get_close_matches(key[:60], valid, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"use {', '.join(valid)}"
    return Wording(f"unknown key '{key[:60]}'", "unknown_key", hint, at_key=True)


def _keys(path: Path, root: type[BaseModel]) -> tuple[str, ...]:
    """The keys that may stand in the section at `path`."""
    model: type[BaseModel] | None = root
    for step in path:
        if isinstance(step, str) and model is not None:
            field = model.model_fields.get(step)
            model = _model(field.annotation) if field else model  # what is no key is a name that the policy gives
    return tuple(model.model_fields) if model else ()


def _model(annotation: Any) -> type[BaseModel] | None:
    """The section that a `tuple[Tier, ...]` or a `Budget | None` holds."""
    if isclass(annotation) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model(part))), None)


def _not_one_of(what: str, value: object, expected: str) -> Wording:
    choices = re.findall(r"'([^']*)'", expected)
    if not choices:  # `version`, the one choice that is no text
        return Wording(f"{what} is not known to this release", "wrong_value", f"write {expected}")
    if not isinstance(value, str):
        return Wording(f"{what} takes one of {', '.join(choices)}", "wrong_kind")
    near = difflib.get_close_matches(value[:60], choices, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'?" if near else f"use {', '.join(choices)}"
    return Wording(f"{what} can't be '{value[:60]}'", "wrong_value", hint)


def _form(path: Path) -> str:
    """What is wrong with the form of a text."""
    keys = [step for step in path if isinstance(step, str)]
    return _FORMS.get(keys[-1], _ANY_NAME) if keys else _ANY_NAME


def _kind(value: object) -> str:
    if isinstance(value, Mapping):
        return "'key: value' lines"
    return "a list" if isinstance(value, list) else "nothing" if value is None else "a text"
