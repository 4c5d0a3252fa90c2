"""GET /metrics/…: what a service goes through, as Render would measure it."""

import httpx
import pytest

from render_client.sim import running_simulator
from render_client.sim.clock import timestamp
from render_client.sim.load import measured, set_load
from render_client.sim.state import Answered, Load, Used
from tests.sim.test_real_processes import tiny_world, until
from tests.support.sim import SERVICE, caller, manual_simulator, world_with

GIB = 1024**3
BUSY = Load(0, rate=10, seconds=0.2, cpu_seconds=0.02, memory=GIB // 4, errors=0.25)


async def series(http, name, **query):
    reply = await http.get(f"/metrics/{name}", params={"resource": SERVICE} | query)
    assert reply.status_code == 200, reply.text
    return reply.json()


def values(one):
    return [point["value"] for point in one["values"]]


async def test_cpu_and_memory_come_an_instance_with_their_limits():
    async with manual_simulator() as sim, caller(sim) as http:
        service = sim.world.find(SERVICE)
        set_load(service, BUSY)
        (cpu,) = await series(http, "cpu")
        labels = {label["field"]: label["value"] for label in cpu["labels"]}
        assert labels == {"resource": SERVICE, "instance": service.serving()[0].id}
        assert cpu["unit"] == "cpu"
        assert len(cpu["values"]) == 60
        assert values(cpu)[0] == pytest.approx(0.205)
        assert values((await series(http, "cpu-limit"))[0])[0] == 0.5
        assert values((await series(http, "memory"))[0])[0] == GIB / 4
        assert values((await series(http, "memory-limit"))[0])[0] == GIB / 2


async def test_requests_come_a_status_code_and_latency_a_quantile():
    async with manual_simulator() as sim, caller(sim) as http:
        set_load(sim.world.find(SERVICE), BUSY)
        ok, failed = await series(http, "http-requests", aggregateBy="statusCode")
        assert (values(ok)[0], values(failed)[0]) == (450, 150)
        (median,) = await series(http, "http-latency", quantile="0.5")
        (tail,) = await series(http, "http-latency", quantile="0.99")
        assert values(median)[0] < values(tail)[0]
        assert median["unit"] == "ms"


async def test_what_a_plan_can_not_do_waits_and_a_larger_one_can_after_its_deploy():
    async with manual_simulator() as sim, caller(sim) as http:
        service = sim.world.find(SERVICE)
        set_load(service, Load(0, rate=40, seconds=0.2, cpu_seconds=0.02))
        await http.patch(f"/services/{SERVICE}", json={"serviceDetails": {"plan": "standard"}})
        sim.clock.advance(60)
        assert values((await series(http, "cpu-limit"))[0])[-1] == 0.5
        await http.post(f"/services/{SERVICE}/deploys", json={"deployMode": "deploy_only"})
        sim.clock.advance(600)
        by_limit = [values(one)[-1] for one in await series(http, "cpu-limit")]
        assert by_limit == [0.5, 1.0]
        (latency,) = await series(http, "http-latency", quantile="0.5")
        assert values(latency)[0] > 10 * values(latency)[-1]


async def test_a_minute_that_is_not_over_is_not_told_and_late_metrics_come_later():
    async with manual_simulator(world_with(metrics_lag=120)) as sim, caller(sim) as http:
        now = sim.clock.now()
        sim.clock.advance(30)
        (cpu,) = await series(http, "cpu", startTime=timestamp(now - 600_000))
        assert cpu["values"][-1]["timestamp"] <= timestamp(now - 150_000)


@pytest.mark.parametrize(
    "query",
    (
        {"resource": ""},
        {"resolutionSeconds": "10"},
        {"resolutionSeconds": "often"},
        {"startTime": "yesterday"},
        {"startTime": "2020-01-01T00:00:00Z"},
        {"aggregationMethod": "MEDIAN"},
    ),
)
async def test_what_it_can_not_answer_is_a_400(query):
    async with manual_simulator() as sim, caller(sim) as http:
        reply = await http.get("/metrics/cpu", params={"resource": SERVICE} | query)
        assert reply.status_code == 400, reply.text


async def test_too_many_points_are_a_500():
    async with manual_simulator() as sim, caller(sim) as http:
        start = timestamp(sim.clock.now() - 29 * 24 * 3600 * 1000)
        query = {"resource": SERVICE, "startTime": start, "resolutionSeconds": "30"}
        assert (await http.get("/metrics/cpu", params=query)).status_code == 500


async def test_a_worker_has_no_http_metrics():
    from render_client.sim import ServiceSpec

    spec = world_with(services=(ServiceSpec(name="worker", id=SERVICE, type="background_worker"),))
    async with manual_simulator(spec) as sim, caller(sim) as http:
        set_load(sim.world.find(SERVICE), BUSY)
        assert await series(http, "http-requests") == []
        assert len(await series(http, "cpu")) == 1


async def test_of_a_real_process_it_is_what_it_used_and_what_its_address_answered(tmp_path):
    async with running_simulator(tiny_world(tmp_path)) as sim, httpx.AsyncClient() as visitor:
        service = sim.world.find(SERVICE)
        began = sim.clock.now()
        for path in ("/", "/", "/nowhere"):
            await visitor.get(service.details["url"] + path)

        async def twice_measured():
            return len(service.used) > 1

        await until(twice_measured)
        (found,) = measured(service, began - 60_000, 120)
    assert found.instance == service.serving()[0].id
    assert found.memory > 1024 * 1024
    assert 0 <= found.cpu < 2
    assert (found.requests, found.errors) == (3, 0)
    assert 0 < found.quantile(0.5) <= found.quantile(0.99) < 5


async def test_what_was_measured_is_told_minute_by_minute_like_everything_else():
    async with manual_simulator() as sim, caller(sim) as http:
        service = sim.world.find(SERVICE)
        service.command = ("python",)
        now = sim.clock.now() // 60_000 * 60_000 - 60_000
        for second in (0, 30, 59):
            service.used.append(Used(now + second * 1000, f"{SERVICE}-aaaaa", "starter", second * 0.2, 3 * 1024**2))
            service.answered.append(Answered(now + second * 1000, 500 if second else 200, 0.1 + second / 100))
        sim.clock.advance(60)
        (cpu,) = await series(http, "cpu")
        assert values(cpu) == [pytest.approx(0.2)]
        assert [values(one) for one in await series(http, "http-requests", aggregateBy="statusCode")] == [[1], [2]]
        (median,) = await series(http, "http-latency", quantile="0.5")
        assert values(median) == [pytest.approx(400)]
