"""Without Slack, the terminal shows what Slack would have."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.adapters.terminal import TerminalNotifier
from autoscaler.core.change import State
from autoscaler.errors import UnavailableError
from autoscaler.ports import EventKind
from autoscaler.report import change_messages, messages
from autoscaler.report.messages import Message, Tone
from tests.support.stories import MINUTE, NOW, change, delivery

STORY = (
    (change_messages.started(change()), None),
    (change_messages.progress(change(), "Plan set to standard"), "terminal:1"),
    (change_messages.ended(change(state=State.WATCHING, live_at=NOW + 3 * MINUTE, outcome="it answers")), "terminal:1"),
)


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


async def shown(stream, *story, **event):
    notifier = TerminalNotifier(stream, width=64)
    for number, (message, parent) in enumerate(story):
        await notifier.deliver(delivery(message, parent=parent, at=NOW + number * MINUTE, **event))
    return stream.getvalue()


async def test_a_conversation_reads_as_it_would_in_slack():
    assert await shown(io.StringIO(), *STORY) == (
        "\n"
        "#ops  Render Autoscaler  14:03 UTC\n"
        "┃ 🔧 Scaling up holisticos-api: mvp → scaled\n"
        "┃ avg_response_time 9.4s > 8s for 1h\n"
        "┃ Next: plan, env values, one deploy, then 15m of watching. I go\n"
        "┃ back by myself if it fails.\n"
        "┃\n"
        "┃ Plan     starter → standard\n"
        "┃ Cost     $7/mo → $25/mo (+$18/mo)\n"
        "┃ Env (2)  MAX_CONCURRENT: 8 → 20\n"
        "┃          DB_POOL_SIZE: 3 → 6\n"
        "┃\n"
        "┃ change chg_7f3a\n"
        "  ↳ 14:04 UTC  🔧 Plan set to standard\n"
        "  ↳ 14:05 UTC  ✅ Done: holisticos-api runs on standard (scaled)\n"
        "    ┃ It answers.\n"
        "    ┃ Nothing to do. I keep an eye on it for 1d from when it\n"
        "    ┃ went live.\n"
        "    ┃\n"
        "    ┃ Running now  standard (scaled)\n"
        "    ┃ Cost         $7/mo → $25/mo (+$18/mo)\n"
        "    ┃ Took         3m\n"
        "    ┃\n"
        "    ┃ change chg_7f3a\n"
    )


async def test_a_reply_to_a_thread_that_is_not_on_screen_says_which_one():
    stream = io.StringIO()
    notifier = TerminalNotifier(stream, width=64)
    await notifier.deliver(delivery(messages.notice("Other"), thread="chg_other"))
    reply = delivery(messages.notice("Reply"), parent="terminal:1")
    reference = await notifier.deliver(reply)
    assert stream.getvalue().endswith("\n#ops  in the thread of change chg_7f3a\n  ↳ 14:03 UTC  💬 Reply\n")
    assert reference == f"terminal:{reply.event.id}"


async def test_a_terminal_gets_colour_by_tone_and_a_file_gets_none(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[32m" in await shown(Tty(), *STORY)
    assert "\x1b" not in await shown(io.StringIO(), *STORY)


async def test_with_no_color_a_terminal_gets_no_escape_at_all(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in await shown(Tty(), *STORY)


async def test_a_console_that_can_only_write_ascii_still_gets_every_word():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    notifier = TerminalNotifier(stream, width=80)
    for message, parent in STORY:
        await notifier.deliver(delivery(message, parent=parent))
    text = raw.getvalue().decode("ascii")
    assert "| [~] Scaling up holisticos-api: mvp -> scaled\n" in text
    assert "  > 14:03 UTC  [ok] Done" in text
    stream.close()


async def test_a_stream_that_was_closed_is_to_be_tried_again():
    stream = io.StringIO()
    stream.close()
    with pytest.raises(UnavailableError, match="terminal"):
        await shown(stream, *STORY)


words = st.text(st.characters(exclude_categories=()), max_size=60) | st.sampled_from(
    ["\x1b[2J", "[bold]x[/bold]", ":smile:", "\x9b31m", "日本語" * 40, "x" * 500]
)


@given(words, words, words, st.sampled_from([None, "terminal:1"]), st.sampled_from(Tone))
async def test_no_control_character_from_data_reaches_the_terminal(title, line, value, parent, tone):
    message = Message(title, tone, (line,), ((title, value),), value)
    text = await shown(io.StringIO(), (message, parent), channel=title, thread=value)
    assert not [one for one in text if (ord(one) < 32 or 127 <= ord(one) < 160) and one != "\n"]
    text.encode()


async def test_what_looks_like_markup_is_shown_as_it_is():
    assert "[bold]x[/bold] :smile:" in await shown(io.StringIO(), (messages.notice("[bold]x[/bold] :smile:"), None))


async def test_what_only_changes_the_first_message_is_not_printed():
    stream = io.StringIO()
    head = delivery(messages.notice("Head"), kind=EventKind.HEAD, parent="terminal:1")
    assert await TerminalNotifier(stream, width=64).deliver(head) is None
    assert stream.getvalue() == ""
