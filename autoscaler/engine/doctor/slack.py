"""Slack: does the bot token work, may it do what it has to, can it post where the policies say?"""

import asyncio
import re
from collections.abc import Iterator, Sequence

from autoscaler.engine.doctor.finding import Finding, guarded, listed, of_error, ok, skipped, warning, wrong
from autoscaler.engine.doctor.policies import channels_of
from autoscaler.engine.room.approvers import GROUP
from autoscaler.errors import UsageError
from autoscaler.policyfile import PolicyFile
from autoscaler.ports import BotSeen, Channels, ChannelSeen, Refused, SlackSight
from autoscaler.settings import Settings

BOT, CHANNEL, WEBHOOK = "slack bot", "channel", "webhook"
APPS = "https://api.slack.com/apps → your app"
_TOKEN = f"{APPS} → OAuth & Permissions: copy the Bot User OAuth Token (xoxb-…) into SLACK_BOT_TOKEN."
_ID_INSTEAD = (
    "Write its id (C…) instead of its name: in Slack, click the channel's name; it stands at the end of About."
)
_KINDS = {
    "xapp-": "an app-level token (xapp-…): that one belongs into SLACK_APP_TOKEN",
    "xoxp-": "a user's token (xoxp-…), so the bot would speak as that user",
    "xoxe": "a token that expires after 12 hours (token rotation), which the bot does not renew",
    "xoxc-": "a browser's token (xoxc-…)",
    "https://": "a webhook's address",
}
"""What stands there by mistake, by how it begins."""
_ID, _DIRECT = re.compile(r"[CG][A-Z0-9]{2,}"), re.compile(r"[DUW][A-Z0-9]{2,}")


def kind_of(token: str) -> str:
    """What a token is, if it is known to be no bot token."""
    return next((words for start, words in _KINDS.items() if token.startswith(start)), "something else (not xoxb-…)")


async def look(
    files: Sequence[PolicyFile],
    settings: Settings,
    slack: SlackSight | None,
    messages: str | UsageError,
    patience: float,
) -> list[Finding]:
    """The bot first: what it can't do need not be tried. `messages`: where they go."""
    if settings.slack_bot_token is None or slack is None:
        return [_absent(settings, messages)]
    token = settings.slack_bot_token.get_secret_value()
    if not token.startswith("xoxb-"):
        return [wrong(BOT, f"SLACK_BOT_TOKEN holds {kind_of(token)}", _TOKEN), _later(CHANNEL)]
    bot = await slack.bot()
    if isinstance(bot, Refused):
        return [wrong(BOT, f"Slack refuses SLACK_BOT_TOKEN ({bot.code})", _TOKEN), _later(CHANNEL)]
    lacking = list(_lacking(files, settings, bot))
    fine = [] if lacking else [ok(BOT, f"@{bot.name} in {bot.workspace}, with every scope that it needs")]
    return [*fine, *lacking, *await _channels(files, settings, slack, bot, patience)]


def _absent(settings: Settings, messages: str | UsageError) -> Finding:
    if settings.slack_app_token is not None:
        return wrong(BOT, "SLACK_BOT_TOKEN is not set, and SLACK_APP_TOKEN is: `autoscaler run` won't start", _TOKEN)
    if isinstance(messages, UsageError):
        return of_error(WEBHOOK, messages)
    return skipped(BOT, f"SLACK_BOT_TOKEN is not set: messages go to {messages}")


def _later(check: str) -> Finding:
    return skipped(check, "can't be looked up without a bot token that works")


def _lacking(files: Sequence[PolicyFile], settings: Settings, bot: BotSeen) -> Iterator[Finding]:
    """Each scope that is missing, and what does not work without it."""
    if bot.scopes is None:
        yield skipped(BOT, f"@{bot.name} in {bot.workspace}; Slack did not say which scopes it has")
        return
    listens = settings.slack_app_token is not None
    has_groups = any(one.startswith(GROUP) for file in files for one in file.policy.approval.approvers)
    for scope, is_needed, is_vital, lost in (
        ("chat:write", True, True, "nothing can be posted"),
        ("usergroups:read", has_groups and listens, True, "nobody of the policies' user groups counts as an approver"),
        ("commands", listens, False, "there is no command /autoscaler"),
        ("files:write", True, False, "messages come without charts"),
    ):
        if is_needed and scope not in bot.scopes:
            fix = f"{APPS} → OAuth & Permissions → Bot Token Scopes: add {scope}, then Reinstall to Workspace."
            text = f"@{bot.name} lacks the scope {scope}: {lost}"
            yield (wrong if is_vital else warning)(BOT, text, fix)


