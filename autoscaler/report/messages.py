"""What the team is told: an event becomes a message without a channel's markup; Slack and the terminal dress it."""

from dataclasses import dataclass
from enum import StrEnum


class Tone(StrEnum):
    """How a message feels; decides its colour and sign."""

    NOTICE = "notice"
    PROGRESS = "progress"
    GOOD = "good"
    BAD = "bad"
    ASK = "ask"


@dataclass(frozen=True, slots=True)
class Message:
    """Plain text everywhere: names and values in it may be anything, the channel's adapter escapes them."""

    title: str
    tone: Tone
    lines: tuple[str, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    """Label and value pairs: cost, from, to …"""
    context: str = ""
    """Small print: change id, policy, time."""
