"""Messages into Slack, one post each. Trying again is the outbox's business, so nothing is retried here."""

from collections.abc import Mapping
from types import MappingProxyType

import aiohttp
from pydantic import SecretStr
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from autoscaler.adapters.slack.blocks import blocks, fallback
from autoscaler.errors import OutsideError, RefusedError, UnavailableError
from autoscaler.ports import Delivery
from autoscaler.report.text import cut, one_line

_NEW_KEY = "put the app's Bot User OAuth Token (xoxb-…, on its page under OAuth & Permissions) into SLACK_BOT_TOKEN and restart"
_FIXES = MappingProxyType(
    {
        "invalid_auth": f"the token is not valid: {_NEW_KEY}",
        "not_authed": f"no token was sent: {_NEW_KEY}",
        "token_revoked": f"the token was revoked: {_NEW_KEY}",
        "token_expired": f"the token has expired: {_NEW_KEY}",
        "account_inactive": f"the app was removed from the workspace: install it again, then {_NEW_KEY}",
        "not_allowed_token_type": f"this is another kind of token: {_NEW_KEY}",
        "channel_not_found": "no such channel, or a private one without the bot: check notify.slack, and type "
        "/invite @<name of the app> in that channel",
        "not_in_channel": "the bot is not in that channel: type /invite @<name of the app> there",
        "missing_scope": "the app may not do that: add the scope {needed} under OAuth & Permissions and reinstall the app",
        "is_archived": "the channel is archived: unarchive it, or name another one in notify.slack",
        "restricted_action": "the workspace lets only some people post there: ask its admin, or name another channel",
        "ekm_access_denied": "the workspace's admins have suspended posting: ask them",
    }
)
"""Slack's error code -> what is wrong and the next step."""
_PASSING = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout", "ratelimited"})
"""Error codes that Slack itself calls transient; they come with status 200."""


class SlackNotifier:
    """Posts by `chat.postMessage`; a reference is `channel:ts`. Must be made inside a running event loop's thread, closed by `aclose`.

    `default_channel` serves policies without `notify.slack`; `timeout` is in seconds, for the whole call.
    """

    def __init__(
        self,
        token: SecretStr,
        default_channel: str | None,
        *,
        base_url: str = AsyncWebClient.BASE_URL,
        timeout: float = 10.0,
    ) -> None:
        self._client = AsyncWebClient(token.get_secret_value(), base_url=base_url, retry_handlers=[])
        self._default_channel = default_channel
        self._timeout = timeout

    async def deliver(self, delivery: Delivery) -> str | None:
        """Post one event, into its thread when `parent` is known. Raises UnavailableError or RefusedError."""
        channel, thread = self._place(delivery)
        failure: OutsideError
        try:
            response = await self._http().chat_postMessage(
                channel=channel,
                text=fallback(delivery.event.message),
                blocks=blocks(delivery.event.message),
                thread_ts=thread,
                parse="none",
                link_names=False,
                unfurl_links=False,
                unfurl_media=False,
            )
            posted_in, posted_at = response["channel"], response["ts"]
            if posted_in and posted_at:
                return f"{posted_in}:{posted_at}"
            failure = _not_slack()
        except SlackApiError as error:
            failure = _answered(error, channel)
        except TimeoutError:
            text = f"Slack did not answer within {self._timeout:g}s; the message may have been posted"
            failure = UnavailableError(text, may_have_acted=True)
        except aiohttp.ClientConnectorError as error:
            failure = UnavailableError(f"Slack can't be reached: {one_line(str(error))}")
        except aiohttp.ClientError as error:
            failure = UnavailableError(f"Slack broke off: {type(error).__name__}", may_have_acted=True)
        except (AttributeError, TypeError, ValueError):
            # slack_sdk takes any 200 for Slack's JSON object; a proxy's text or list ends in one of these
            failure = _not_slack()
        # Raised out here, so that no traceback leads to slack_sdk's frames, which hold the token.
        raise failure

    async def aclose(self) -> None:
        """Close the connections; `deliver` would open new ones."""
        if self._client.session is not None:
            await self._client.session.close()

    def _place(self, delivery: Delivery) -> tuple[str, str | None]:
        if delivery.parent is not None:
            posted_in, _, posted_at = delivery.parent.rpartition(":")
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


def _answered(error: SlackApiError, channel: str) -> OutsideError:
    """What Slack's answer means. The SDK's own text is not used: it repeats whatever came back."""
    response = error.response  # the SDK's AsyncSlackResponse, or aiohttp's when the body was no JSON
    status: int = getattr(response, "status_code", 0) or getattr(response, "status", 0)
    data = getattr(response, "data", None)
    answer = data if isinstance(data, dict) else {}
    code = cut(one_line(str(answer.get("error", ""))), 80)
    if status == 429 or code == "ratelimited":
        return UnavailableError("Slack asks to slow down (429)", retry_after=_retry_after(response.headers))
    if status >= 500 or code in _PASSING:
        return UnavailableError(f"Slack has trouble ({code or status})", may_have_acted=True)
    if not code:
        return _not_slack()
    needed = cut(one_line(str(answer.get("needed", "chat:write"))), 80)
    fix = _FIXES.get(code, "Slack's page on chat.postMessage explains this code").format(needed=needed)
    return RefusedError(f"Slack refused the message for {one_line(channel)} ({code}): {fix}")


def _not_slack() -> UnavailableError:
    return UnavailableError("what answered is not Slack: is a proxy in between?", may_have_acted=True)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    text = headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else None
