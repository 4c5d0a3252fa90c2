"""Who belongs to a Slack user group."""

import time

from pydantic import SecretStr
from slack_sdk.web.async_client import AsyncWebClient

from autoscaler.adapters.slack.failures import call

KEPT = 60.0
"""Seconds for which an answer is used again: Slack lets twenty calls a minute through."""
TIMEOUT = 2.0
"""Seconds: whoever pressed a button waits for it, and Slack waits three."""


class SlackGroups:
    """Implements ports.Groups by `usergroups.users.list`, which needs the scope `usergroups:read`."""

    def __init__(self, token: SecretStr, *, base_url: str = AsyncWebClient.BASE_URL) -> None:
        self._client = AsyncWebClient(
            token.get_secret_value(), base_url=base_url, retry_handlers=[], timeout=round(TIMEOUT)
        )
        self._kept: dict[str, tuple[float, frozenset[str]]] = {}

    async def members(self, group: str) -> frozenset[str]:
        """Their ids. Raises UnavailableError and RefusedError."""
        read_at, members = self._kept.get(group, (-KEPT, frozenset()))
        now = time.monotonic()
        if now - read_at < KEPT:
            return members
        what = f"to say who is in the user group {group}"
        response = await call(lambda: self._client.usergroups_users_list(usergroup=group), what, TIMEOUT)
        members = frozenset(str(one) for one in response.get("users") or ())
        self._kept[group] = now, members
        return members
