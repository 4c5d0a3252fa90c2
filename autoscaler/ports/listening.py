"""What people press and type, and who answers them."""

from dataclasses import dataclass
from typing import Protocol

from autoscaler.report.messages import Message, Verb


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a channel vouches for."""

    id: str
    """Slack's: it never changes, and nobody can choose it."""
    name: str
    """What they call themselves: for people to read, never to decide by."""


@dataclass(frozen=True, slots=True)
class Press:
    """A button was pressed."""

    verb: Verb
    subject: str
    """As the button had it."""
    by: Person
    choice: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A channel, by what the policy may call it."""

    id: str
    name: str
    """Without the `#`; for a private channel or a direct message it is no name."""


@dataclass(frozen=True, slots=True)
class Said:
    """A slash command."""

    text: str
    """All behind the command's own name."""
    by: Person
    at: Place


@dataclass(frozen=True, slots=True)
class Reply:
    """For whoever pressed, and nobody else."""

    message: Message
    is_over: bool = True
    """Whether the buttons have done what they were for."""


class Room(Protocol):
    """Who answers, wherever people speak. Raises errors.UsageError and OutsideError (OverError where the buttons are of no use) with what to tell them, and StoreError."""

    async def allow(self, press: Press) -> Message:
        """What somebody is asked for who may press this, before it counts. Raises RefusedError for anybody else."""
        ...

    async def pressed(self, press: Press) -> Reply:
        """Do it, and say what came of it."""
        ...

    async def restate(self, press: Press) -> None:
        """The message was edited by what was heard with the press: the outbox edits it once more, as it stands by now."""
        ...

    async def said(self, said: Said) -> Message:
        """Answer a command."""
        ...


class Groups(Protocol):
    """Who belongs to a user group."""

    async def members(self, group: str) -> frozenset[str]:
        """Their ids. Raises UnavailableError and RefusedError."""
        ...
