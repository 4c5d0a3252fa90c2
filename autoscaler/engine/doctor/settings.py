"""The environment: what in it contradicts something else."""

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from autoscaler.engine.doctor.finding import Finding, listed, ok, warning, wrong
from autoscaler.policyfile import PolicyFile
from autoscaler.settings import Settings

CHECK = "settings"
_OWN = ("RENDER_API_KEY", "DATABASE_URL", "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "WEBHOOK_URL", "WEBHOOK_SECRET")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def look(files: Sequence[PolicyFile], settings: Settings) -> list[Finding]:
    """Every contradiction."""
    found = [*_secrets(files), *_slack(files, settings), *_addresses(settings)]
    return found or [ok(CHECK, "nothing in the environment contradicts anything else")]


def _secrets(files: Sequence[PolicyFile]) -> Iterator[Finding]:
    for file in files:
        health = file.policy.service.health
        if health is not None and health.token is not None and health.token.env in _OWN:
            text = f"its policy sends the bot's own {health.token.env} to the app as the endpoint's token"
            fix = f"Give the endpoint a token of its own (SCALING_HEALTH_TOKEN), and name that in {file.path}."
            yield wrong(CHECK, text, fix, about=file.policy.service.label)


def _slack(files: Sequence[PolicyFile], settings: Settings) -> Iterator[Finding]:
    if settings.slack_bot_token is not None and settings.webhook_url is not None:
        text = "SLACK_BOT_TOKEN and WEBHOOK_URL are both set: messages go to Slack alone"
        yield warning(CHECK, text, "Unset the one that is not meant.")
    if settings.slack_bot_token or settings.slack_app_token or settings.webhook_url:
        return  # one token without the other is told where that one is looked at
    places = [file.path for file in files if file.policy.notify.slack]
    if settings.slack_channel:
        places.insert(0, "SLACK_CHANNEL")
    if places:
        text = f"a Slack channel is named ({listed(places)}), but SLACK_BOT_TOKEN is not set"
        yield warning(CHECK, text, "Set it (docs/slack.md), or leave the channel out.")


def _addresses(settings: Settings) -> Iterator[Finding]:
    for name, address in (("RENDER_API_URL", settings.render_url), ("SLACK_API_URL", settings.slack_url)):
        try:
            parts = urlsplit(address)
            is_local = parts.hostname in _LOOPBACK
        except ValueError:
            yield wrong(CHECK, f"{name} is no address", "Unset it: it is for tests only.")
            continue
        if is_local and settings.on_render:
            yield wrong(CHECK, f"{name} names this machine, but this runs on Render", "Unset it: it is for tests only.")
        elif not is_local and parts.scheme != "https":
            yield wrong(CHECK, f"{name} is not https, so the token would travel in the clear", "Write https://…")
