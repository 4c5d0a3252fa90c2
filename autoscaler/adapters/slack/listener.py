"""What people press and type in Slack, over Socket Mode: a background worker has no port that Slack could call.

Slack wants every envelope acknowledged within three seconds, and sends it again otherwise. What changes something is written
down before it is acknowledged, so that a worker that dies in between has either done it or is asked again; doing it twice is
doing it once (each answer and each change has its key).
"""

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from typing import Any

import aiohttp
from pydantic import SecretStr
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from autoscaler.adapters.slack.blocks import REASON, blocks, fallback, modal
from autoscaler.adapters.slack.failures import APP_TOKEN_FIXES, SlackRefusedError, call
from autoscaler.adapters.slack.payloads import Commanded, Heard, Pressed, Submitted, read
from autoscaler.adapters.slack.quiet import quiet_logger
from autoscaler.errors import OutsideError, OverError, StoreError, UnavailableError, UsageError
from autoscaler.ports import Press, Reply, Room
from autoscaler.report import messages
from autoscaler.report.messages import Tone, Verb

log = logging.getLogger(__name__)

ACKNOWLEDGE = 2.5
"""Seconds, of the three that Slack waits."""
TIMEOUT = 10.0
SHORTEST_REST, LONGEST_REST = 2.0, 300.0
"""Seconds before it is tried again to connect for the first time."""
_KEEPS = frozenset({Verb.APPROVE, Verb.SNOOZE, Verb.GO_LIVE})
"""What has to be written down before it is acknowledged. `Reject` only asks why; the form's answer is what counts."""
_NOT_NOTED = Reply(
    messages.notice("Not noted: my database does not answer. Please try again in a minute.", tone=Tone.BAD),
    is_over=False,
)


