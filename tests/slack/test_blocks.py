"""Every message that the bot can build is one that Slack takes, whatever the names in it are."""

from dataclasses import replace

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from autoscaler.adapters.slack.blocks import blocks, fallback
from autoscaler.core.change import Question, Rung, State
from autoscaler.core.consent import Answer, Snooze
from autoscaler.core.evaluate import Role
from autoscaler.core.guards import Blocker
from autoscaler.core.why import Why
from autoscaler.report import change_messages, messages
from autoscaler.report.heads import head
from autoscaler.report.messages import Message, Tone
from autoscaler.report.sentences import meaning
from tests.support.block_kit import length, markup, problems, texts
from tests.support.stories import NOW, alert_rule, change, change_down, held_back, progress, verdict

NASTY = (
    "<!channel> <@U024BE7LH> <https://evil.example|click> &lt;!here&gt; & < >",
    "😀👩‍👩‍👧‍👦" * 200,
    "a" * 10_000,
    "&" * 10_000,
    "word " * 2_000,
    "one\ntwo\r\nthree\u2028four",
    "שלום \u202eevil\u202c مرحبا",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b1m bell\x07 nul\x00",
    "*bold* _it_ ~no~ `code` ```block``` > quote",
    "\ud800 lone surrogate",
    "",
    " \n\t ",
    "\u200d\ufe0f",
)
words = st.sampled_from(NASTY) | st.text(max_size=300)


def fits(message: Message) -> None:
    built = blocks(message, buttons=True, picture="F0CHART")
    assert problems(built) == []
    assert 1 <= length(fallback(message)) <= 600
    shown = [*texts(built), fallback(message)]
    assert [found for text in shown for found in markup(text)] == []
    assert not [text for text in shown if set(text) & {"\x1b", "\x9b", "\x00", "\u202e", "\ud800"}]
    "".join(shown).encode()


@settings(deadline=None)
@given(words, st.lists(words, max_size=5), st.lists(st.tuples(words, words), max_size=14), words, st.sampled_from(Tone))
@example(NASTY[2], [NASTY[2]] * 4, [(NASTY[2], NASTY[2])] * 14, NASTY[2], Tone.BAD)
@example(NASTY[3], [NASTY[3]] * 4, [(NASTY[3], NASTY[3])] * 14, NASTY[3], Tone.BAD)
@example("", [""], [("", "")], "", Tone.ASK)
def test_any_message_fits_slack_and_holds_no_markup_from_data(title, lines, fields, context, tone):
    fits(Message(title, tone, tuple(lines), tuple(fields), context))


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(name=words, other=words, number=st.integers(1, 60))
def test_every_builder_fits_slack_for_any_name(name, other, number):
    env = {f"KEY_{index}": other for index in range(number)}
    rungs = {
        "origin": Rung(name, other, number, {}, 7.0),
        "target": Rung(other, name, 1, env, 25.0),
        "reason": other,
        "requested_by": name,
    }
    begun = change(service=name, **rungs)
    asked = verdict(service=name, tier=other, target=name, reasons=(progress("stalled", 1.0, 1.0),) * number)
    every_blocker = tuple(Blocker(why, NOW + 60_000, other) for why in Why)
    condition = alert_rule("error-spike", "error_rate > 5% for 1h", "investigate")
    fits(change_messages.started(begun))
    fits(change_messages.started(change_down(service=name, emergency=True)))
    fits(change_messages.progress(begun, other))
    fits(change_messages.stuck(begun, other, 600_000))
    fits(change_messages.live(begun))
    because = tuple(meaning(blocker, NOW) for blocker in every_blocker)
    question = Question(tuple(Why), expires=60_000, needed=2, because=because, agreed_by=other)
    waiting = replace(begun, state=State.PROPOSED, question=question)
    fits(change_messages.asked(waiting))
    fits(change_messages.asked_again(waiting))
    said = [Answer(begun.id, name, yes=True, at=NOW, name=other)] * (number % 4)
    fits(head(waiting, said))
    fits(head(waiting, said, Snooze(begun.id, name, NOW, NOW + 1, other)))
    fits(head(replace(waiting, state=State.APPLYING, question=replace(question, agreed_at=NOW))))
    fits(messages.held(held_back(*every_blocker, service=name, tier=None)))
    fits(messages.alert(name, condition, asked))
    fits(messages.notice(name, *[other] * number))
    for state in State:
        if state.is_final or state is State.WATCHING:
            over = change(service=name, state=state, outcome=other, ended_at=NOW, question=question, **rungs)
            fits(change_messages.ended(over))
            fits(head(over))


def test_a_long_text_is_cut_at_a_word_and_says_so():
    (header, section) = blocks(messages.notice("Long " * 60, "many words " * 600), buttons=True)
    assert header["text"]["text"].endswith("Long Long…")
    assert section["text"]["text"].endswith(("many words…", "words many…"))
    assert 2900 < len(section["text"]["text"]) <= 3000


def test_an_entity_is_never_cut_in_two():
    (header, _) = blocks(messages.notice("&" * 500, "x"), buttons=True)
    assert header["text"]["text"].removesuffix("…").removeprefix("💬 ").replace("&amp;", "") == ""


def test_more_than_ten_fields_say_how_many_are_left_out():
    many = Message("Title", Tone.NOTICE, fields=tuple((f"name{number}", "value") for number in range(13)))
    fields = blocks(many, buttons=True)[1]["fields"]
    assert len(fields) == 10
    assert fields[-1]["text"] == "*…*\nand 4 more"


def test_a_title_alone_is_one_plain_line():
    assert [block["type"] for block in blocks(messages.notice("Plan set"), buttons=True)] == ["section"]
    with_one = blocks(messages.notice("Plan set"), buttons=True, picture="F0CHART")
    assert [block["type"] for block in with_one] == ["header", "image"]


def test_the_builders_are_all_tried_here():
    told = {name for name, one in vars(messages).items() if getattr(one, "__module__", "") == messages.__name__}
    told |= {
        name
        for name, one in vars(change_messages).items()
        if getattr(one, "__module__", "") == change_messages.__name__
    }
    public = {name for name in told if not name.startswith("_")} - {"Button", "Message", "Tone", "Verb"}
    tried = {"asked", "asked_again", "started", "progress", "stuck", "live", "ended", "held", "alert", "notice"}
    assert public - tried == {"blind", "sees_again", "given_back"}, "short ones, with nothing of other people's making"


def test_an_alert_shows_the_value_of_its_own_condition():
    rule = alert_rule("error-spike", "error_rate > 5% for 1h", "investigate")
    seen = verdict(progress=(progress("error_rate > 5% for 1h", 7.2, 1.0, role=Role.ALERT),))
    assert messages.alert("holisticos.yaml", rule, seen).lines[0] == "error_rate 7.2% > 5% for 1h"
