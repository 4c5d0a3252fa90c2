"""Slack's buttons: does Slack let the bot listen, and is there anybody who may press?"""

import asyncio
from collections.abc import Iterator, Sequence

from autoscaler.core.policy import Mode, Policy
from autoscaler.engine.doctor.finding import Finding, guarded, listed, ok, skipped, warning, wrong
from autoscaler.engine.doctor.slack import APPS, BOT
from autoscaler.engine.room.approvers import GROUP
from autoscaler.policyfile import PolicyFile
from autoscaler.ports import Refused, SlackSight
from autoscaler.settings import Settings

BUTTONS, APPROVER = "slack buttons", "approver"
_TOKEN = (
    f"{APPS} → Basic Information → App-Level Tokens → Generate, with the scope connections:write; "
    "copy it (xapp-…) into SLACK_APP_TOKEN."
)
_KINDS = {"xoxb-": "the bot token (xoxb-…): that one belongs into SLACK_BOT_TOKEN", "xoxp-": "a user's token (xoxp-…)"}
_OF_THE_TOKEN = frozenset(
    {"missing_scope", "not_allowed_token_type", "invalid_auth", "not_authed", "token_revoked", "account_inactive"}
)
_OFF = "socket mode is not turned on"
"""What Slack warns of, beside an address as always."""
_REFUSALS = {
    "missing_scope": "lacks the scope connections:write",
    "not_allowed_token_type": "is another kind of token",
    "token_revoked": "was revoked",
}


async def look_at_socket(settings: Settings, slack: SlackSight | None) -> list[Finding]:
    """Whether Slack would hand out a connection. None is made: a worker may be listening."""
    if settings.slack_app_token is None or slack is None:
        return [skipped(BUTTONS, "SLACK_APP_TOKEN is not set: no buttons; `autoscaler approve` says yes")]
    token = settings.slack_app_token.get_secret_value()
    if not token.startswith("xapp-"):
        kind = next((words for start, words in _KINDS.items() if token.startswith(start)), "something else")
        return [wrong(BUTTONS, f"SLACK_APP_TOKEN holds {kind}", _TOKEN)]
    answer = await slack.socket()
    if isinstance(answer, Refused):
        why = _REFUSALS.get(answer.code, "is refused")
        return [wrong(BUTTONS, f"SLACK_APP_TOKEN {why} ({answer.code})", _TOKEN)]
    if any(_OFF in one.lower() for one in answer):
        fix = f"{APPS} → Socket Mode → Enable Socket Mode. Slack warns of it now and then though it is on: then all is well."
        return [warning(BUTTONS, "Slack says that Socket Mode is not turned on: then no press arrives", fix)]
    return [ok(BUTTONS, "Slack lets the bot listen (Socket Mode)")]


async def look_at_approvers(
    files: Sequence[PolicyFile], settings: Settings, slack: SlackSight | None, patience: float
) -> list[Finding]:
    """Whether somebody may say yes where somebody has to, and whether the groups that may can be read."""
    if settings.slack_app_token is None or settings.slack_bot_token is None or slack is None:
        return [skipped(APPROVER, "without buttons nobody has to be named: whoever has the database may approve")]
    if not files:
        return [skipped(APPROVER, "there is no policy yet that would name them")]
    findings = [finding for file in files for finding in _named(file)]
    groups = {one for file in files for one in file.policy.approval.approvers if one.startswith(GROUP)}
    looks = (guarded(APPROVER, _group(one, slack), patience, about=one) for one in sorted(groups))
    findings += [finding for each in await asyncio.gather(*looks) for finding in each]
    return findings or [ok(APPROVER, "named wherever a yes is needed")]


def _named(file: PolicyFile) -> Iterator[Finding]:
    policy, about = file.policy, file.policy.service.label
    approvers = policy.approval.approvers
    fix = (
        f"Write `approval: {{approvers: [U…]}}` in {file.path}; the id is in Slack: your profile → ⋮ → Copy member ID."
    )
    if not approvers and (reason := _asks(policy)):
        yield warning(APPROVER, f"nobody may press the buttons, and {reason}", fix, about=about)
    people = [one for one in approvers if not one.startswith(GROUP)]
    if policy.approval.two_above is not None and len(approvers) == len(people) == 1:
        text = "approval.two_above wants the yes of two people, and one is named"
        yield warning(APPROVER, text, f"Name a second one in {file.path}.", about=about)


def _asks(policy: Policy) -> str:
    """Why somebody will be asked; empty: nobody will, as a rule."""
    if policy.mode is Mode.ASK:
        return "with `mode: ask` every change needs a yes"
    ways = [way for way in ("scale_up", "scale_down", "emergency") if getattr(policy.approval, way) == "required"]
    if policy.mode is Mode.ACT and ways:
        return f"{listed(ways)} needs a yes"
    return ""


async def _group(group: str, slack: SlackSight) -> list[Finding]:
    size = await slack.group_size(group)
    if isinstance(size, Refused):
        if size.code in _OF_THE_TOKEN:
            return [skipped(APPROVER, f"who is in it can't be read ({size.code}): see {BOT} above", about=group)]
        fix = "In Slack: People → User groups → the group → ⋮ → Copy group ID; write that in approval.approvers."
        return [wrong(APPROVER, f"Slack gives no such user group ({size.code})", fix, about=group)]
    if size == 0:
        return [warning(APPROVER, "nobody is in this user group", "Add somebody to it in Slack.", about=group)]
    return [ok(APPROVER, f"a user group of {size}", about=group)]
