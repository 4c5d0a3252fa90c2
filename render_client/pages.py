"""Lists of Render, followed page by page to their end."""

from dataclasses import replace
from typing import Final

from render_client.replies import Answer, Call, ModelT, entries, parsed, unreadable
from render_client.transport import Transport

LARGEST_PAGE: Final = 100
MOST_PAGES: Final = 300


async def collect(
    transport: Transport, call: Call, thing: str, model: type[ModelT], limit: int | None = None
) -> list[ModelT]:
    """Return the first ``limit`` entries of a list, or all of them for None, in Render's order.

    Each entry is ``{"cursor": "…", thing: {…}}``; the cursor of the last one asks for the next page, and a page
    shorter than asked for is the last.

    Raises:
        ValueError: the limit is below 1.
        RenderDownError: a page is no list of such entries, or the cursors lead nowhere.
        RenderError: as for any call.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"A limit of {limit} asks for nothing. Give at least 1, or None for all.")
    found: list[ModelT] = []
    cursor = ""
    for _ in range(MOST_PAGES):
        size = LARGEST_PAGE if limit is None else min(LARGEST_PAGE, limit - len(found))
        position = (("limit", str(size)), *((("cursor", cursor),) if cursor else ()))
        page = entries(call, await transport.send(replace(call, query=call.query + position)))
        found += [parsed(model, call, Answer(entry.json.get(thing))) for entry in page[:size]]
        if len(page) < size or len(found) == limit:
            return found
        before, cursor = cursor, str(page[-1].json.get("cursor") or "")
        if cursor in {"", before}:
            raise unreadable(call, "a full page without a cursor to the next one")
    raise unreadable(call, f"more than {MOST_PAGES} pages")
