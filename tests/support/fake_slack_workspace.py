"""What a workspace holds and the rules about it: channels, messages, modals, files, and the passes that Slack hands out."""

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from tests.support import block_kit

Arguments = dict[str, Any]
T = TypeVar("T")
TEAM, APP, BOT, BOT_USER = "T0FAKE", "A0FAKE", "B0BOT", "U0BOT"


@dataclass(frozen=True)
class Channel:
    id: str
    name: str
    member: bool = True
    archived: bool = False
    private: bool = False

    @property
    def shown_name(self) -> str:
        """What an app is told in a payload: no name of what is private."""
        if self.id.startswith("D"):
            return "directmessage"
        return "privategroup" if self.private else self.name


@dataclass(frozen=True)
class Posted:
    """One message that is in a channel now."""

    channel: str
    ts: str
    thread_ts: str | None
    text: str
    blocks: list[dict[str, Any]]
    arguments: Arguments = field(default_factory=dict, repr=False)
    broadcast: bool = False
    files: tuple[str, ...] = ()
    author: str = BOT


@dataclass(frozen=True)
class Ephemeral:
    """One message that only `user` sees, until it is replaced or deleted."""

    user: str
    channel: str
    ts: str
    thread_ts: str | None
    text: str
    blocks: list[dict[str, Any]]


@dataclass
class File:
    """An upload: `data` comes after the URL was asked for, `completed` last."""

    id: str
    name: str
    length: int
    data: bytes | None = None
    title: str = ""
    completed: bool = False


@dataclass
class Trigger:
    user: str
    expires: float
    used: bool = False


@dataclass
class ResponseUrl:
    """A pass to answer what `user` did in `channel`; `origin` is the message that was pressed."""

    user: str
    channel: str
    origin: Posted | Ephemeral | None
    expires: float
    left: int = 5
    replies: list[dict[str, Any]] = field(default_factory=list)


class SlackError(Exception):
    """An answer with `ok: false`."""

    def __init__(self, code: str, **more: Any) -> None:
        super().__init__(code)
        self.answer = {"ok": False, "error": code, **more}


