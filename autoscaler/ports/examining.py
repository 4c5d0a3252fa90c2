"""What `autoscaler doctor` asks Render, Slack and the database: plain answers, and nothing is ever written."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from autoscaler.ports.outside import ServiceSeen
from autoscaler.ports.storing import Heartbeat


@dataclass(frozen=True, slots=True)
class Workspace:
    """One that a Render key can see."""

    name: str
    is_personal: bool
    """Of one user, as everybody has one; not a team's."""


class RenderSight(Protocol):
    """Render, only looked at. Raises errors.RefusedError and errors.UnavailableError only."""

    @property
    def clock_ahead(self) -> float | None:
        """Seconds by which our clock is ahead of Render's, as its last answer tells; None before one."""
        ...

    async def workspaces(self) -> tuple[Workspace, ...]:
        """Those that the key can see."""
        ...

    async def find_service(self, *, id: str | None, name: str | None) -> ServiceSeen:  # noqa: A002 - Render's word
        """By id, or by a name that exactly one service has."""
        ...


@dataclass(frozen=True, slots=True)
class Refused:
    """Slack said no."""

    code: str
    """Its own word for why."""
    fix: str


@dataclass(frozen=True, slots=True)
class BotSeen:
    """Who a bot token belongs to."""

    name: str
    workspace: str
    scopes: frozenset[str] | None
    """What it may do; None where the answer did not say."""


@dataclass(frozen=True, slots=True)
class ChannelSeen:
    """One channel as the bot sees it."""

    name: str
    is_archived: bool
    is_member: bool
    is_private: bool = False


@dataclass(frozen=True, slots=True)
class Channels:
    """Those that a look through the workspace found."""

    by_name: Mapping[str, ChannelSeen]
    is_all: bool
    """Whether there are no more than these."""


class SlackSight(Protocol):
    """Slack, only looked at. Raises errors.UnavailableError only."""

    async def bot(self) -> BotSeen | Refused:
        """Whose the bot token is."""
        ...

    async def channel(self, id: str) -> ChannelSeen | Refused:  # noqa: A002 - Slack's word
        """One channel."""
        ...

    async def channels(self, *, private: bool) -> Channels | Refused:
        """The public ones, or those private ones that the bot is in; the first few thousand."""
        ...

    async def group_size(self, group: str) -> int | Refused:
        """How many people are in a user group."""
        ...

    async def socket(self) -> tuple[str, ...] | Refused:
        """Whether Slack would let the app token listen, and what Slack warns of. Nobody connects."""
        ...


@dataclass(frozen=True, slots=True)
class DatabaseSeen:
    """The database as it is found."""

    where: str
    """For people; without a password."""
    is_there: bool
    revision: str | None
    """Of its schema; None: there are no tables of ours."""
    head: str
    """The revision that this release reads and writes."""
    obstacle: str
    """Why nothing could be written to it; empty: all is well."""
    beat: Heartbeat | None = None
    """The last sign of life of any worker."""