class SlackListener:
    """Hands what it hears to a `Room`, and its answer back to whoever spoke: seen by them alone."""

    def __init__(
        self, app_token: SecretStr, bot_token: SecretStr, room: Room, *, base_url: str = AsyncWebClient.BASE_URL
    ) -> None:
        self._app_token = app_token
        self._room = room
        self._client = AsyncWebClient(bot_token.get_secret_value(), base_url=base_url, retry_handlers=[])
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Listen until it is cancelled. It connects again by itself; that Slack is away stops nothing else."""
        while True:
            try:
                await self._listen()
            except Exception:
                log.exception("no buttons and no commands for a while: this is a bug, please report it")
                await asyncio.sleep(LONGEST_REST)

    async def _listen(self) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT)) as session:
            self._client.session = session
            socket = SocketModeClient(
                self._app_token.get_secret_value(), logger=quiet_logger(log), web_client=self._client
            )
            socket.socket_mode_request_listeners.append(self._hear)
            try:
                socket.wss_uri = await self._address()
                await socket.connect()  # type: ignore[no-untyped-call]  # so is the SDK
                log.info("listening to Slack")
                await asyncio.Event().wait()
            finally:
                await socket.close()  # type: ignore[no-untyped-call]
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _address(self) -> str:
        """Asked for here until there is one: the SDK would log a traceback every five seconds."""
        rest = SHORTEST_REST
        while True:
            try:
                response = await call(
                    lambda: self._client.apps_connections_open(app_token=self._app_token.get_secret_value()),
                    "to let me listen (Socket Mode)",
                    TIMEOUT,
                    APP_TOKEN_FIXES,
                )
                return str(response["url"])
            except OutsideError as error:
                log.error("no buttons and no commands yet: %s", error)  # noqa: TRY400 - the text says all
                await asyncio.sleep(rest if error.retry_after is None else error.retry_after)
                rest = min(2 * rest, LONGEST_REST)

    async def _hear(self, socket: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        """Within the SDK's own task, of which nobody keeps hold: ours is waited for at the end."""
        task = asyncio.create_task(self._answer(socket, request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, socket: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        async def acknowledge(payload: dict[str, Any] | None = None) -> None:
            await socket.send_socket_mode_response(SocketModeResponse(request.envelope_id, payload))

        heard = read(request.type, request.payload)
        try:
            match heard:
                case Submitted(press=Press() as press):
                    await acknowledge(await self._submitted(press))
                case Pressed(press=Press(verb=Verb.SCALE) as press):
                    await self._scale(heard, press, acknowledge)
                case Pressed(press=Press(verb=verb) as press) if verb in _KEEPS:
                    await self._keep(heard, press, acknowledge)
                case Pressed(press=Press(verb=Verb.REJECT) as press):
                    await self._ask_why_not(heard, press)
                    await acknowledge()
                case Pressed(press=Press() as press):
                    await acknowledge()
                    await self._reply(heard, await _spoken(self._room.pressed(press)))
                case Commanded():
                    await acknowledge()
                    await self._reply(heard, await _spoken(_heard(self._room, heard)))
                case _:
                    await acknowledge()
        except StoreError as error:
            log.error("Slack's %s could not be answered: %s", request.type, error)  # noqa: TRY400 - the text says all
            await self._reply(heard, _NOT_NOTED)
        except Exception:
            log.exception("Slack's %s could not be answered: this is a bug, please report it", request.type)

    async def _keep(self, heard: Pressed, press: Press, acknowledge: Any) -> None:
        """Not acknowledged unless it is written down; Slack then sends it again, or shows that it failed."""
        try:
            async with asyncio.timeout(ACKNOWLEDGE):
                reply = await _spoken(self._room.pressed(press))
        except TimeoutError:
            log.error("a press of %s was not written down in time", press.verb)  # noqa: TRY400 - the text says all
            await self._reply(heard, _NOT_NOTED)
            return
        await acknowledge()
        await self._reply(heard, reply)

    async def _scale(self, heard: Pressed, press: Press, acknowledge: Any) -> None:
        """Render is asked first, and days of readings are read: that may take longer than Slack waits, and is done all the same."""

        async def not_too_late() -> None:
            await asyncio.sleep(ACKNOWLEDGE)
            await acknowledge()

        waiting = asyncio.create_task(not_too_late())
        try:
            reply = await _spoken(self._room.pressed(press))
            if not waiting.done():
                await acknowledge()
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        await self._reply(heard, reply)

    async def _ask_why_not(self, heard: Pressed, press: Press) -> None:
        try:
            told = await self._room.allow(press)
            view = modal("Reject", told, press.subject)
            what = "to open the form"
            await call(lambda: self._client.views_open(trigger_id=heard.trigger_id, view=view), what, TIMEOUT)
        except SlackRefusedError as error:
            log.warning("%s", error)
            again = messages.notice("That took too long: please press Reject again.", tone=Tone.BAD)
            await self._reply(heard, Reply(again, is_over=False))
        except (UsageError, OutsideError) as error:
            await self._reply(heard, _refusal(error))

    async def _submitted(self, press: Press) -> dict[str, Any] | None:
        """What Slack does with the form: close it, or show what is wrong."""
        try:
            async with asyncio.timeout(ACKNOWLEDGE):
                await self._room.pressed(press)
        except (UsageError, OutsideError) as error:
            return {"response_action": "errors", "errors": {REASON: str(error)[:500]}}
        except (StoreError, TimeoutError):
            return {"response_action": "errors", "errors": {REASON: _NOT_NOTED.message.title}}
        return None

    async def _reply(self, heard: Heard | None, reply: Reply) -> None:
        """What was shown to one person becomes the reply; what all see loses its buttons once they are of no use.

        The thread's first message is edited as well, but not one that a worker posted which died before it wrote that down.
        """
        if not isinstance(heard, Pressed | Commanded):
            return
        is_theirs = isinstance(heard, Pressed) and heard.container.is_ephemeral
        if reply.is_over and isinstance(heard, Pressed) and not is_theirs and heard.message.blocks:
            await self._respond(heard.response_url, _without_buttons(heard))
            await self._restate(heard)
        content = {"text": fallback(reply.message), "blocks": blocks(reply.message, buttons=True)}
        replaces = reply.is_over and is_theirs
        await self._respond(heard.response_url, {"response_type": "ephemeral", "replace_original": replaces, **content})

    async def _restate(self, heard: Pressed) -> None:
        """What was heard may be older than what stands there by now: the outcome would be overwritten by its question."""
        if heard.press is not None:
            with suppress(StoreError):
                await self._room.restate(heard.press)

    async def _respond(self, url: str, body: Mapping[str, Any]) -> None:
        """An answer that does not arrive is no reason to undo what was done."""
        if not url:
            return
        with suppress(aiohttp.ClientError, TimeoutError):
            response = await AsyncWebhookClient(url, session=self._client.session).send_dict(dict(body))
            if response.status_code != 200:
                log.warning("Slack did not take an answer: %s", response.status_code)


async def _heard(room: Room, heard: Commanded) -> Reply:
    return Reply(await room.said(heard.said), is_over=False)


async def _spoken(answer: Awaitable[Reply]) -> Reply:
    """What to tell whoever asked, also where it was refused. Raises StoreError."""
    try:
        return await answer
    except (UsageError, OutsideError) as error:
        return _refusal(error)


def _refusal(error: UsageError | OutsideError) -> Reply:
    """A siren is for what is broken: a word that is not known, or a No, is said calmly."""
    if isinstance(error, UnavailableError):
        return Reply(messages.notice(f"{error} Please try again.", tone=Tone.BAD), is_over=False)
    return Reply(messages.notice(str(error)), is_over=isinstance(error, OverError))


def _without_buttons(heard: Pressed) -> dict[str, Any]:
    """The message as Slack sent it along, once its buttons have done what they were for."""
    left = [block for block in heard.message.blocks if block.get("type") != "actions"]
    return {"replace_original": True, "text": heard.message.text, "blocks": left}
