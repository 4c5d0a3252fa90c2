"""A fake Slack and a notifier that talks to it by the real slack-sdk."""

import pytest
from pydantic import SecretStr

from autoscaler.adapters.slack.notifier import SlackNotifier
from tests.support.fake_slack import fake_slack


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    """slack-sdk would send even loopback through a proxy of the environment."""
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def slack():
    async with fake_slack() as running:
        yield running


@pytest.fixture
async def notifier(slack):
    made = SlackNotifier(SecretStr(slack.token), "#ops", base_url=slack.base_url, timeout=5)
    yield made
    await made.aclose()
