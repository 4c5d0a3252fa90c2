"""Render's time series: several services in one call, a unit and labels in each series, keys that nobody promised."""

from datetime import UTC, datetime

import httpx
import pytest

from render_client import RenderDownError
from tests.support.render_replies import SERVICE, conversation

TIME = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def a_series(**changes):
    return {
        "labels": [{"field": "resource", "value": SERVICE}, {"field": "instance", "value": f"{SERVICE}-abcde"}],
        "values": [{"timestamp": "2026-01-02T03:04:00Z", "value": 0.25}],
        "unit": "cpu",
    } | changes


async def test_a_series_has_its_labels_its_unit_and_its_points():
    talk = conversation(httpx.Response(200, json=[a_series(), a_series(more=1)]))
    first, second = await talk.client.get_cpu([SERVICE], TIME, TIME)
    assert (first.label("resource"), first.label("service", "instance"), first.label("host")) == (
        SERVICE,
        f"{SERVICE}-abcde",
        None,
    )
    assert (first.unit, first.values[0].value) == ("cpu", 0.25)
    assert first.values[0].timestamp == datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    assert second.model_extra == {"more": 1}


async def test_services_are_joined_and_of_none_nothing_is_asked():
    talk = conversation(httpx.Response(200, json=[]))
    assert await talk.client.get_memory([], TIME, TIME) == []
    assert await talk.client.get_memory(["srv-1", "srv-2"], TIME, TIME) == []
    (request,) = talk.requests
    assert request.url.params["resource"] == "srv-1,srv-2"
    assert request.url.params["resolutionSeconds"] == "60"


async def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="no time zone"):
        await conversation().client.get_cpu([SERVICE], TIME.replace(tzinfo=None), TIME)


@pytest.mark.parametrize("junk", ({"labels": "x"}, {"values": [{"value": 1}]}, {"values": [{"timestamp": "noon"}]}))
async def test_a_series_that_is_none_is_an_unreadable_answer(junk):
    talk = conversation(httpx.Response(200, json=[a_series(**junk)]))
    with pytest.raises(RenderDownError):
        await talk.client.get_cpu([SERVICE], TIME, TIME)
