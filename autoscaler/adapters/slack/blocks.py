"""A Message as Block Kit, within Slack's limits and with nothing in it that Slack could take for markup of ours.

Limits: 50 blocks, 150 characters in a header, 3000 in a section, 10 fields of 2000, 10 context elements (Slack's Block Kit
reference); all text together about 12,000 (undocumented; `msg_blocks_too_long` was met at 11,341, slackapi/bolt-js issue 2867).
Ours are tighter where a phone's screen is: a message stays below 9,000 characters.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from autoscaler.report.messages import SIGNS, Button, Message, Verb
from autoscaler.report.text import clean, cut, one_line

Block = dict[str, Any]

HEADER, SECTION, FIELD, CONTEXT, FALLBACK = 150, 3000, 450, 500, 600
"""Characters, as Slack counts them once escaped."""
FIELDS = 10
BUTTON, MODAL_TITLE = 75, 24
ACTIONS, REASON, LONGEST_REASON = "autoscaler.", "reason", 500
_STYLES: Mapping[Verb, str] = {
    Verb.APPROVE: "primary",
    Verb.SCALE: "primary",
    Verb.GO_LIVE: "primary",
    Verb.REJECT: "danger",
}
_ESCAPED: Mapping[str, str] = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def blocks(message: Message, *, buttons: bool, picture: str | None = None) -> list[Block]:
    """Header, lines, fields, small print, buttons. A title alone is one plain line: a step in a thread should not shout.

    Without `buttons`, nobody would hear of them being pressed. `picture`: the id of a file in Slack.
    """
    headline = f"{SIGNS[message.tone]} {one_line(message.title)}"
    if not (message.lines or message.fields or message.context or message.buttons or picture):
        return [_section(headline)]
    result: list[Block] = [{"type": "header", "text": _plain(headline, HEADER)}]
    if body := "\n".join(line for line in map(_tidy, message.lines) if line):
        result.append(_section(body))
    if picture is not None:
        alternative = _escape(cut(one_line(message.lines[0]) if message.lines else "a chart", CONTEXT, _size))
        result.append({"type": "image", "slack_file": {"id": picture}, "alt_text": alternative or "a chart"})
    if message.fields:
        result.append({"type": "section", "fields": [_field(*field) for field in _fitting(message.fields)]})
    if context := one_line(message.context):
        result.append({"type": "context", "elements": [_text(context, CONTEXT)]})
    if buttons and message.buttons:
        result.append({"type": "actions", "elements": [_element(button) for button in message.buttons]})
    return result


def fallback(message: Message) -> str:
    """What a notification and a screen reader get: the title, why, and the first fields."""
    parts = [message.title, *message.lines[:1], *(f"{label}: {value}" for label, value in message.fields[:2])]
    text = " · ".join(part for part in map(one_line, parts) if part)
    return _escape(cut(f"{SIGNS[message.tone]} {text}", FALLBACK, _size))


def modal(title: str, told: Message, subject: str) -> Block:
    """A form with one question: why not? Its answer comes back with `subject`."""
    reason = {"type": "plain_text_input", "action_id": REASON, "multiline": True, "max_length": LONGEST_REASON}
    return {
        "type": "modal",
        "callback_id": action_id(Verb.REJECT),
        "private_metadata": subject,
        "title": _plain(title, MODAL_TITLE),
        "submit": _plain("Reject", MODAL_TITLE),
        "close": _plain("Back", MODAL_TITLE),
        "blocks": [
            _section("\n".join((told.title, *told.lines))),
            {
                "type": "input",
                "block_id": REASON,
                "optional": True,
                "label": _plain("Why not?", BUTTON),
                "element": reason,
            },
        ],
    }


def action_id(verb: Verb) -> str:
    """How Slack names a button of ours when it is pressed."""
    return f"{ACTIONS}{verb}"


def _element(button: Button) -> Block:
    label = _plain(one_line(button.label), BUTTON)
    if button.choices:
        options = [
            {"text": _plain(text, BUTTON), "value": f"{value} {button.subject}"} for text, value in button.choices
        ]
        return {"type": "static_select", "action_id": action_id(button.verb), "placeholder": label, "options": options}
    made: Block = {"type": "button", "action_id": action_id(button.verb), "text": label, "value": button.subject}
    return made | ({"style": _STYLES[button.verb]} if button.verb in _STYLES else {})


def _plain(text: str, limit: int) -> Block:
    return {"type": "plain_text", "text": _escape(cut(text, limit, _size)), "emoji": True}


def _section(text: str) -> Block:
    return {"type": "section", "text": _text(text, SECTION)}


def _text(text: str, limit: int) -> Block:
    """`verbatim` keeps Slack from making links and mentions of names in it."""
    return {"type": "mrkdwn", "text": _escape(cut(text, limit, _size)), "verbatim": True}


def _field(label: str, value: str) -> Block:
    name = cut(one_line(label) or "…", 60, _size)
    shown = cut(_tidy(value) or "-", FIELD, _size)
    return {"type": "mrkdwn", "text": f"*{_escape(name)}*\n{_escape(shown)}", "verbatim": True}


def _fitting(fields: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    if len(fields) <= FIELDS:
        return list(fields)
    left_out = len(fields) - FIELDS + 1
    return [*fields[: FIELDS - 1], ("…", f"and {left_out} more")]


def _tidy(text: str) -> str:
    return clean(text).strip()


def _escape(text: str) -> str:
    """Slack's three control characters (its guide to formatting text); nothing else can start a mention or a link."""
    return "".join(_ESCAPED.get(character, character) for character in text)


def _size(character: str) -> int:
    """Escaped, and in UTF-16 units, should Slack count those: an emoji is two."""
    return len(_ESCAPED.get(character, character)) + (character > "\uffff")
