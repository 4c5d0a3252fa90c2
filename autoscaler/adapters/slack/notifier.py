"""Messages into Slack, one post each. Trying again is the outbox's business, so nothing is retried here."""

import time
import uuid
from typing import Any

import aiohttp
from pydantic import SecretStr
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from autoscaler.adapters.slack.blocks import blocks, fallback
from autoscaler.adapters.slack.charts import ChartFiles
from autoscaler.adapters.slack.failures import SlackRefusedError, SlowDownError, call, not_slack
from autoscaler.errors import RefusedError, UnavailableError
from autoscaler.ports import Delivery, Event, EventKind
from autoscaler.report.messages import Message

_NAMESPACE = uuid.UUID("6f1c3b1e-5a5e-4d0b-9a53-8f6f0a2b7c11")
"""For `client_msg_id`, by which Slack knows a message that it has already (in the method's errors, not in its arguments, so it may not)."""
PATIENCE = 3
"""So many times a message that Slack refuses for its chart is tried with it."""
_NOT_EDITABLE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
"""Somebody deleted the first message, or Slack lets nobody edit it any more: what follows it counts all the same."""


class SlackNotifier:
    """Posts by `chat.postMessage`, edits by `chat.update`; a reference is `channel:ts`, and `:file` where it has a chart.

    Must be made inside a running event loop's thread, closed by `aclose`. `default_channel` serves policies without
    `notify.slack`; `timeout` is in seconds, for each call. `buttons`: whether somebody listens to them.
    """

    def __init__(
        self,
        token: SecretStr,
        default_channel: str | None,
        *,
        base_url: str = AsyncWebClient.BASE_URL,
        timeout: float = 10.0,
        buttons: bool = False,
    ) -> None:
        self._client = AsyncWebClient(token.get_secret_value(), base_url=base_url, retry_handlers=[])
        self._default_channel = default_channel
        self._timeout = timeout
        self._buttons = buttons
        self._rests_until = 0.0
        """Nothing is sent before, whatever its channel: Slack counts for the whole app, too."""
        self._charts = ChartFiles(self._http, timeout)

    async def deliver(self, delivery: Delivery) -> str | None:
        """Edit the thread's first message if this changes it, then post: an edit that is repeated does no harm.

        Raises UnavailableError or RefusedError.
        """
        if (rest := self._rests_until - time.monotonic()) > 0:
            raise UnavailableError("Slack asked to slow down", retry_after=rest)
        try:
            return await self._deliver(delivery)
        except SlowDownError as error:
            self._rests_until = time.monotonic() + (error.retry_after or 0.0)
            raise

    async def _deliver(self, delivery: Delivery) -> str | None:
        event = delivery.event
        if event.head is not None and delivery.parent is not None:
            await self._edit(delivery.parent, event.head)
        if event.kind is EventKind.HEAD:
            return None
        channel, thread = self._place(delivery)
        picture = await self._picture(delivery)
        try:
            response = await self._post(event, channel, thread, picture)
        except SlackRefusedError as error:
            if picture is None or error.code != "invalid_blocks":
                raise
            raise UnavailableError("Slack does not show the chart yet", retry_after=1.0) from None
        posted_in, posted_at = response.get("channel"), response.get("ts")
        if not (posted_in and posted_at):
            raise not_slack()
        return f"{posted_in}:{posted_at}" + (f":{picture}" if picture else "")

    async def _post(self, event: Event, channel: str, thread: str | None, picture: str | None) -> AsyncSlackResponse:
        return await call(
            lambda: self._http().chat_postMessage(
                channel=channel,
                thread_ts=thread,
                reply_broadcast=True if event.loud and thread else None,
                parse="none",
                client_msg_id=str(uuid.uuid5(_NAMESPACE, event.id)),
                link_names=False,
                unfurl_links=False,
                unfurl_media=False,
                **self._content(event.message, picture),
            ),
            f"the message for {channel}",
            self._timeout,
        )

    async def _picture(self, delivery: Delivery) -> str | None:
        """Slack needs a moment before it shows a file that was just sent; one that it never shows is left out."""
        chart = delivery.event.message.chart
        if chart is None or delivery.attempts > PATIENCE:
            return None
        return await self._charts.file_of(delivery.event.id, chart)

    async def aclose(self) -> None:
        """Close the connections; `deliver` would open new ones."""
        if self._client.session is not None:
            await self._client.session.close()

    async def _edit(self, reference: str, message: Message) -> None:
        channel, posted_at, picture = _parts(reference)
        try:
            await self._update(channel, posted_at, message, picture)
        except SlackRefusedError as error:
            if picture is not None and error.code == "invalid_blocks":  # somebody deleted the file: the words go on
                await self._edit(f"{channel}:{posted_at}", message)
            elif error.code not in _NOT_EDITABLE:
                raise

    async def _update(self, channel: str, posted_at: str, message: Message, picture: str | None) -> None:
        await call(
            lambda: self._http().chat_update(
                channel=channel, ts=posted_at, parse="none", **self._content(message, picture)
            ),
            f"the edit of a message in {channel}",
            self._timeout,
        )

    def _content(self, message: Message, picture: str | None) -> dict[str, Any]:
        return {"text": fallback(message), "blocks": blocks(message, buttons=self._buttons, picture=picture)}

    def _place(self, delivery: Delivery) -> tuple[str, str | None]:
        if delivery.parent is not None:
            posted_in, posted_at, _ = _parts(delivery.parent)
            return posted_in, posted_at
        channel = delivery.event.channel or self._default_channel
        if not channel:
            raise RefusedError(
                "no Slack channel: write notify: {slack: '#channel'} in the policy, or set SLACK_CHANNEL"
            )
        return channel, None

    def _http(self) -> AsyncWebClient:
        """The client, with one session for all posts; aiohttp wants it made while the loop runs."""
        if self._client.session is None or self._client.session.closed:
            self._client.session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self._timeout))
        return self._client


def _parts(reference: str) -> tuple[str, str, str | None]:
    channel, posted_at, *picture = reference.split(":")
    return channel, posted_at, picture[0] if picture else None
