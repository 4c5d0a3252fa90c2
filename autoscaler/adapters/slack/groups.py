"""Who belongs to a Slack user group."""

import time

from pydantic import SecretStr
from slack_sdk.web.async_client import AsyncWebClient

from autoscaler.adapters.slack.failures import call
from autoscaler.errors import OutsideError

KEPT = 60.0
"""Seconds for which an answer is used again: Slack lets twenty calls a minute through."""
FAILURE_KEPT = 10.0
"""The same for a failure: whoever asks for `status` may be asked about for each of a hundred services."""
TIMEOUT = 2.0
"""Seconds: whoever pressed a button waits for it, and Slack waits three."""


class SlackGroups:
    """Implements ports.Groups by `usergroups.users.list`, which needs the scope `usergroups:read`."""

    def __init__(self, token: SecretStr, *, base_url: str = AsyncWebClient.BASE_URL) -> None:
        self._client = AsyncWebClient(
            token.get_secret_value(), base_url=base_url, retry_handlers=[], timeout=round(TIMEOUT)
        )
        self._failures: dict[str, tuple[float, OutsideError]] = {}
        self._kept: dict[str, tuple[float, frozenset[str]]] = {}

    async def members(self, group: str) -> frozenset[str]:
        """Their ids. Raises UnavailableError and RefusedError."""
        read_at, members = self._kept.get(group, (-KEPT, frozenset()))
        now = time.monotonic()
        if now - read_at < KEPT:
            return members
        failed_at, failure = self._failures.get(group, (-FAILURE_KEPT, None))
        if failure is not None and now - failed_at < FAILURE_KEPT:
            raise failure.with_traceback(None)
        what = f"to say who is in the user group {group}"
        try:
            response = await call(lambda: self._client.usergroups_users_list(usergroup=group), what, TIMEOUT)
        except OutsideError as error:
            self._failures[group] = time.monotonic(), error
            raise
        members = frozenset(str(one) for one in response.get("users") or ())
        self._kept[group] = now, members
        return members
