"""A fake Slack and a notifier that talks to it by the real slack-sdk."""

import pytest
from pydantic import SecretStr
from slack_sdk.web.async_client import AsyncWebClient

from autoscaler.adapters.slack.notifier import SlackNotifier
from tests.support.fake_slack import fake_slack
from tests.support.slack_app import ASK, App


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


@pytest.fixture
def web(slack):
    return AsyncWebClient(slack.token, base_url=slack.base_url, retry_handlers=[])


@pytest.fixture
async def app(slack, web):
    """A connected one."""
    made = App(slack, web)
    await made.client.connect()
    await slack.connected()
    yield made
    await made.client.close()


@pytest.fixture
async def asked(slack, web):
    """A message with a button and two menus."""
    await web.chat_postMessage(channel="#ops", text="Go?", blocks=ASK)
    return slack.messages[-1]
