"""Slack's documented limits of Block Kit, written down a second time: shares nothing with the code that it checks.

Lengths are counted the strictest way: escaped, in UTF-16 units. The sum of all text has no documented limit; 11,341 characters
were refused in practice (slackapi/bolt-js issue 2867).
"""

import re
from collections.abc import Iterator
from typing import Any

ENTITY = re.compile(r"&(?:amp|lt|gt);")


def problems(blocks: object) -> list[str]:
    """Everything that Slack would refuse; empty for a valid list of blocks."""
    if not isinstance(blocks, list) or not 1 <= len(blocks) <= 50:
        return ["blocks: a list of 1 to 50"]
    found = [problem for number, block in enumerate(blocks) for problem in _block(f"blocks/{number}", block)]
    if sum(map(length, texts(blocks))) > 11_000:
        found.append("blocks: msg_blocks_too_long")
    return found


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


def markup(text: str) -> list[str]:
    """What Slack would read as a mention, a link or a broken entity."""
    return re.findall(r"<[^>]*>?|>|&", ENTITY.sub("", text))


def length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _block(where: str, block: Any) -> Iterator[str]:
    match block:
        case {"type": "header", "text": text, **rest}:
            yield from _text(f"{where}/text", text, 150, ("plain_text",))
        case {"type": "section", **rest}:
            text, fields = rest.pop("text", None), rest.pop("fields", None)
            if text is None and fields is None:
                yield f"{where}: a section needs text or fields"
            if text is not None:
                yield from _text(f"{where}/text", text, 3000)
            if fields is not None:
                yield from _several(f"{where}/fields", fields, 2000)
        case {"type": "context", "elements": elements, **rest}:
            yield from _several(f"{where}/elements", elements, 3000)
        case {"type": "divider", **rest}:
            pass
        case _:
            yield f"{where}: unknown block"
            return
    rest.pop("type", None)
    if rest:
        yield f"{where}: unknown keys {sorted(rest)}"


def _several(where: str, items: Any, limit: int) -> Iterator[str]:
    if not isinstance(items, list) or not 1 <= len(items) <= 10:
        yield f"{where}: 1 to 10 items"
        return
    for number, item in enumerate(items):
        yield from _text(f"{where}/{number}", item, limit)


def _text(where: str, text: Any, limit: int, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")) -> Iterator[str]:
    if not isinstance(text, dict) or text.get("type") not in kinds or not isinstance(text.get("text"), str):
        yield f"{where}: a text object of {kinds}"
        return
    allowed = {"type", "text", "emoji" if text["type"] == "plain_text" else "verbatim"}
    if unknown := set(text) - allowed:
        yield f"{where}: unknown keys {sorted(unknown)}"
    if not 1 <= length(text["text"]) <= limit or not text["text"].strip():
        yield f"{where}: 1 to {limit} characters, not {length(text['text'])}"
