"""A receiver on loopback, a notifier that posts to it, and a clock that a test turns."""

from dataclasses import dataclass

import pytest
from pydantic import SecretStr

from autoscaler.adapters.webhook import WebhookNotifier
from tests.support.stories import NOW
from tests.support.webhook_receiver import SECRET, webhook_receiver


@dataclass
class Turned:
    at: int = NOW

    def now(self):
        return self.at

    def monotonic(self):
        return self.at / 1000


@pytest.fixture
def clock():
    return Turned()


@pytest.fixture
async def receiver():
    async with webhook_receiver() as running:
        yield running


@pytest.fixture
async def posting(clock):
    """Makes notifiers, and closes them."""
    made = []

    def make(url, secret=SECRET, **more):
        made.append(WebhookNotifier(SecretStr(url), SecretStr(secret), clock, **more))
        return made[-1]

    yield make
    for one in made:
        await one.aclose()


@pytest.fixture
def notifier(posting, receiver):
    return posting(receiver.url)


@pytest.fixture(scope="session")
def clock_of_property():
    """One for all examples: nothing turns it."""
    return Turned()