class Workspace:
    def __init__(self) -> None:
        self.token = "xoxb-fake-1234-SECRETSECRET"
        self.app_token = "xapp-1-A0FAKE-1234-SECRETSECRET"
        self.scopes = {"chat:write", "commands", "files:write", "usergroups:read", "channels:read", "groups:read"}
        self.app_scopes = {"connections:write"}
        self.base_url = ""
        self.page_size = 200
        """Of a list Slack may give less than is asked for."""
        self.socket_mode = True
        """Whether it is turned on, on the app's page."""
        self.channels = [
            Channel("C0OPS", "ops"),
            Channel("C0DEV", "dev"),
            Channel("C0OUT", "elsewhere", member=False),
            Channel("C0OLD", "old", archived=True),
            Channel("C0SEC", "secret", private=True),
            Channel("D0ADA", "ada", private=True),
        ]
        self.people = {"U0ADA": "ada", "U0BOB": "bob", "U0EVE": "eve"}
        self.groups: dict[str, list[str]] = {"S0OPS": ["U0ADA", "U0BOB"]}
        self.messages: list[Posted] = []
        self.ephemerals: list[Ephemeral] = []
        self.views: list[dict[str, Any]] = []
        self.viewers: dict[str, str] = {}
        self.files: dict[str, File] = {}
        self.knows_again = True
        """Whether a `client_msg_id` that was sent before posts nothing new: the real one's documents only hint at it."""
        self._sent: dict[str | None, str] = {}
        self._triggers: dict[str, Trigger] = {}
        self._responses: dict[str, ResponseUrl] = {}
        self._pulse = asyncio.Event()
        self._last = 0

    # Waiting, without polling ----------------------------------------------------------------------------------------

    def changed(self) -> None:
        self._pulse.set()
        self._pulse.clear()

    async def until(self, found: Callable[[], T], timeout: float = 5.0) -> T:  # noqa: ASYNC109
        """The first true answer of `found`, asked again whenever something has happened here."""
        async with asyncio.timeout(timeout):
            while not (answer := found()):
                await self._pulse.wait()
        return answer

    # Messages --------------------------------------------------------------------------------------------------------

    def channel(self, wanted: object, *, by_name: bool = True) -> Channel:
        for channel in self.channels:
            names = {channel.name, f"#{channel.name}"} if by_name and not channel.id.startswith("D") else set()
            if wanted in {channel.id, *names} and (channel.member or not channel.private):
                return channel
        raise SlackError("channel_not_found")

    def post(self, arguments: Arguments, **more: Any) -> Posted:
        channel = self.channel(arguments.get("channel"))
        if channel.archived:
            raise SlackError("is_archived")
        if not channel.member:
            raise SlackError("not_in_channel")
        key = arguments.get("client_msg_id") if self.knows_again else None
        if (same := next((one for one in self.messages if one.ts == self._sent.get(key)), None)) is not None:
            return same
        posted = self.add_message(channel.id, arguments, **more)
        if key:
            self._sent[key] = posted.ts
        return posted

    def add_message(self, channel: str, arguments: Arguments, **more: Any) -> Posted:
        thread = self.thread(channel, arguments)
        text, blocks = self.content(arguments) if not more.get("files") else (arguments.get("text", ""), [])
        broadcast = thread is not None and truth(arguments.get("reply_broadcast"))
        posted = Posted(channel, self.next_ts(), thread, text, blocks, arguments, broadcast, **more)
        self.messages.append(posted)
        return posted

    def add_ephemeral(self, user: str, channel: str, arguments: Arguments) -> Ephemeral:
        thread = self.thread(channel, arguments)
        shown = Ephemeral(user, channel, self.next_ts(), thread, *self.content(arguments))
        self.ephemerals.append(shown)
        return shown

    def change(self, old: Posted | Ephemeral, arguments: Arguments) -> Posted | Ephemeral:
        """The old one's new content, in its place."""
        text, blocks = self.content(arguments)
        more = {"arguments": arguments} if isinstance(old, Posted) else {}
        place = self._place(old)
        place[place.index(old)] = new = replace(old, text=text, blocks=blocks, **more)
        return new

    def remove(self, old: Posted | Ephemeral) -> None:
        self._place(old).remove(old)

    def now(self, message: Posted | Ephemeral) -> Any:
        """The same message as people see it by now; None when it is gone."""
        here = (one for one in self._place(message) if (one.channel, one.ts) == (message.channel, message.ts))
        return next(here, None)

    def _place(self, message: Posted | Ephemeral) -> list[Any]:
        return self.messages if isinstance(message, Posted) else self.ephemerals

    def next_ts(self) -> str:
        self._last += 1
        return f"1791295380.{self._last:06d}"

    def thread(self, channel: str, arguments: Arguments) -> str | None:
        thread = arguments.get("thread_ts")
        if thread is not None and not any(one.channel == channel and one.ts == thread for one in self.messages):
            raise SlackError("thread_not_found")
        return thread

    def content(self, arguments: Arguments) -> tuple[str, list[dict[str, Any]]]:
        text, blocks = arguments.get("text") or "", structure(arguments.get("blocks") or [], "invalid_blocks_format")
        if not text and not blocks:
            raise SlackError("no_text")
        if block_kit.length(text) > 40_000:
            raise SlackError("msg_too_long")
        wrong = [*(block_kit.problems(blocks) if blocks else ()), *self.unknown_images(blocks)]
        if wrong:
            raise SlackError("invalid_blocks", errors=wrong)
        return text, with_ids(blocks)

    def unknown_images(self, blocks: object) -> Iterable[str]:
        done = {file.id for file in self.files.values() if file.completed}
        return [f"invalid slack file {id_}" for id_ in block_kit.image_files(blocks) if id_ not in done]

    # Passes ----------------------------------------------------------------------------------------------------------

    def new_trigger(self, user: str) -> str:
        name = f"{self.next_ts()}.{uuid.uuid4().hex}"
        self._triggers[name] = Trigger(user, time.monotonic() + 3)
        return name

    def expire_triggers(self) -> None:
        """As if the three seconds were over."""
        for trigger in self._triggers.values():
            trigger.expires = time.monotonic()

    def take_trigger(self, name: object) -> str:
        """The user that it belongs to; it is used by that."""
        trigger = self._triggers.get(str(name))
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if trigger.used:
            raise SlackError("exchanged_trigger_id")
        if time.monotonic() >= trigger.expires:
            raise SlackError("expired_trigger_id")
        trigger.used = True
        return trigger.user

    def new_response_url(self, user: str, channel: str, origin: Posted | Ephemeral | None = None) -> str:
        name = uuid.uuid4().hex
        self._responses[name] = ResponseUrl(user, channel, origin, time.monotonic() + 30 * 60)
        return f"{self.base_url.removesuffix('/api/')}/response/{name}"

    def expire_responses(self) -> None:
        """As if the thirty minutes were over."""
        for response in self._responses.values():
            response.expires = time.monotonic()

    def response(self, url: str) -> ResponseUrl | None:
        return self._responses.get(url.rpartition("/")[2])

    def usable_response(self, url: str) -> ResponseUrl:
        response = self.response(url)
        if response is None:
            raise SlackError("invalid_url")
        if time.monotonic() >= response.expires:
            raise SlackError("expired_url")
        if response.left == 0:
            raise SlackError("used_url")
        return response


def structure(value: Any, code: str) -> Any:
    """What may come as JSON inside a form."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        raise SlackError(code) from None


def truth(value: object) -> bool:
    return value in {True, "1", "true"}


def with_ids(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A copy, in which Slack has named what the app has not."""
    copy = json.loads(json.dumps(blocks))
    for block in copy:
        block.setdefault("block_id", uuid.uuid4().hex[:5])
    for _, element in block_kit.elements(copy):
        element.setdefault("action_id", uuid.uuid4().hex[:5])
    return copy
