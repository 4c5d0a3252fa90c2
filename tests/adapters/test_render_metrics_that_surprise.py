"""Render's time series as nobody promised them: other units, labels, orders; several instances; minutes twice."""

import httpx
import pytest

from autoscaler.adapters.render import RenderAdapter
from autoscaler.core.durations import DAY, MINUTE
from autoscaler.core.samples import Sample
from autoscaler.errors import UnavailableError
from render_client.sim.clock import timestamp
from tests.support.render_replies import SERVICE, conversation

START = 1_780_300_800_000
END = START + 10 * MINUTE
MB = 1024**2


def series(*values, unit="bytes", minute=1, **labels):
    labels = labels or {"resource": SERVICE, "instance": f"{SERVICE}-abcde"}
    return {
        "labels": [{"field": field, "value": value} for field, value in labels.items()],
        "values": [
            {"timestamp": timestamp(START + (minute + number) * MINUTE), "value": value}
            for number, value in enumerate(values)
        ],
        "unit": unit,
    }


async def asked(**answers) -> tuple[Sample, ...]:
    """What comes of these series, by the last word of the path with _ for -."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=answers.get(request.url.path.rpartition("/")[2].replace("-", "_"), []))

    talk = conversation(answer)
    found = await RenderAdapter(talk.client).samples([SERVICE], START, END, latency=["p95_response_time"])
    return found[SERVICE]


@pytest.mark.parametrize(
    ("unit", "value"), (("bytes", 256 * MB), ("B", 256 * MB), ("MB", 256), ("GB", 0.25), ("gb", 0.25), ("", 256 * MB))
)
async def test_the_unit_of_memory_is_read_and_not_assumed(unit, value):
    (sample,) = await asked(memory=[series(value, unit=unit)])
    assert sample.memory == 256 * MB


@pytest.mark.parametrize(("unit", "value"), (("ms", 250), ("s", 0.25), ("MS", 250)))
async def test_latency_is_in_seconds_whatever_the_unit(unit, value):
    (sample,) = await asked(cpu=[series(0.1, unit="cpu")], http_latency=[series(value, unit=unit, resource=SERVICE)])
    assert sample.latency == {"p95_response_time": 0.25}


@pytest.mark.parametrize(
    "labels", ({"resource": SERVICE}, {"service": SERVICE}, {"serviceId": SERVICE}, {"instance": f"{SERVICE}-abcde"})
)
async def test_a_series_is_known_by_any_of_its_labels(labels):
    (sample,) = await asked(cpu=[series(0.25, unit="cpu", **labels)])
    assert sample.cpu == 0.25


async def test_the_busiest_of_several_instances_counts_and_the_smallest_limit():
    both = [{"resource": SERVICE, "instance": f"{SERVICE}-{letter}"} for letter in "ab"]
    (sample,) = await asked(
        cpu=[series(0.1, **both[0]), series(0.4, **both[1])], cpu_limit=[series(0.5, **both[0]), series(1.0, **both[1])]
    )
    assert (sample.cpu, sample.cpu_limit) == (0.4, 0.5)


async def test_requests_of_all_codes_are_added_and_only_5xx_are_errors():
    codes = [
        series(number, unit="unitless", resource=SERVICE, statusCode=code)
        for number, code in ((90, "200"), (5, "404"), (3, "500"), (2, "503"))
    ]
    (sample,) = await asked(http_requests=codes)
    assert (sample.requests, sample.errors) == (100, 5)


async def test_minutes_out_of_order_and_twice_come_in_order_and_once():
    later, earlier = series(0.3, minute=4), series(0.1, 0.2, minute=2)
    again = series(0.2, minute=3)
    found = await asked(cpu=[later, earlier, again])
    assert [(sample.at - START) // MINUTE for sample in found] == [2, 3, 4]
    assert [sample.cpu for sample in found] == [0.1, 0.2, 0.3]


async def test_a_minute_that_is_not_over_has_counted_too_little():
    found = await asked(http_requests=[series(10, 10, 1, minute=8, resource=SERVICE, statusCode="200")])
    assert [(sample.at - START) // MINUTE for sample in found] == [8, 9]


async def test_series_of_others_and_values_that_can_not_be_are_left_out():
    strange = series(-1.0, 0.2)
    found = await asked(cpu=[strange, series(0.9, resource="srv-other"), series(0.9, host="example.com")])
    assert [sample.cpu for sample in found] == [0.2]


async def test_a_month_is_asked_for_in_pieces_that_render_answers():
    talk = conversation(httpx.Response(200, json=[]))
    await RenderAdapter(talk.client).samples([SERVICE], START - 30 * DAY, START, step=5 * MINUTE)
    spans = [request.url.params["startTime"] for request in talk.requests if request.url.path.endswith("/cpu")]
    assert len(spans) == 9
    assert spans == sorted(set(spans))


async def test_a_render_that_is_down_is_unavailable():
    talk = conversation(httpx.Response(503, json={"message": "down"}))
    with pytest.raises(UnavailableError):
        await RenderAdapter(talk.client).samples([SERVICE], START, END)
