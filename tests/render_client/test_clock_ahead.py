"""Every reply tells the server's time: how far this machine's clock is from it is known without another call."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from render_client import BadKeyError
from tests.support.render_replies import SERVICE, conversation, service_json


def told(ago: float) -> dict[str, str]:
    return {"Date": format_datetime(datetime.now(UTC) - timedelta(seconds=ago), usegmt=True)}


@pytest.mark.parametrize("ago", (100, -100, 0))
async def test_the_last_reply_tells_it_to_a_second_or_so(ago):
    talk = conversation(httpx.Response(200, json=service_json(), headers=told(ago)))
    assert talk.client.clock_ahead is None
    await talk.client.retrieve_service(SERVICE)
    assert talk.client.clock_ahead == pytest.approx(ago, abs=2)


async def test_a_refusal_tells_it_too():
    talk = conversation(httpx.Response(401, json={}, headers=told(100)))
    with pytest.raises(BadKeyError):
        await talk.client.retrieve_service(SERVICE)
    assert talk.client.clock_ahead == pytest.approx(100, abs=2)


@pytest.mark.parametrize("headers", ({}, {"Date": "yesterday"}))
async def test_a_reply_without_a_time_tells_nothing(headers):
    talk = conversation(httpx.Response(200, json=service_json(), headers=headers))
    await talk.client.retrieve_service(SERVICE)
    assert talk.client.clock_ahead is None
