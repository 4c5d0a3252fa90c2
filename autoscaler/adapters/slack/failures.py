"""What Slack's refusals mean, and what to do about each."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from autoscaler.errors import OutsideError, RefusedError, UnavailableError
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
_NEW_APP_KEY = (
    "make an app-level token (xapp-…, on the app's page under Basic Information, with the scope connections:write), "
    "put it into SLACK_APP_TOKEN and restart"
)
APP_TOKEN_FIXES = MappingProxyType(
    _FIXES
    | {
        "invalid_auth": f"the token is not valid: {_NEW_APP_KEY}",
        "not_authed": f"no token was sent: {_NEW_APP_KEY}",
        "token_revoked": f"the token was revoked: {_NEW_APP_KEY}",
        "token_expired": f"the token has expired: {_NEW_APP_KEY}",
        "account_inactive": f"the app was removed from the workspace: install it again, then {_NEW_APP_KEY}",
        "not_allowed_token_type": f"this is another kind of token: {_NEW_APP_KEY}",
        "missing_scope": f"the token may not do that: {_NEW_APP_KEY}",
    }
)
"""The same where it was the app-level token that Slack looked at."""
_PASSING = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout", "ratelimited"})
"""Error codes that Slack itself calls transient; they come with status 200."""


class SlackRefusedError(RefusedError):
    """Slack said no, with one of its error codes."""

    def __init__(self, what: str, code: str, fix: str) -> None:
        super().__init__(f"Slack refused {what} ({code}): {fix}")
        self.code = code
        self.fix = fix


class SlowDownError(UnavailableError):
    """Slack had too many calls; `retry_after` is how long it wants to be left alone, in seconds, if it said so."""


async def call(
    method: Callable[[], Awaitable[AsyncSlackResponse]],
    what: str,
    timeout: float,  # noqa: ASYNC109 - named in the error only
    fixes: Mapping[str, str] = _FIXES,
) -> AsyncSlackResponse:
    """Slack's answer, its failures as ours. `what`: what was asked for, such as `the message for #ops`; `timeout` in seconds.

    Raises UnavailableError and SlackRefusedError.
    """
    failure: OutsideError
    try:
        response = await method()
        if isinstance(response.data, dict):
            return response
        failure = not_slack()
    except SlackApiError as error:
        failure = _answered(error, what, fixes)
    except TimeoutError:
        text = f"Slack did not answer within {timeout:g}s; {what} may have arrived"
        failure = UnavailableError(text, may_have_acted=True)
    except aiohttp.ClientConnectorError as error:
        failure = UnavailableError(f"Slack can't be reached: {one_line(str(error))}")
    except aiohttp.ClientError as error:
        failure = UnavailableError(f"Slack broke off: {type(error).__name__}", may_have_acted=True)
    except (AttributeError, TypeError, ValueError):
        # slack_sdk takes any 200 for Slack's JSON object; a proxy's text or list ends in one of these
        failure = not_slack()
    # Raised out here, so that no traceback leads to slack_sdk's frames, which hold the token.
    raise failure


def _answered(error: SlackApiError, what: str, fixes: Mapping[str, str]) -> OutsideError:
    """What Slack's answer means. The SDK's own text is not used: it repeats whatever came back."""
    response = error.response  # the SDK's AsyncSlackResponse, or aiohttp's when the body was no JSON
    status: int = getattr(response, "status_code", 0) or getattr(response, "status", 0)
    data = getattr(response, "data", None)
    answer = data if isinstance(data, dict) else {}
    code = cut(one_line(str(answer.get("error", ""))), 80)
    if status == 429 or code == "ratelimited":
        return SlowDownError("Slack asks to slow down (429)", retry_after=_retry_after(response.headers))
    if status >= 500 or code in _PASSING:
        return UnavailableError(f"Slack has trouble ({code or status})", may_have_acted=True)
    if not code:
        return not_slack()
    needed = cut(one_line(str(answer.get("needed", "chat:write"))), 80)
    fix = fixes.get(code, "Slack's page on that method explains this code").format(needed=needed)
    return SlackRefusedError(one_line(what), code, fix)


def not_slack() -> UnavailableError:
    """A proxy, maybe: trying again may help."""
    return UnavailableError("what answered is not Slack: is a proxy in between?", may_have_acted=True)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    text = headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else None
