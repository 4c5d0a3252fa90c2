"""The thread of one change, as docs/slack.md shows it: asked, approved, done."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import sin

from autoscaler.core.change import Question, State
from autoscaler.core.durations import MINUTE
from autoscaler.report import change_messages
from autoscaler.report.heads import head
from autoscaler.report.messages import Message
from tests.support.charted import UP
from tests.support.stories import NOW, change

WAVE = tuple((NOW - (90 - minute) * MINUTE, 4.5 + min(minute, 32) / 6 + sin(minute / 5) * 0.6) for minute in range(91))


@dataclass(frozen=True)
class Told:
    at: str
    message: Message


def story() -> tuple[Told, list[Told]]:
    """The question, and the whole thread once it is done."""
    begun = change()
    question = Question(
        ("approval_required",), 24 * 60 * MINUTE, because=("The policy wants a person's yes for this.",)
    )
    waiting = replace(begun, state=State.PROPOSED, question=question)
    agreed = replace(question, agreed_at=NOW + 2 * MINUTE, agreed_by="ada")
    done = replace(
        begun,
        state=State.WATCHING,
        question=agreed,
        created_at=NOW + 2 * MINUTE,
        live_at=NOW + 5 * MINUTE,
        outcome="standard is live and the app confirms 8 of 8 settings",
        soak=15 * MINUTE,
    )
    chart = replace(UP, points=WAVE)
    first = replace(change_messages.asked(waiting), chart=chart)
    thread = [
        (0, replace(head(done), chart=chart)),
        (2, change_messages.progress(waiting, "Agreed: ada said yes. Going ahead.")),
        (2, change_messages.progress(begun, "Plan standard is set, and its env values; deploying.")),
        (5, change_messages.live(done)),
        (20, change_messages.ended(done)),
    ]
    return Told(_clock(0), first), [Told(_clock(minute), message) for minute, message in thread]


def _clock(minute: int) -> str:
    return f"{datetime.fromtimestamp((NOW + minute * MINUTE) / 1000, UTC):%H:%M}"
