"""Each limit of Block Kit that tests/support/block_kit.py knows: what just fits is taken, one more is refused."""

import pytest

from tests.support.block_kit import problems, view_problems
from tests.support.slack_app import MODAL, NOTE, REASON, refused


def plain(length):
    return {"type": "plain_text", "text": "x" * length}


def button(**more):
    return {"type": "button", "text": plain(75), **more}


def option(text=75, value=150, **more):
    return {"text": plain(text), "value": "v" * value, **more}


def confirm(title=100, text=300, yes=30, no=30, **more):
    return {"title": plain(title), "text": plain(text), "confirm": plain(yes), "deny": plain(no), **more}


def select(count=1, **more):
    return {"type": "static_select", "options": [option()] * count, **more}


def overflow(count=1, **more):
    return {"type": "overflow", "options": [option(url="https://example.com")] * count, **more}


def image(**more):
    return {"type": "image", "alt_text": "a", "image_url": "https://example.com/a.png", **more}


def actions(*elements, **more):
    return [{"type": "actions", "elements": list(elements), **more}]


def section(accessory):
    return [{"type": "section", "text": plain(3000), "accessory": accessory}]


def ask(element, label=2000, **more):
    return [{"type": "input", "label": plain(label), "element": element, **more}]


def line(**more):
    return {"type": "plain_text_input", **more}


RIGHT = (
    actions(*(button(action_id=str(number)) for number in range(25))),
    actions(
        button(action_id="a" * 255, value="v" * 2000, style="danger", url="https://example.com", confirm=confirm())
    ),
    actions(select(100, placeholder=plain(150), initial_option=option()), overflow(5), block_id="b" * 255),
    section(button(confirm=confirm(style="danger"))),
    section(select()),
    section(overflow(confirm=confirm())),
    section(image()),
    [image(alt_text="a" * 2000, title=plain(2000), block_id="b")],
    [{"type": "image", "alt_text": "a", "slack_file": {"id": "F1"}}],
    [{"type": "context", "elements": [image(), plain(10)]}],
    ask(line(max_length=3000, min_length=0, placeholder=plain(150), multiline=True), optional=True, hint=plain(2000)),
    ask(select()),
)

WRONG = (
    actions(),
    actions(*(button(action_id=str(number)) for number in range(26))),
    actions({"type": "checkboxes"}),
    actions("button"),
    actions(button(text=plain(76))),
    actions(button(text={"type": "mrkdwn", "text": "x"})),
    actions({"type": "button"}),
    actions(button(action_id="a" * 256)),
    actions(button(action_id="")),
    actions(button(action_id="a"), button(action_id="a")),
    actions(button(action_id="a"), block_id="1") + actions(button(action_id="a"), block_id="2"),
    actions(button(value="v" * 2001)),
    actions(button(value=1)),
    actions(button(style="default")),
    actions(button(url="javascript:alert(1)")),
    actions(button(url="https://example.com/" + "a" * 3000)),
    actions(button(colour="red")),
    actions(button(confirm=confirm(title=101))),
    actions(button(confirm=confirm(text=301))),
    actions(button(confirm=confirm(yes=31))),
    actions(button(confirm=confirm(no=31))),
    actions(button(confirm={"title": plain(1)})),
    actions(button(), block_id="b" * 256),
    actions(button(), block_id="b") + actions(button(), block_id="b"),
    actions(select(0)),
    actions(select(101)),
    actions(select(placeholder=plain(151))),
    actions(select(initial_option=option(text=1))),
    actions({"type": "static_select", "options": [option(text=76)]}),
    actions({"type": "static_select", "options": [option(value=151)]}),
    actions({"type": "static_select", "options": [option(url="https://example.com")]}),
    actions(overflow(6)),
    section(line()),
    section(image(alt_text="")),
    [{"type": "section", "accessory": button()}],
    [image(alt_text="a" * 2001)],
    [image(title=plain(2001))],
    [image(slack_file={"id": "F1"})],
    [{"type": "image", "alt_text": "a"}],
    [{"type": "image", "image_url": "https://example.com/a.png"}],
    [{"type": "image", "alt_text": "a", "slack_file": {}}],
    ask(line(), label=2001),
    ask(line(max_length=0)),
    ask(line(max_length=3001)),
    ask(line(placeholder=plain(151))),
    ask(line(), optional="yes"),
    ask(button()),
    [{"type": "input", "label": plain(1)}],
    [{"type": "rich_text"}],
    [{"type": "divider"}] * 51,
)


@pytest.mark.parametrize("blocks", RIGHT)
def test_what_just_fits_is_right(blocks):
    assert problems(blocks) == []


@pytest.mark.parametrize("blocks", WRONG)
async def test_one_more_is_refused(slack, web, blocks):
    assert problems(blocks)
    assert await refused(web.chat_postMessage(channel="#ops", text="x", blocks=blocks)) == "invalid_blocks"


def test_a_modal_that_just_fits_is_right():
    names = {"callback_id": "c" * 255, "private_metadata": "p" * 3000, "title": plain(24), "close": plain(24)}
    assert view_problems({**MODAL, **names, "submit": plain(24), "blocks": [{"type": "divider"}] * 100}) == []
    assert view_problems(MODAL) == [], "two inputs may have the same action_id"


@pytest.mark.parametrize(
    "wrong",
    (
        {"type": "home"},
        {"title": plain(25)},
        {"title": {"type": "mrkdwn", "text": "x"}},
        {"submit": plain(25)},
        {"close": plain(25)},
        {"callback_id": "c" * 256},
        {"private_metadata": "p" * 3001},
        {"blocks": []},
        {"blocks": [{"type": "divider"}] * 101},
        {"blocks": [REASON, REASON]},
        {"blocks": [NOTE, *actions(button(action_id="a"), button(action_id="a"))]},
        {"colour": "red"},
    ),
)
async def test_a_modal_that_does_not_fit_is_refused(slack, web, app, wrong):
    view = {**MODAL, **wrong}
    assert view_problems(view)
    trigger = (await slack.command("U0ADA", "x")).envelope["payload"]["trigger_id"]
    assert await refused(web.views_open(trigger_id=trigger, view=view)) == "invalid_arguments"


@pytest.mark.parametrize("needed", ("title", "blocks", "submit"))
def test_a_modal_with_an_input_needs(needed):
    assert view_problems({key: value for key, value in MODAL.items() if key != needed})


def test_nonsense_is_a_problem_too():
    for nonsense in (None, "", [], [1], {}, [[]]):
        assert problems(nonsense)
        assert view_problems(nonsense)
