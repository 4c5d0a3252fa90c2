"""What the environment says. Secrets are kept in SecretStr, so that no log, repr or traceback shows them."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from autoscaler.errors import UsageError

RENDER_URL = "https://api.render.com/v1"
LOCAL_DATABASE = "sqlite:///autoscaler.db"


@dataclass(frozen=True, slots=True)
class Settings:
    """Every environment variable that the bot reads, but for the tokens that a policy names itself."""

    render_api_key: SecretStr | None
    """RENDER_API_KEY: Account Settings → API Keys in Render's dashboard."""
    render_url: str
    """RENDER_API_URL: a simulator's address; Render's own by default."""
    database_url: str = field(repr=False)
    """DATABASE_URL: `postgresql://…` or `sqlite:///path`; by default a SQLite file in the working folder."""
    has_database: bool
    """Whether DATABASE_URL was given."""
    slack_bot_token: SecretStr | None
    """SLACK_BOT_TOKEN (`xoxb-…`): without it messages go to the webhook, or appear in the terminal."""
    slack_app_token: SecretStr | None
    """SLACK_APP_TOKEN (`xapp-…`): with it buttons and commands work, over Socket Mode."""
    slack_channel: str | None
    """SLACK_CHANNEL: for services whose policy names none."""
    slack_url: str
    """SLACK_API_URL: a fake Slack's address; Slack's own by default."""
    webhook_url: SecretStr | None
    """WEBHOOK_URL: a receiver of messages, for those without Slack. Such an address is often as good as a password."""
    webhook_secret: SecretStr | None
    """WEBHOOK_SECRET (`whsec_…`): what messages to it are signed with."""
    on_render: bool
    """RENDER=true, which Render sets in all that it runs."""
    own_service: str | None = None
    """RENDER_SERVICE_ID, which Render sets too: the bot itself, whose plan costs something as well."""

    def need_render_key(self) -> SecretStr:
        """The key, or a UsageError that says where to get one."""
        if self.render_api_key is None:
            raise UsageError(
                "RENDER_API_KEY is not set. Make a key in Render's dashboard under Account Settings → API Keys, "
                "then: export RENDER_API_KEY=rnd_…"
            )
        return self.render_api_key

    def need_webhook_secret(self) -> SecretStr:
        """The secret, or a UsageError that says how to make one."""
        if self.webhook_secret is None:
            raise UsageError(
                "WEBHOOK_URL is set and WEBHOOK_SECRET is not: nobody could tell our messages from forged ones. Make one, for here "
                'and for the receiver: export WEBHOOK_SECRET="whsec_$(openssl rand -base64 32)"'
            )
        return self.webhook_secret


def load_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the environment. An empty variable counts as unset."""

    def text(name: str) -> str | None:
        return environment.get(name, "").strip() or None

    def secret(name: str) -> SecretStr | None:
        value = text(name)
        return SecretStr(value) if value else None

    return Settings(
        render_api_key=secret("RENDER_API_KEY"),
        render_url=text("RENDER_API_URL") or RENDER_URL,
        database_url=text("DATABASE_URL") or LOCAL_DATABASE,
        has_database=text("DATABASE_URL") is not None,
        slack_bot_token=secret("SLACK_BOT_TOKEN"),
        slack_app_token=secret("SLACK_APP_TOKEN"),
        slack_channel=text("SLACK_CHANNEL"),
        slack_url=text("SLACK_API_URL") or "https://slack.com/api/",
        webhook_url=secret("WEBHOOK_URL"),
        webhook_secret=secret("WEBHOOK_SECRET"),
        on_render=text("RENDER") == "true",
        own_service=text("RENDER_SERVICE_ID"),
    )


def must_stay_dry(settings: Settings) -> str | None:
    """Why the bot may not act here, or None: on Render a SQLite file outside a mounted disk is gone with the next deploy.

    A change whose record is lost half way could not be carried on, so the bot only watches until that is fixed.
    """
    if not settings.on_render or not settings.database_url.startswith("sqlite"):
        return None
    path = sqlite_file(settings.database_url).absolute()
    if _mount_of(path) not in {Path("/"), Path("/tmp")}:  # noqa: S108 - a place to look at, not to write to
        return None
    return (
        f"the SQLite file {path} is not on a mounted disk, so Render deletes it with every deploy. Attach a disk and set "
        "DATABASE_URL=sqlite:////var/data/autoscaler.db, or set DATABASE_URL to a Postgres database"
    )


def is_there(settings: Settings) -> bool:
    """Whether there may be a database to read: a Postgres is taken to be there, a SQLite file is looked for."""
    return not settings.database_url.startswith("sqlite") or sqlite_file(settings.database_url).exists()


def sqlite_file(url: str) -> Path:
    """The file behind a `sqlite:///path` address."""
    return Path(url.removeprefix("sqlite:///"))


def _mount_of(path: Path) -> Path:
    return next((parent for parent in path.parents if os.path.ismount(parent)), Path("/"))
