"""Slack, only looked at: whose the tokens are, what they may do, which channels and groups there are. Nothing is posted."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import aiohttp
from pydantic import SecretStr
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from autoscaler.adapters.slack.failures import SlackRefusedError, call
from autoscaler.ports import BotSeen, Channels, ChannelSeen, Refused

PAGES, PAGE = 5, 999
"""How far a look for a channel goes: Slack gives less than a thousand a page, and lets twenty such calls a minute through."""


class SlackCheckup:
    """Implements ports.SlackSight. Must be made inside a running event loop's thread, closed by `aclose`.

    `timeout` is in seconds, for each call. Without a token its calls are refused, as Slack does it.
    """

    def __init__(
        self,
        bot_token: SecretStr | None,
        app_token: SecretStr | None,
        *,
        base_url: str = AsyncWebClient.BASE_URL,
        timeout: float = 5.0,
    ) -> None:
        self._app_token = app_token
        self._timeout = timeout
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout))
        self._client = AsyncWebClient(
            bot_token.get_secret_value() if bot_token else None,
            base_url=base_url,
            session=self._session,
            retry_handlers=[],
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def bot(self) -> BotSeen | Refused:
        """By `auth.test`; the scopes stand in a header of every answer."""
        answer = await self._ask(self._client.auth_test, "the bot token")
        if isinstance(answer, Refused):
            return answer
        told = answer.headers.get("x-oauth-scopes")
        scopes = None if told is None else frozenset(one.strip() for one in told.split(",") if one.strip())
        return BotSeen(str(answer.get("user", "")), str(answer.get("team", "")), scopes)

    async def channel(self, id: str) -> ChannelSeen | Refused:  # noqa: A002 - Slack's word
        """By `conversations.info`."""
        answer = await self._ask(lambda: self._client.conversations_info(channel=id), f"to look at {id}")
        return answer if isinstance(answer, Refused) else _channel(answer.get("channel") or {})

    async def channels(self, *, private: bool) -> Channels | Refused:
        """By `conversations.list`, page by page: Slack looks no channel up by its name."""
        found: dict[str, ChannelSeen] = {}
        cursor, types = "", "private_channel" if private else "public_channel"
        for _ in range(PAGES):
            answer = await self._ask(
                partial(self._client.conversations_list, cursor=cursor, limit=PAGE, types=types),
                "to list the channels",
            )
            if isinstance(answer, Refused):
                return answer
            page = (_channel(one) for one in answer.get("channels") or ())
            found |= {one.name: one for one in page}
            cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return Channels(found, is_all=True)
        return Channels(found, is_all=False)

    async def group_size(self, group: str) -> int | Refused:
        """By `usergroups.users.list`."""
        answer = await self._ask(lambda: self._client.usergroups_users_list(usergroup=group), f"to look at {group}")
        return answer if isinstance(answer, Refused) else len(answer.get("users") or ())

    async def socket(self) -> tuple[str, ...] | Refused:
        """By `apps.connections.open`, which issues an address that nobody uses.

        Of an app whose Socket Mode is off Slack gives an address all the same, and says so among its warnings.
        """
        token = self._app_token.get_secret_value() if self._app_token else ""
        answer = await self._ask(lambda: self._client.apps_connections_open(app_token=token), "the app token")
        if isinstance(answer, Refused):
            return answer
        return tuple(str(one) for one in (answer.get("response_metadata") or {}).get("messages") or ())

    async def _ask(
        self, method: Callable[[], Awaitable[AsyncSlackResponse]], what: str
    ) -> AsyncSlackResponse | Refused:
        try:
            return await call(method, what, self._timeout)
        except SlackRefusedError as error:
            return Refused(error.code, error.fix)


def _channel(told: dict[str, Any]) -> ChannelSeen:
    archived, member, private = (bool(told.get(f"is_{word}")) for word in ("archived", "member", "private"))
    return ChannelSeen(str(told.get("name", "")), archived, member, private)