async def _channels(
    files: Sequence[PolicyFile], settings: Settings, slack: SlackSight, bot: BotSeen, patience: float
) -> list[Finding]:
    wanted = channels_of(files, settings.slack_channel)
    nowhere = wanted.pop("", [])
    if settings.slack_channel:
        wanted.setdefault(settings.slack_channel, [])
    named = sorted(name for name in wanted if not _ID.fullmatch(name) and not _DIRECT.fullmatch(name))
    looks = [guarded(CHANNEL, _by_id(id_, slack, bot), patience, about=id_) for id_ in wanted if _ID.fullmatch(id_)]
    if named:
        looks.append(
            guarded(
                CHANNEL,
                _by_name(named, slack, bot, listens=settings.slack_app_token is not None),
                patience,
                about=listed(named),
            )
        )
    found = [finding for each in await asyncio.gather(*looks) for finding in each]
    found += [ok(CHANNEL, "somebody's direct messages", about=name) for name in wanted if _DIRECT.fullmatch(name)]
    if nowhere:
        text = f"no channel for {listed(file.policy.service.label for file in nowhere)}: its messages go nowhere"
        fix = f"Set SLACK_CHANNEL, or write `notify: {{slack: '#ops'}}` in {listed(file.path for file in nowhere)}."
        found.append(wrong(CHANNEL, text, fix))
    return found


async def _by_id(id_: str, slack: SlackSight, bot: BotSeen) -> list[Finding]:
    seen = await slack.channel(id_)
    if isinstance(seen, ChannelSeen):
        return [_seen(id_, seen, bot)]
    if seen.code == "missing_scope":
        return [_unseen(id_, bot)]
    if seen.code == "channel_not_found":
        return [_unknown(id_, bot)]
    return [wrong(CHANNEL, f"Slack refuses to look at it ({seen.code})", f"{seen.fix}.", about=id_)]


async def _by_name(names: Sequence[str], slack: SlackSight, bot: BotSeen, *, listens: bool) -> list[Finding]:
    """All in one look through the workspace, as far as the bot may look."""
    scopes = bot.scopes or frozenset()
    kinds = [private for scope, private in (("channels:read", False), ("groups:read", True)) if scope in scopes]
    lists = [one for private in kinds if isinstance(one := await slack.channels(private=private), Channels)]
    by_name = {name: seen for one in lists for name, seen in one.by_name.items()}
    findings = []
    for name in names:
        seen = by_name.get(name.removeprefix("#"))
        if seen is not None:
            findings.append(_named_private(name) if seen.is_private and listens else _seen(name, seen, bot))
        elif not all(one.is_all for one in lists):
            text = f"is not among the first {len(by_name)} channels, and there are more"
            findings.append(skipped(CHANNEL, text, _ID_INSTEAD, about=name))
        elif len(lists) < 2:
            findings.append(_unseen(name, bot, has_looked=bool(lists)))
        else:
            findings.append(_unknown(name, bot))
    return findings


def _seen(name: str, seen: ChannelSeen, bot: BotSeen) -> Finding:
    shown = "" if name.removeprefix("#") == seen.name else f" (#{seen.name})"
    if seen.is_archived:
        fix = "Unarchive it in Slack, or name another one in notify.slack or SLACK_CHANNEL."
        return wrong(CHANNEL, f"is archived{shown}", fix, about=name)
    if not seen.is_member:
        return wrong(CHANNEL, f"the bot is not in it{shown}", f"{_invite(bot)}.", about=name)
    return ok(CHANNEL, f"the bot is in it{shown}", about=name)


def _named_private(name: str) -> Finding:
    """Slack tells commands no name of a private channel, so the service can't be found by it."""
    text = "is private and named by its name: commands that are typed there are not known to be of this service"
    return warning(CHANNEL, text, _ID_INSTEAD, about=name)


def _unknown(name: str, bot: BotSeen) -> Finding:
    fix = f"Check how it is spelt in notify.slack or SLACK_CHANNEL. Private? {_invite(bot)}."
    return wrong(CHANNEL, "there is no such channel, or a private one without the bot", fix, about=name)


def _unseen(name: str, bot: BotSeen, *, has_looked: bool = False) -> Finding:
    """The scopes for it are good for nothing else, so nobody is told to add them."""
    text = (
        "is no public channel; private ones can't be seen without the scope groups:read"
        if has_looked
        else "can't be looked up without the scopes channels:read and groups:read, and need not be"
    )
    return skipped(CHANNEL, text, f"{_invite(bot)}: if it is in already, Slack says so.", about=name)


def _invite(bot: BotSeen) -> str:
    return f"In that channel, type /invite @{bot.name}"
