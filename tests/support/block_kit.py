"""Slack's documented limits of Block Kit, written down a second time: shares nothing with the code that it checks.

Lengths are counted the strictest way: escaped, in UTF-16 units. The sum of all text has no documented limit; 11,341 characters
were refused in practice (slackapi/bolt-js issue 2867). An `action_id` has to be unique in its block, as documented; in a
message it has to be in the whole of it here, so that a press of a button can mean one thing only.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.support.block_kit_shapes import (
    Check,
    OneOf,
    Problems,
    Shape,
    boolean,
    choice,
    every,
    exactly_one,
    integer,
    length,
    several,
    string,
    text,
    url,
)

__all__ = ["elements", "image_files", "length", "markup", "problems", "texts", "view_problems"]

ENTITY = re.compile(r"&(?:amp|lt|gt);")


def plain(limit: int) -> Check:
    return text(limit, ("plain_text",))


# Composition objects and elements ------------------------------------------------------------------------------------

CONFIRM = Shape(
    {"title": plain(100), "text": text(300), "confirm": plain(30), "deny": plain(30)},
    {"style": choice("primary", "danger")},
)
OPTION = Shape({"text": plain(75), "value": string(150)}, {"description": plain(75)})
OVERFLOW_OPTION = Shape(OPTION.needs, {**OPTION.may, "url": url})
PICTURE = {"image_url": url, "slack_file": exactly_one(Shape({}, {"id": string(255), "url": url}), "id", "url")}
IMAGE = exactly_one(Shape({"alt_text": string(2000)}, PICTURE), "image_url", "slack_file")
BUTTON = Shape(
    {"text": plain(75)},
    {
        "action_id": string(255),
        "value": string(2000),
        "url": url,
        "style": choice("primary", "danger"),
        "confirm": CONFIRM,
        "accessibility_label": string(75),
    },
)
OVERFLOW = Shape({"options": several(OVERFLOW_OPTION, 5)}, {"action_id": string(255), "confirm": CONFIRM})
TEXT_INPUT = Shape(
    {},
    {
        "action_id": string(255),
        "initial_value": string(3000),
        "multiline": boolean,
        "min_length": integer(0, 3000),
        "max_length": integer(1, 3000),
        "placeholder": plain(150),
        "focus_on_load": boolean,
    },
)


def _initial_is_an_option(where: str, select: Any) -> Problems:
    if isinstance(select, dict) and (first := select.get("initial_option")) and first not in select.get("options", []):
        yield f"{where}/initial_option: none of the options"


SELECT = every(
    Shape(
        {"options": several(OPTION, 100)},
        {
            "action_id": string(255),
            "placeholder": plain(150),
            "initial_option": OPTION,
            "confirm": CONFIRM,
            "focus_on_load": boolean,
        },
    ),
    _initial_is_an_option,
)
INTERACTIVE = {"button": BUTTON, "overflow": OVERFLOW, "static_select": SELECT}

# Blocks --------------------------------------------------------------------------------------------------------------


def _text_or_fields(where: str, section: Any) -> Problems:
    if isinstance(section, dict) and section.get("text") is None and section.get("fields") is None:
        yield f"{where}: a section needs text or fields"


def block(needs: dict[str, Check], may: dict[str, Check] | None = None) -> Shape:
    return Shape(needs, {**(may or {}), "block_id": string(255)})


BLOCK = OneOf(
    {
        "header": block({"text": plain(150)}),
        "divider": block({}),
        "section": every(
            block(
                {},
                {
                    "text": text(3000),
                    "fields": several(text(2000), 10),
                    "accessory": OneOf({**INTERACTIVE, "image": IMAGE}),
                    "expand": boolean,
                },
            ),
            _text_or_fields,
        ),
        "context": block({"elements": several(OneOf({"image": IMAGE}, otherwise=text(3000)), 10)}),
        "actions": block({"elements": several(OneOf(INTERACTIVE), 25)}),
        "image": exactly_one(
            block({"alt_text": string(2000)}, {**PICTURE, "title": plain(2000)}), "image_url", "slack_file"
        ),
        "input": block(
            {"label": plain(2000), "element": OneOf({"plain_text_input": TEXT_INPUT, "static_select": SELECT})},
            {"hint": plain(2000), "optional": boolean, "dispatch_action": boolean},
        ),
    }
)
MODAL = OneOf(
    {
        "modal": Shape(
            {"title": plain(24), "blocks": several(BLOCK, 100)},
            {
                "submit": plain(24),
                "close": plain(24),
                "callback_id": string(255),
                "external_id": string(255),
                "private_metadata": string(3000),
                "clear_on_close": boolean,
                "notify_on_close": boolean,
                "submit_disabled": boolean,
            },
        )
    }
)

# What is asked of this module ----------------------------------------------------------------------------------------


def problems(blocks: object) -> list[str]:
    """Everything that Slack would refuse in a message; empty for a valid list of blocks."""
    found = [*several(BLOCK, 50)("blocks", blocks), *_repeated(blocks), *_repeated_actions(blocks)]
    if sum(map(length, texts(blocks))) > 11_000:
        found.append("blocks: msg_blocks_too_long")
    return found


def view_problems(view: object) -> list[str]:
    """The same for a modal. One that asks for something needs a button to send it by."""
    found = [*MODAL("view", view)]
    blocks = view.get("blocks") if isinstance(view, dict) else None
    if any(kind == "input" for kind in _kinds(blocks)) and "submit" not in view:
        found.append("view: needs submit, as it has an input")
    for one in blocks if isinstance(blocks, list) else ():
        found += _repeated_actions([one])
    return [*found, *_repeated(blocks)]


def elements(blocks: object) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """What people can press, pick or fill in, with its block."""
    for one in blocks if isinstance(blocks, list) else ():
        match one:
            case {"type": "actions", "elements": list(inside)}:
                yield from ((one, element) for element in inside if isinstance(element, dict))
            case {"type": "section", "accessory": {"type": "button" | "overflow" | "static_select"} as element}:
                yield one, element
            case {"type": "input", "element": dict(element)}:
                yield one, element


def image_files(blocks: object) -> Iterator[str]:
    """The uploaded files that are shown, wherever they are."""
    if isinstance(blocks, list):
        for item in blocks:
            yield from image_files(item)
    elif isinstance(blocks, dict):
        for key, value in blocks.items():
            if key == "slack_file" and isinstance(value, dict):
                yield value.get("id", "")
            else:
                yield from image_files(value)


def texts(blocks: object) -> Iterator[str]:
    """The text of every text object, wherever it is."""
    if isinstance(blocks, list):
        for item in blocks:
            yield from texts(item)
    elif isinstance(blocks, dict):
        for key, value in blocks.items():
            if key == "text" and isinstance(value, str):
                yield value
            else:
                yield from texts(value)


def markup(shown: str) -> list[str]:
    """What Slack would read as a mention, a link or a broken entity."""
    return re.findall(r"<[^>]*>?|>|&", ENTITY.sub("", shown))


def _kinds(blocks: object) -> list[object]:
    return [one.get("type") for one in blocks if isinstance(one, dict)] if isinstance(blocks, list) else []


def _repeated(blocks: object) -> Iterator[str]:
    whole = blocks if isinstance(blocks, list) else []
    yield from _twice("block_id", [one["block_id"] for one in whole if isinstance(one, dict) and "block_id" in one])


def _repeated_actions(blocks: object) -> Iterator[str]:
    yield from _twice("action_id", [one["action_id"] for _, one in elements(blocks) if "action_id" in one])


def _twice(key: str, names: list[object]) -> Iterator[str]:
    yield from (f"blocks: {key} {name} is there {n} times" for name, n in Counter(map(str, names)).items() if n > 1)
